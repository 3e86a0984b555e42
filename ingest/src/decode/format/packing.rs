//! What is around a file, and how far it may unpack.

use serde::Deserialize;

use super::{FormatConfig, FormatKind};

/// What is around a file.
#[derive(Debug, Clone, Copy, Default, PartialEq, Eq, Deserialize)]
#[serde(rename_all = "lowercase")]
pub enum Compression {
    /// Told by the first bytes of the file; a workbook, itself a zip, is left as it is.
    #[default]
    Auto,
    /// Nothing.
    None,
    /// gzip, of one or more members.
    Gzip,
    /// A zip with one file in it that is wanted.
    Zip,
    /// Zstandard.
    Zstd,
}

/// How to unpack a file, and when to stop.
#[derive(Debug, Clone, PartialEq, Eq)]
pub(in crate::decode) struct Packing {
    pub(in crate::decode) compression: Compression,
    /// The wanted file of a zip; `*` stands for any characters.
    pub(in crate::decode) member: Option<String>,
    pub(in crate::decode) max_bytes: u64,
    pub(in crate::decode) max_ratio: u64,
    pub(in crate::decode) kind: FormatKind,
}

impl Packing {
    pub(super) fn new(config: &FormatConfig, fault: &mut impl FnMut(&str, String)) -> Self {
        const MAX_BYTES: u64 = 64 << 30;
        const MAX_RATIO: u64 = 1000;
        if config.member.is_some() && !matches!(config.compression, Compression::Auto | Compression::Zip) {
            fault("member", "only a zip has members; set compression to \"zip\" or leave this out".into());
        }
        for (key, limit) in
            [("max_unpacked_bytes", config.max_unpacked_bytes), ("max_unpacked_ratio", config.max_unpacked_ratio)]
        {
            if limit == Some(0) {
                fault(key, "with a limit of 0 nothing could be read; leave it out for the default".into());
            }
        }
        Self {
            compression: config.compression,
            member: config.member.clone(),
            max_bytes: config.max_unpacked_bytes.unwrap_or(MAX_BYTES),
            max_ratio: config.max_unpacked_ratio.unwrap_or(MAX_RATIO),
            kind: config.kind,
        }
    }
}
