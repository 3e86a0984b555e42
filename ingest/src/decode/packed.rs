//! What is around a file: gzip, zip or Zstandard, taken off in a stream and within limits.
//!
//! A file that unpacks to too much, is cut short or is broken is refused with a reason, whatever
//! was read of it before. The refusal travels through the reader as an input error.

mod guard;
mod member;

use std::io::{self, BufReader, Cursor, Read, Seek, SeekFrom};

use super::failure::{DecodeError, FileRefused, Rule};
use super::format::{Compression, FormatKind, Packing};
pub(super) use guard::{Guard, Limit, too_dense};
use guard::{Meter, Metered};

/// A landed file.
pub trait Input: Read + Seek + Send {}

impl<T: Read + Seek + Send> Input for T {}

/// Any landed file.
pub(super) type AnyInput = Box<dyn Input>;

/// Most bytes of a workbook or Parquet file that is unpacked into memory: those formats are read
/// here and there, which no packed stream allows.
const MOST_IN_MEMORY: u64 = 256 << 20;

const OLE_MARK: &[u8] = b"\xD0\xCF\x11\xE0\xA1\xB1\x1A\xE1";

/// What a file's first bytes say is around it.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
enum Wrapping {
    None,
    Gzip,
    Zip,
    Zstd,
}

impl Wrapping {
    fn of(start: &[u8]) -> Self {
        match start {
            [0x1F, 0x8B, 8, ..] => Self::Gzip,
            [b'P', b'K', 3, 4, ..] | [b'P', b'K', 5, 6, ..] => Self::Zip,
            [0x28, 0xB5, 0x2F, 0xFD, ..] | [0x50..=0x5F, 0x2A, 0x4D, 0x18, ..] => Self::Zstd,
            _ => Self::None,
        }
    }

    fn name(self) -> &'static str {
        match self {
            Self::None => "none",
            Self::Gzip => "gzip",
            Self::Zip => "zip",
            Self::Zstd => "zstd",
        }
    }
}

/// Whether nothing is around the file.
pub(super) fn is_plain(file: &mut (impl Read + Seek), compression: Compression) -> io::Result<bool> {
    match compression {
        Compression::None => Ok(true),
        Compression::Auto => Ok(Wrapping::of(&first_bytes(file)?) == Wrapping::None),
        _ => Ok(false),
    }
}

/// The file as a stream of what is inside.
pub(super) fn stream(mut input: AnyInput, packing: &Packing) -> Result<Box<dyn Read + Send>, DecodeError> {
    let start = first_bytes(&mut input)?;
    let wrapping = declared(&start, packing.compression)?;
    if wrapping == Wrapping::None {
        if start.starts_with(OLE_MARK) {
            return Err(is_a_workbook(packing.kind).into());
        }
        return Ok(Box::new(input));
    }
    if wrapping == Wrapping::Zip && packing.kind != FormatKind::Xlsx && member::is_workbook(&mut input)? {
        return Err(is_a_workbook(packing.kind).into());
    }
    unpacked(input, wrapping, packing)
}

/// A file to be read here and there; what is around it is taken off into memory.
pub(super) fn seekable(mut input: AnyInput, packing: &Packing) -> Result<AnyInput, DecodeError> {
    match declared(&first_bytes(&mut input)?, packing.compression)? {
        Wrapping::None => Ok(input),
        wrapping => in_memory(unpacked(input, wrapping, packing)?),
    }
}

/// A workbook, which may itself be a zip; a zip around it is taken off into memory.
pub(super) fn workbook(mut input: AnyInput, packing: &Packing) -> Result<AnyInput, DecodeError> {
    let wrapping = declared(&first_bytes(&mut input)?, packing.compression)?;
    let is_bare =
        wrapping == Wrapping::Zip && packing.compression == Compression::Auto && member::is_workbook(&mut input)?;
    if is_bare || wrapping == Wrapping::None { Ok(input) } else { in_memory(unpacked(input, wrapping, packing)?) }
}

fn first_bytes(input: &mut (impl Read + Seek)) -> io::Result<Vec<u8>> {
    let mut start = Vec::with_capacity(8);
    input.rewind()?;
    input.by_ref().take(8).read_to_end(&mut start)?;
    input.rewind()?;
    Ok(start)
}

/// What is around the file, as declared; a file that starts otherwise is refused.
fn declared(start: &[u8], compression: Compression) -> Result<Wrapping, FileRefused> {
    let found = Wrapping::of(start);
    let wanted = match compression {
        Compression::Auto => return Ok(found),
        Compression::None => return Ok(Wrapping::None),
        Compression::Gzip => Wrapping::Gzip,
        Compression::Zip => Wrapping::Zip,
        Compression::Zstd => Wrapping::Zstd,
    };
    if found == wanted {
        return Ok(found);
    }
    let wanted = wanted.name();
    Err(FileRefused::new(
        Rule::WrongFormat,
        format!("声明的压缩格式是 {wanted}，而文件不是"),
        format!("{wanted} is declared in format.compression, but the file is none"),
    ))
}

/// The stream inside, guarded against bombs and breaks.
fn unpacked(mut input: AnyInput, wrapping: Wrapping, packing: &Packing) -> Result<Box<dyn Read + Send>, DecodeError> {
    const BUFFER: usize = 256 << 10;
    let limit = Limit { bytes: packing.max_bytes, ratio: packing.max_ratio };
    let meter = Meter::default();
    Ok(match wrapping {
        Wrapping::None => Box::new(input),
        Wrapping::Gzip => {
            let packed = BufReader::with_capacity(BUFFER, Metered::new(input, meter.clone()));
            Box::new(Guard::new(flate2::bufread::MultiGzDecoder::new(packed), meter, limit))
        }
        Wrapping::Zstd => {
            let packed = BufReader::with_capacity(BUFFER, Metered::new(input, meter.clone()));
            Box::new(Guard::new(zstd::stream::read::Decoder::with_buffer(packed)?, meter, limit))
        }
        Wrapping::Zip => {
            let member = member::choose(&mut input, packing.member.as_deref())?;
            if member.size > packing.max_bytes {
                return Err(guard::too_much(packing.max_bytes).into());
            }
            input.seek(SeekFrom::Start(member.data_start))?;
            let packed = Metered::new(input.take(member.packed_size), meter.clone());
            let packed = BufReader::with_capacity(BUFFER, packed);
            match member.is_deflated {
                true => {
                    let inner = flate2::bufread::DeflateDecoder::new(packed);
                    Box::new(Guard::new(inner, meter, limit).expecting(member.size, member.crc32))
                }
                false => Box::new(Guard::new(packed, meter, limit).expecting(member.size, member.crc32)),
            }
        }
    })
}

fn in_memory(stream: Box<dyn Read + Send>) -> Result<AnyInput, DecodeError> {
    let mut bytes = Vec::new();
    stream.take(MOST_IN_MEMORY + 1).read_to_end(&mut bytes)?;
    if bytes.len() as u64 > MOST_IN_MEMORY {
        let most = MOST_IN_MEMORY >> 20;
        let refused = FileRefused::new(
            Rule::UnpacksTooFar,
            format!("压缩包内的文件超过 {most} MiB；此格式请不再套压缩包，直接报送"),
            format!(
                "the packed file is larger than {most} MiB; send a file of this format without an archive around it"
            ),
        );
        return Err(refused.into());
    }
    Ok(Box::new(Cursor::new(bytes)))
}

fn is_a_workbook(kind: FormatKind) -> FileRefused {
    let kind = kind.name();
    FileRefused::new(
        Rule::WrongFormat,
        format!("文件是 Excel 工作簿，而声明的格式是 {kind}；请将 format.kind 设为 xlsx"),
        format!("the file is an Excel workbook, but {kind} is declared; set format.kind to \"xlsx\""),
    )
}
