//! Records that a library reads, on a thread of its own.
//!
//! The libraries of workbooks and Parquet lend their readers from the open file, and may panic over
//! a file that is broken in a way they did not think of. Here that ends their thread, and the file
//! is refused.

use std::sync::mpsc::{Receiver, SyncSender, sync_channel};
use std::thread::{Builder, JoinHandle};

use super::failure::{DecodeError, FileRefused, Rule};
use super::records::{Header, RecordChunk};

/// What a reading thread tells.
enum Told {
    Header(Header),
    Chunk(RecordChunk),
}

/// Where a reading thread tells it.
pub(super) struct Outlet(SyncSender<Result<Told, DecodeError>>);

/// The records of a reading thread.
pub(super) struct Foreign {
    told: Option<Receiver<Result<Told, DecodeError>>>,
    thread: Option<JoinHandle<()>>,
}

impl Outlet {
    /// Tells the header, once, before any chunk.
    pub(super) fn header(&self, header: Header) -> Result<(), DecodeError> {
        self.tell(Told::Header(header))
    }

    /// Tells a chunk; waits while two are not taken yet.
    pub(super) fn chunk(&self, chunk: RecordChunk) -> Result<(), DecodeError> {
        self.tell(Told::Chunk(chunk))
    }

    fn tell(&self, told: Told) -> Result<(), DecodeError> {
        // Nobody listens any more: the error ends the reading, and nobody hears of it.
        let unheard = |_| DecodeError::Read(std::io::ErrorKind::BrokenPipe.into());
        self.0.send(Ok(told)).map_err(unheard)
    }
}

impl Foreign {
    /// Starts reading; gives the header once it is told.
    pub(super) fn start(
        name: &str,
        read: impl FnOnce(&Outlet) -> Result<(), DecodeError> + Send + 'static,
    ) -> Result<(Header, Self), DecodeError> {
        let (sender, receiver) = sync_channel(1);
        let thread = Builder::new().name(name.to_owned()).spawn(move || {
            let outlet = Outlet(sender);
            if let Err(error) = read(&outlet) {
                let _ = outlet.0.send(Err(error));
            }
        })?;
        let mut foreign = Self { told: Some(receiver), thread: Some(thread) };
        match foreign.next_told()? {
            Some(Told::Header(header)) => Ok((header, foreign)),
            _ => Err(broken("nothing was read").into()),
        }
    }

    /// The next records, or `None` at the end of the file.
    pub(super) fn next_chunk(&mut self) -> Result<Option<RecordChunk>, DecodeError> {
        match self.next_told()? {
            Some(Told::Chunk(chunk)) => Ok(Some(chunk)),
            _ => Ok(None),
        }
    }

    fn next_told(&mut self) -> Result<Option<Told>, DecodeError> {
        let Some(receiver) = &self.told else { return Ok(None) };
        match receiver.recv() {
            Ok(told) => told.map(Some),
            Err(_) => {
                self.told = None;
                match self.thread.take().map(JoinHandle::join) {
                    Some(Err(_)) => Err(broken("its structure cannot be followed").into()),
                    _ => Ok(None),
                }
            }
        }
    }
}

impl Drop for Foreign {
    fn drop(&mut self) {
        self.told = None;
        if let Some(thread) = self.thread.take() {
            // A panic was told of, or happened after the last record that anybody wanted.
            let _ = thread.join();
        }
    }
}

/// The refusal of a workbook or Parquet file that is broken.
pub(super) fn broken(what: &str) -> FileRefused {
    FileRefused::new(
        Rule::DamagedFile,
        format!("文件不完整或已损坏，无法读取，请重新报送（{what}）"),
        format!("the file is cut short or broken and cannot be read, send it again: {what}"),
    )
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn a_reader_that_panics_refuses_the_file() {
        let (_, mut foreign) = Foreign::start("test", |outlet| {
            outlet.header(Header::default())?;
            panic!("a broken file");
        })
        .unwrap();
        let Err(DecodeError::Refused(refused)) = foreign.next_chunk() else { panic!("it should be refused") };
        assert_eq!(refused.rule, Rule::DamagedFile);
        assert!(foreign.next_chunk().unwrap().is_none());
    }

    #[test]
    fn a_reader_that_nobody_listens_to_ends() {
        let (header, foreign) = Foreign::start("test", |outlet| {
            outlet.header(Header::default())?;
            loop {
                outlet.chunk(RecordChunk::rendered(1))?;
            }
        })
        .unwrap();
        assert!(header.titles.is_empty());
        drop(foreign);
    }
}
