//! The parts of a zipped workbook, unpacked once before anything reads them, so that none of them
//! can fill the memory: the library keeps the shared texts and one XML element at a time.

use std::io::{Read, Seek};

use zip::ZipArchive;

use crate::decode::failure::{DecodeError, FileRefused, Rule};
use crate::decode::foreign::broken;
use crate::decode::packed::{AnyInput, Guard, Limit};

/// Most bytes of the texts that cells share. The library keeps all of them, and short ones take more
/// than twice their bytes here: a text of eight characters is 24 bytes of XML and 56 of memory.
const MOST_SHARED: u64 = 192 << 20;
/// Most bytes of the parts that say what is in the workbook.
const MOST_ABOUT: u64 = 64 << 20;
/// Most bytes from one XML tag to the next; a cell holds 32,767 characters at most.
const MOST_BETWEEN_TAGS: usize = 4 << 20;

/// What kind of workbook the parts make up.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub(super) enum Parts {
    Xml,
    Binary,
}

/// Unpacks every part once and refuses those over a limit; gives the file back with what it is.
pub(super) fn examined(input: AnyInput, limit: Limit) -> Result<(AnyInput, Parts), DecodeError> {
    let mut archive = ZipArchive::new(input).map_err(|error| broken(&error.to_string()))?;
    let mut kind = Parts::Xml;
    for index in 0..archive.len() {
        let part = archive.by_index(index).map_err(|error| broken(&error.to_string()))?;
        let name = String::from_utf8_lossy(part.name_raw()).to_lowercase().replace('\\', "/");
        if name == "xl/workbook.bin" {
            kind = Parts::Binary;
        }
        let is_xml = name.ends_with(".xml") || name.ends_with(".rels");
        if !is_xml && !name.ends_with(".bin") || name.ends_with("vbaproject.bin") {
            continue;
        }
        let is_shared = name.ends_with("sharedstrings.xml") || name.ends_with("sharedstrings.bin");
        let is_about = name.ends_with(".rels")
            || ["workbook.xml", "workbook.bin", "styles.xml", "styles.bin"].iter().any(|end| name.ends_with(end));
        let most = match (is_shared, is_about) {
            (true, _) => MOST_SHARED,
            (_, true) => MOST_ABOUT,
            _ => limit.bytes,
        };
        let refusal = || if is_shared { too_many_texts() } else { too_large(&name, most) };
        if part.size() > most {
            return Err(refusal().into());
        }
        let packed = part.compressed_size();
        let mut scan = Scan::default();
        scan.over(&mut Guard::of_part(part, packed, limit), most, is_xml)?.ok_or_else(refusal)?;
        if is_shared && scan.declared_texts() > scan.bytes / 5 {
            return Err(broken("the number of shared texts is wrong").into());
        }
    }
    let mut input = archive.into_inner();
    input.rewind()?;
    Ok((input, kind))
}

/// What was seen of a part.
#[derive(Debug, Default)]
struct Scan {
    bytes: u64,
    /// The beginning, where XML says what the rest will be.
    start: Vec<u8>,
    since_tag: usize,
}

impl Scan {
    /// Reads a part to its end; `None` if it is over the limit.
    fn over(&mut self, part: &mut impl Read, most: u64, is_xml: bool) -> Result<Option<()>, DecodeError> {
        const BEGINNING: usize = 4096;
        let mut buffer = vec![0; 64 << 10];
        loop {
            let read = match part.read(&mut buffer) {
                Err(error) if error.kind() == std::io::ErrorKind::Interrupted => continue,
                read => read?,
            };
            if read == 0 {
                return Ok(Some(()));
            }
            self.bytes += read as u64;
            let piece = &buffer[..read];
            if self.bytes > most {
                return Ok(None);
            }
            if self.start.len() < BEGINNING {
                self.start.extend_from_slice(piece);
            }
            if is_xml {
                // Pieces are much shorter than the limit: only gaps over several of them matter.
                self.since_tag = match memchr::memrchr(b'<', piece) {
                    Some(last) => piece.len() - last,
                    None => self.since_tag + piece.len(),
                };
                if self.since_tag > MOST_BETWEEN_TAGS {
                    return Err(broken("a cell is larger than a sheet allows").into());
                }
            }
        }
    }

    /// How many texts the part says it has; the library makes room for as many before it reads them.
    fn declared_texts(&self) -> u64 {
        let Some(at) = memchr::memmem::find(&self.start, b"uniqueCount=") else { return 0 };
        let digits =
            self.start[at..].iter().skip_while(|byte| !byte.is_ascii_digit()).take_while(|b| b.is_ascii_digit());
        digits.fold(0_u64, |number, digit| number.saturating_mul(10).saturating_add(u64::from(digit - b'0')))
    }
}

fn too_many_texts() -> FileRefused {
    let most = MOST_SHARED >> 20;
    FileRefused::new(
        Rule::UnpacksTooFar,
        format!("工作簿的共享文本超过 {most} MiB，无法在有限内存中读取；请分成多个文件或改报 CSV"),
        format!("the shared texts of the workbook are over {most} MiB; send several files, or CSV"),
    )
}

fn too_large(name: &str, most: u64) -> FileRefused {
    FileRefused::new(
        Rule::UnpacksTooFar,
        format!("工作簿中的“{name}”解压后超过 {most} 字节"),
        format!("\"{name}\" in the workbook unpacks to more than {most} bytes"),
    )
}
