//! JSON: one document; the records are the elements of one list in it, found by a JSON Pointer.
//!
//! The document is never whole in memory: what stands before and behind the list is walked over,
//! and the list is cut into its elements, which NDJSON's reader of objects then reads. A document
//! that ends too early or does not close as it opened is refused, with all its records.

mod element;
mod walk;

use super::cut::{Bounds, Progress};
use super::failure::{FileRefused, Rule};
use super::records::{RecordChunk, RecordFault};
use element::Element;
use walk::{Step, Walk};

/// Cuts the list of a document into its elements.
#[derive(Debug)]
pub(super) struct JsonSplitter {
    walk: Walk,
    stage: Stage,
    pointer: String,
}

#[derive(Debug)]
enum Stage {
    /// Before the list.
    Seeking,
    /// In the list; an element, a comma or the end comes next.
    Between { after: After },
    /// Inside an element over the size limit, whose beginning is held.
    Passing(Element),
    /// Behind the list.
    Behind,
}

/// What stands before a place in the list.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
enum After {
    Opening,
    Element,
    Comma,
}

impl JsonSplitter {
    /// A splitter of the list at a path of keys and positions.
    pub(super) fn new(path: &[String]) -> Self {
        Self {
            walk: Walk::to(path),
            stage: Stage::Seeking,
            pointer: path.iter().map(|key| format!("/{key}")).collect(),
        }
    }

    /// Splits as many whole elements as there are.
    pub(super) fn split(
        &mut self,
        bytes: &[u8],
        bounds: Bounds,
        chunk: &mut RecordChunk,
    ) -> Result<Progress, FileRefused> {
        let mut at = 0;
        while at < bytes.len() && chunk.next_row < bounds.stop_row {
            match &mut self.stage {
                Stage::Seeking | Stage::Behind => {
                    let (used, step) = self.walk.over(&bytes[at..]);
                    at += used;
                    match step {
                        Step::More => {}
                        Step::List => self.stage = Stage::Between { after: After::Opening },
                        Step::NotAList => return Err(self.no_list()),
                        Step::Broken => return Err(broken(chunk, at)),
                    }
                }
                Stage::Passing(element) => match element.end(&bytes[at..]) {
                    Ok(Some(length)) => {
                        at += length;
                        self.stage = Stage::Between { after: After::Element };
                    }
                    Ok(None) => at = bytes.len(),
                    Err(()) => return Err(broken(chunk, at)),
                },
                Stage::Between { after } => match (bytes[at], *after) {
                    (b' ' | b'\t' | b'\r' | b'\n', _) => at += 1,
                    (b']', After::Opening | After::Element) => {
                        at += 1;
                        self.walk.leave();
                        self.stage = Stage::Behind;
                    }
                    (b',', After::Element) => {
                        at += 1;
                        *after = After::Comma;
                    }
                    (b',' | b']' | b'}' | b':', _) | (_, After::Element) => return Err(broken(chunk, at)),
                    (_, After::Opening | After::Comma) => match self.element(bytes, at, bounds, chunk)? {
                        Some(next) => at = next,
                        None => return Ok(Progress::up_to(at)),
                    },
                },
            }
        }
        if at == bytes.len() && bounds.at_end {
            match &self.stage {
                Stage::Behind if self.walk.is_complete() => {}
                Stage::Seeking if self.walk.is_complete() => return Err(self.no_list()),
                _ => return Err(cut_short()),
            }
        }
        Ok(Progress::up_to(at))
    }

    /// Takes the element at `at` and gives where it ends; `None` if more bytes are needed.
    fn element(
        &mut self,
        bytes: &[u8],
        at: usize,
        bounds: Bounds,
        chunk: &mut RecordChunk,
    ) -> Result<Option<usize>, FileRefused> {
        let mut element = Element::default();
        match element.end(&bytes[at..]) {
            Ok(Some(length)) => {
                if length > bounds.record_bytes {
                    chunk.push_fault(at, at + bounds.record_bytes, RecordFault::TooLong);
                } else {
                    chunk.ends.push((at + length) as u32);
                    chunk.push(at, at + length);
                }
                self.stage = Stage::Between { after: After::Element };
                Ok(Some(at + length))
            }
            Ok(None) if bounds.at_end => Err(cut_short()),
            Ok(None) if bytes.len() - at > bounds.record_bytes => {
                chunk.push_fault(at, at + bounds.record_bytes, RecordFault::TooLong);
                self.stage = Stage::Passing(element);
                Ok(Some(bytes.len()))
            }
            Ok(None) => Ok(None),
            Err(()) => Err(broken(chunk, at)),
        }
    }

    fn no_list(&self) -> FileRefused {
        let pointer = &self.pointer;
        FileRefused::new(
            Rule::MissingRecords,
            format!("文件中路径“{pointer}”处没有记录列表；请核对 format.path"),
            format!("the document has no list of records at \"{pointer}\"; check format.path"),
        )
    }
}

fn cut_short() -> FileRefused {
    FileRefused::new(
        Rule::DamagedFile,
        "JSON 文件不完整：在结束之前中断，请重新报送",
        "the JSON document is cut short; send it again",
    )
}

fn broken(chunk: &RecordChunk, at: usize) -> FileRefused {
    let offset = chunk.span(at as u32, 0).offset;
    FileRefused::new(
        Rule::DamagedFile,
        format!("文件第 {offset} 字节（从 0 起）附近不是有效的 JSON"),
        format!("the document is not valid JSON near byte {offset}"),
    )
}
