//! The file that is wanted from a zip.

use std::io::{Read, Seek};

use encoding_rs::GB18030;
use zip::result::ZipError;
use zip::{CompressionMethod, ZipArchive};

use super::guard::damaged;
use crate::decode::failure::{DecodeError, FileRefused, Rule};

/// Where in a zip a file stands, and what it must come to.
#[derive(Debug)]
pub(super) struct Member {
    pub(super) data_start: u64,
    pub(super) packed_size: u64,
    pub(super) size: u64,
    pub(super) crc32: u32,
    pub(super) is_deflated: bool,
}

/// Whether the zip is a workbook of Office Open XML.
pub(super) fn is_workbook(input: &mut (impl Read + Seek)) -> Result<bool, DecodeError> {
    let archive = ZipArchive::new(&mut *input).map_err(unreadable)?;
    let is_workbook = archive.file_names_raw().any(|name| name.eq_ignore_ascii_case(b"[Content_Types].xml"));
    input.rewind()?;
    Ok(is_workbook)
}

/// The only file in a zip, or the only one whose name fits the pattern; folders and the files that
/// operating systems leave in archives do not count.
pub(super) fn choose(input: &mut (impl Read + Seek), pattern: Option<&str>) -> Result<Member, DecodeError> {
    let mut archive = ZipArchive::new(input).map_err(unreadable)?;
    let mut names = Vec::new();
    let mut fitting = Vec::new();
    for (index, raw) in archive.file_names_raw().enumerate() {
        let name = name(raw);
        if name.ends_with('/') || is_left_behind(&name) {
            continue;
        }
        let file_name = name.rsplit('/').next().unwrap_or(&name);
        if pattern.is_none_or(|pattern| fits(pattern, &name) || fits(pattern, file_name)) {
            fitting.push(index);
        }
        names.push(name);
    }
    let [index] = fitting.as_slice() else {
        return Err(unclear(&names, fitting.len(), pattern).into());
    };
    let file = archive.by_index_raw(*index).map_err(unreadable)?;
    if file.encrypted() {
        let refused = FileRefused::new(
            Rule::DamagedFile,
            "压缩包已加密，无法读取；请报送未加密的文件",
            "the zip is encrypted; send it without a password",
        );
        return Err(refused.into());
    }
    let is_deflated = match file.compression() {
        CompressionMethod::Stored => false,
        CompressionMethod::Deflated => true,
        other => return Err(damaged(&format!("zip method {other} is not supported, use deflate")).into()),
    };
    Ok(Member {
        data_start: file.data_start().ok_or_else(|| damaged("a member has no data"))?,
        packed_size: file.compressed_size(),
        size: file.size(),
        crc32: file.crc32(),
        is_deflated,
    })
}

/// The refusal for what is wrong with a zip, or an error of the disk.
pub(super) fn unreadable(error: ZipError) -> DecodeError {
    match error {
        // Only the operating system numbers its errors; a place that no file has is the zip's own.
        ZipError::Io(error) if error.raw_os_error().is_some() && error.kind() != std::io::ErrorKind::InvalidInput => {
            error.into()
        }
        error => damaged(&error.to_string()).into(),
    }
}

/// The name of a member. Programs in China write GBK without saying so.
fn name(raw: &[u8]) -> String {
    match std::str::from_utf8(raw) {
        Ok(name) => name.to_owned(),
        Err(_) => GB18030.decode_without_bom_handling(raw).0.into_owned(),
    }
    .replace('\\', "/")
}

fn is_left_behind(name: &str) -> bool {
    name.starts_with("__MACOSX/") || matches!(name.rsplit('/').next(), Some(".DS_Store" | "Thumbs.db" | "desktop.ini"))
}

/// Whether a name fits a pattern in which `*` stands for any characters.
fn fits(pattern: &str, name: &str) -> bool {
    let mut parts = pattern.split('*');
    let first = parts.next().unwrap_or_default();
    let Some(mut rest) = name.strip_prefix(first) else { return false };
    let Some(last) = parts.next_back() else { return rest.is_empty() };
    for part in parts {
        match rest.find(part) {
            Some(at) => rest = &rest[at + part.len()..],
            None => return false,
        }
    }
    rest.ends_with(last)
}

fn unclear(names: &[String], fitting: usize, pattern: Option<&str>) -> FileRefused {
    const MOST_NAMED: usize = 10;
    let mut list = names.iter().take(MOST_NAMED).map(|name| super::super::failure::shown(name)).collect::<Vec<_>>();
    if names.len() > MOST_NAMED {
        list.push("…".to_owned());
    }
    let list = list.join(", ");
    let (zh, en) = match pattern {
        Some(pattern) => (
            format!("压缩包中有 {fitting} 个文件符合 format.member“{pattern}”，应恰有一个；包内文件：{list}"),
            format!("{fitting} files in the zip fit format.member \"{pattern}\", there must be one; it has: {list}"),
        ),
        None => (
            format!("压缩包中有 {fitting} 个文件，应恰有一个，或在 format.member 中指明；包内文件：{list}"),
            format!("the zip has {fitting} files, there must be one, or format.member says which; it has: {list}"),
        ),
    };
    FileRefused::new(Rule::UnclearMember, zh, en)
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn a_star_stands_for_any_characters() {
        for (pattern, name, fit) in [
            ("*.csv", "保单.csv", true),
            ("*.csv", "保单.csv.bak", false),
            ("保单*.csv", "保单_2026.csv", true),
            ("a*b*c", "a1b2c", true),
            ("a*b*c", "a1c", false),
            ("ab*ba", "aba", false),
            ("data.csv", "data.csv", true),
            ("data.csv", "data.csv2", false),
            ("*", "", true),
        ] {
            assert_eq!(fits(pattern, name), fit, "{pattern} {name}");
        }
    }

    #[test]
    fn names_in_gbk_are_read() {
        assert_eq!(name(&GB18030.encode("保单\\一.csv").0), "保单/一.csv");
    }
}
