//! A stream that is being unpacked, watched: how much comes out of how much, and whether it ends well.

use std::io::{self, Read};
use std::sync::Arc;
use std::sync::atomic::{AtomicBool, AtomicU64, Ordering};

use crate::decode::failure::{FileRefused, Rule};

/// Bytes that may be unpacked before their ratio counts: short texts pack wonderfully.
const FREE_BYTES: u64 = 16 << 20;

/// How far a stream may unpack.
#[derive(Debug, Clone, Copy)]
pub(in crate::decode) struct Limit {
    /// Bytes in all.
    pub(in crate::decode) bytes: u64,
    /// Bytes for one packed byte.
    pub(in crate::decode) ratio: u64,
}

/// What went into an unpacker.
#[derive(Debug, Clone, Default)]
pub(super) struct Meter(Arc<Counts>);

#[derive(Debug, Default)]
struct Counts {
    packed_bytes: AtomicU64,
    has_failed: AtomicBool,
}

/// The packed bytes on their way into an unpacker.
#[derive(Debug)]
pub(super) struct Metered<R> {
    inner: R,
    meter: Meter,
}

impl<R> Metered<R> {
    pub(super) fn new(inner: R, meter: Meter) -> Self {
        Self { inner, meter }
    }
}

impl<R: Read> Read for Metered<R> {
    fn read(&mut self, buffer: &mut [u8]) -> io::Result<usize> {
        match self.inner.read(buffer) {
            Ok(read) => {
                self.meter.0.packed_bytes.fetch_add(read as u64, Ordering::Relaxed);
                Ok(read)
            }
            Err(error) => {
                let passes = error.kind() == io::ErrorKind::Interrupted;
                self.meter.0.has_failed.store(!passes, Ordering::Relaxed);
                Err(error)
            }
        }
    }
}

/// The unpacked bytes on their way out.
pub(in crate::decode) struct Guard<R> {
    inner: R,
    meter: Meter,
    limit: Limit,
    unpacked: u64,
    /// Size and checksum that the archive tells, and the checksum so far.
    expected: Option<(u64, u32, flate2::Crc)>,
}

impl<R: Read> Guard<R> {
    pub(super) fn new(inner: R, meter: Meter, limit: Limit) -> Self {
        Self { inner, meter, limit, unpacked: 0, expected: None }
    }

    /// A guard of one part of an archive whose packed size is known.
    pub(in crate::decode) fn of_part(inner: R, packed_bytes: u64, limit: Limit) -> Self {
        let meter = Meter::default();
        meter.0.packed_bytes.store(packed_bytes, Ordering::Relaxed);
        Self::new(inner, meter, limit)
    }

    /// The same, for a stream of known size and checksum.
    pub(super) fn expecting(self, size: u64, crc32: u32) -> Self {
        Self { expected: Some((size, crc32, flate2::Crc::new())), ..self }
    }

    fn count(&mut self, read: &[u8]) -> Result<(), FileRefused> {
        self.unpacked += read.len() as u64;
        if self.unpacked > self.limit.bytes {
            return Err(too_much(self.limit.bytes));
        }
        let packed = self.meter.0.packed_bytes.load(Ordering::Relaxed).max(1);
        if self.unpacked > FREE_BYTES && self.unpacked / packed > self.limit.ratio {
            return Err(too_dense(self.limit.ratio));
        }
        if let Some((size, crc32, crc)) = &mut self.expected {
            crc.update(read);
            let is_over = self.unpacked > *size;
            let ends_badly = read.is_empty() && (self.unpacked != *size || crc.sum() != *crc32);
            if is_over || ends_badly {
                return Err(damaged("size or checksum do not fit"));
            }
        }
        Ok(())
    }
}

impl<R: Read> Read for Guard<R> {
    fn read(&mut self, buffer: &mut [u8]) -> io::Result<usize> {
        if buffer.is_empty() {
            return Ok(0);
        }
        let read = match self.inner.read(buffer) {
            Ok(read) => read,
            Err(error) if error.kind() == io::ErrorKind::Interrupted => return Err(error),
            Err(error) if self.meter.0.has_failed.load(Ordering::Relaxed) => return Err(error),
            Err(error) if error.kind() == io::ErrorKind::UnexpectedEof => {
                return Err(damaged("it ends too early").into());
            }
            Err(error) => return Err(damaged(&error.to_string()).into()),
        };
        self.count(&buffer[..read])?;
        Ok(read)
    }
}

/// The refusal of an archive that is cut short or broken.
pub(super) fn damaged(what: &str) -> FileRefused {
    FileRefused::new(
        Rule::DamagedFile,
        format!("压缩文件不完整或已损坏，请重新报送（{what}）"),
        format!("the compressed file is cut short or broken, send it again: {what}"),
    )
}

/// The refusal of what unpacks to more than may be.
pub(super) fn too_much(most: u64) -> FileRefused {
    FileRefused::new(
        Rule::UnpacksTooFar,
        format!("文件解压后超过上限 {most} 字节；如确有需要，请调整 format.max_unpacked_bytes"),
        format!("the file unpacks to more than {most} bytes; raise format.max_unpacked_bytes if that is right"),
    )
}

/// The refusal of what unpacks to too much for its size.
pub(in crate::decode) fn too_dense(ratio: u64) -> FileRefused {
    FileRefused::new(
        Rule::UnpacksTooFar,
        format!("文件压缩比超过 {ratio}:1，疑似压缩炸弹；如确有需要，请调整 format.max_unpacked_ratio"),
        format!(
            "the file unpacks to more than {ratio} times its size, as bombs do; raise format.max_unpacked_ratio if that is right"
        ),
    )
}
