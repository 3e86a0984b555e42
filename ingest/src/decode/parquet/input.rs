//! A landed file as the Parquet reader wants it: read at many places, by shared reference.

use std::io::{self, BufReader, Read, Seek, SeekFrom};
use std::sync::{Arc, Mutex, MutexGuard, PoisonError};

use bytes::Bytes;
use datafusion::parquet::errors::{ParquetError, Result};
use datafusion::parquet::file::reader::{ChunkReader, Length};

use crate::decode::packed::AnyInput;

const MARK: &[u8; 4] = b"PAR1";

/// A file with one place in it, sought anew for every read.
pub(super) struct SharedInput {
    input: Arc<Mutex<AnyInput>>,
    len: u64,
}

impl SharedInput {
    pub(super) fn new(mut input: AnyInput) -> io::Result<Self> {
        let len = input.seek(SeekFrom::End(0))?;
        Ok(Self { input: Arc::new(Mutex::new(input)), len })
    }

    /// Whether the file begins and ends as Parquet does.
    pub(super) fn has_mark(&mut self) -> io::Result<bool> {
        let mut marks = [[0; 4]; 2];
        // The marks and the length of the footer.
        if self.len < 12 {
            return Ok(false);
        }
        let mut input = locked(&self.input);
        for (mark, place) in marks.iter_mut().zip([SeekFrom::Start(0), SeekFrom::End(-4)]) {
            input.seek(place)?;
            input.read_exact(mark)?;
        }
        Ok(marks == [*MARK; 2])
    }

    /// The bytes of the footer; `None` where it says that it is larger than the file or than `most`.
    pub(super) fn footer(&mut self, most: u64) -> io::Result<Option<Vec<u8>>> {
        let mut input = locked(&self.input);
        let mut len = [0; 4];
        input.seek(SeekFrom::End(-8))?;
        input.read_exact(&mut len)?;
        let len = u64::from(u32::from_le_bytes(len));
        if len > most || len + 12 > self.len {
            return Ok(None);
        }
        let mut bytes = vec![0; len as usize];
        input.seek(SeekFrom::Start(self.len - 8 - len))?;
        input.read_exact(&mut bytes)?;
        Ok(Some(bytes))
    }
}

/// Every read seeks first, so that one that panicked leaves nothing wrong behind.
fn locked(input: &Mutex<AnyInput>) -> MutexGuard<'_, AnyInput> {
    input.lock().unwrap_or_else(PoisonError::into_inner)
}

impl Length for SharedInput {
    fn len(&self) -> u64 {
        self.len
    }
}

impl ChunkReader for SharedInput {
    type T = BufReader<At>;

    fn get_read(&self, start: u64) -> Result<Self::T> {
        Ok(BufReader::new(At { input: Arc::clone(&self.input), at: start }))
    }

    fn get_bytes(&self, start: u64, length: usize) -> Result<Bytes> {
        if start.saturating_add(length as u64) > self.len {
            return Err(ParquetError::EOF("a column stands beyond the end of the file".to_owned()));
        }
        let mut bytes = vec![0; length];
        let mut input = locked(&self.input);
        input.seek(SeekFrom::Start(start))?;
        input.read_exact(&mut bytes)?;
        Ok(bytes.into())
    }
}

/// A reader from one place on.
pub(super) struct At {
    input: Arc<Mutex<AnyInput>>,
    at: u64,
}

impl Read for At {
    fn read(&mut self, buffer: &mut [u8]) -> io::Result<usize> {
        let mut input = locked(&self.input);
        input.seek(SeekFrom::Start(self.at))?;
        let read = input.read(buffer)?;
        self.at += read as u64;
        Ok(read)
    }
}
