//! `[format]` of a feed: how its files are written.

mod layout;
mod packing;

use serde::Deserialize;

use super::encoding::TextEncoding;
use super::failure::ConfigFault;
use super::zone::Zone;
pub use layout::SheetChoice;
pub(super) use layout::{Layout, SheetLayout};
pub use packing::Compression;
pub(super) use packing::Packing;

/// The file formats that can be decoded.
#[derive(Debug, Clone, Copy, Default, PartialEq, Eq, Deserialize)]
#[serde(rename_all = "lowercase")]
pub enum FormatKind {
    /// Delimited text with a header.
    #[default]
    Csv,
    /// One JSON object a line.
    Ndjson,
    /// One JSON document with a list of objects.
    Json,
    /// A workbook: xlsx, xlsb or xls, told apart by content.
    Xlsx,
    /// Parquet.
    Parquet,
}

impl FormatKind {
    /// The name in feed files.
    pub const fn name(self) -> &'static str {
        match self {
            Self::Csv => "csv",
            Self::Ndjson => "ndjson",
            Self::Json => "json",
            Self::Xlsx => "xlsx",
            Self::Parquet => "parquet",
        }
    }
}

/// `[format]` as written; every key may be left out.
#[derive(Debug, Clone, Default, Deserialize)]
#[serde(deny_unknown_fields)]
pub struct FormatConfig {
    /// `csv` (default), `ndjson`, `json`, `xlsx` or `parquet`.
    #[serde(default)]
    pub kind: FormatKind,
    /// WHATWG label; default `utf-8`. Workbooks and Parquet say theirs themselves.
    pub encoding: Option<String>,
    /// One ASCII character; default a comma.
    pub delimiter: Option<String>,
    /// One ASCII character; default `"`; empty: nothing is quoted.
    pub quote: Option<String>,
    /// Number of the record or sheet row that is the header, or its first row, from 1, blank lines
    /// counted; default 1.
    pub header_row: Option<u32>,
    /// Workbooks: how many rows make up the header; default 1. With more, a merged cell says its
    /// text in every cell it covers, and the parts of a title are joined by `/`.
    pub header_rows: Option<u32>,
    /// Workbooks: name of the sheet, or its number from 1 with hidden ones counted; default the
    /// first visible one.
    pub sheet: Option<SheetChoice>,
    /// JSON: where the list of records is, as a JSON Pointer such as `/data/records`; default the
    /// document itself.
    pub path: Option<String>,
    /// Texts that mean *no value*; default the empty text alone.
    pub null: Option<Vec<String>>,
    /// Zone of times without one; default `Asia/Shanghai`.
    pub timezone: Option<String>,
    /// Separator of thousands in numbers; default none.
    pub thousands: Option<String>,
    /// What is around the file; default `auto`, which looks at its first bytes.
    #[serde(default)]
    pub compression: Compression,
    /// The file to take from a zip with several, `*` standing for any characters.
    pub member: Option<String>,
    /// Most bytes that a file may unpack to; default 64 GiB.
    pub max_unpacked_bytes: Option<u64>,
    /// Most bytes that one packed byte may stand for, once 16 MiB are unpacked; default 1000.
    pub max_unpacked_ratio: Option<u64>,
}

/// Bounds on memory while decoding.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub struct Limits {
    /// Bytes read at a time; a chunk holds about as many.
    pub block_bytes: usize,
    /// Longest record, in bytes without its line end.
    pub record_bytes: usize,
    /// Most records in a chunk.
    pub chunk_rows: usize,
}

impl Default for Limits {
    fn default() -> Self {
        Self { block_bytes: 4 << 20, record_bytes: 1 << 20, chunk_rows: 1 << 16 }
    }
}

/// A valid `[format]`.
#[derive(Debug, Clone)]
pub struct Format {
    pub(super) layout: Layout,
    pub(super) packing: Packing,
    pub(super) encoding: TextEncoding,
    pub(super) nulls: Vec<String>,
    pub(super) zone: Zone,
    pub(super) thousands: Option<u8>,
    pub(super) limits: Limits,
}

impl Format {
    /// Checks every key; all faults are reported at once.
    pub fn new(config: &FormatConfig) -> Result<Self, Vec<ConfigFault>> {
        let mut faults = Vec::new();
        let mut fault = |key: &str, message: String| faults.push(ConfigFault::new(&["format", key], message));

        let encoding =
            TextEncoding::for_label(config.encoding.as_deref().unwrap_or("utf-8")).unwrap_or_else(|message| {
                fault("encoding", message);
                TextEncoding::UTF_8
            });
        let zone = config.timezone.as_deref().unwrap_or("Asia/Shanghai");
        let zone = Zone::named(zone).map_err(|message| fault("timezone", message)).ok();
        let thousands = config.thousands.as_deref().map(|text| match text.as_bytes() {
            [byte @ (b',' | b' ' | b'\'' | b'_')] => Some(*byte),
            _ => {
                fault("thousands", format!("\"{text}\" cannot part thousands; use one of , ' _ or a space"));
                None
            }
        });
        foreign_keys(config, &mut fault);
        let layout = Layout::new(config, encoding, &mut fault);
        let packing = Packing::new(config, &mut fault);
        match zone {
            Some(zone) if faults.is_empty() => Ok(Self {
                layout,
                packing,
                encoding,
                nulls: config.null.clone().unwrap_or_else(|| vec![String::new()]),
                zone,
                thousands: thousands.flatten(),
                limits: Limits::default(),
            }),
            _ => Err(faults),
        }
    }

    /// The same format with other bounds on memory.
    pub fn with_limits(mut self, limits: Limits) -> Self {
        self.limits = limits;
        self
    }

    /// The zone of times that carry none.
    pub fn zone(&self) -> chrono_tz::Tz {
        self.zone.tz()
    }

    /// Bytes of a landed file as text for people; U+FFFD stands for what cannot be decoded.
    pub fn readable(&self, bytes: &[u8]) -> String {
        self.encoding.lossy(bytes)
    }

    /// Whether records stand in the landed file itself, at the bytes that their spans say; in
    /// compressed files, workbooks and Parquet they do not. The file is looked at from its start.
    pub fn spans_are_in(&self, file: &mut (impl std::io::Read + std::io::Seek)) -> std::io::Result<bool> {
        match self.layout {
            Layout::Csv { .. } | Layout::Ndjson | Layout::Json { .. } => {
                super::packed::is_plain(file, self.packing.compression)
            }
            Layout::Sheet(_) | Layout::Parquet => Ok(false),
        }
    }
}

/// Reports the keys that mean nothing to the declared kind.
fn foreign_keys(config: &FormatConfig, fault: &mut impl FnMut(&str, String)) {
    use FormatKind::{Csv, Json, Ndjson, Xlsx};
    let keys: [(&str, bool, &[FormatKind]); 7] = [
        ("encoding", config.encoding.is_some(), &[Csv, Ndjson, Json]),
        ("delimiter", config.delimiter.is_some(), &[Csv]),
        ("quote", config.quote.is_some(), &[Csv]),
        ("header_row", config.header_row.is_some(), &[Csv, Xlsx]),
        ("header_rows", config.header_rows.is_some(), &[Xlsx]),
        ("sheet", config.sheet.is_some(), &[Xlsx]),
        ("path", config.path.is_some(), &[Json]),
    ];
    for (key, is_set, kinds) in keys {
        if is_set && !kinds.contains(&config.kind) {
            let kinds: Vec<&str> = kinds.iter().map(|kind| kind.name()).collect();
            fault(key, format!("this key belongs to {}; {} has no such thing", kinds.join(", "), config.kind.name()));
        }
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    fn faults(toml: &str) -> Vec<String> {
        let faults = Format::new(&toml::from_str(toml).unwrap()).err().unwrap_or_default();
        faults.iter().map(|fault| fault.key.join(".")).collect()
    }

    #[test]
    fn an_empty_table_is_comma_separated_utf_8() {
        let format = Format::new(&FormatConfig::default()).unwrap();
        assert_eq!(format.layout, Layout::Csv { delimiter: b',', quote: Some(b'"'), header_row: 1 });
        assert_eq!(format.encoding, TextEncoding::UTF_8);
        assert_eq!(format.nulls, [""]);
        assert_eq!(Ok(format.zone), Zone::named("Asia/Shanghai"));
    }

    #[test]
    fn an_unknown_key_or_kind_is_refused_by_name() {
        let error = toml::from_str::<FormatConfig>("delimeter = ';'").unwrap_err().to_string();
        assert!(error.contains("delimeter"), "{error}");
        assert!(toml::from_str::<FormatConfig>("kind = 'xml'").unwrap_err().to_string().contains("ndjson"));
    }

    #[test]
    fn values_that_cannot_work_are_refused() {
        for (toml, key) in [
            ("encoding = 'utf-16'", "format.encoding"),
            ("encoding = 'klingon'", "format.encoding"),
            ("delimiter = ',,'", "format.delimiter"),
            ("delimiter = '，'", "format.delimiter"),
            ("delimiter = ''", "format.delimiter"),
            ("delimiter = 'x'", "format.delimiter"),
            ("delimiter = '|'\nencoding = 'gbk'", "format.delimiter"),
            ("quote = '“'", "format.quote"),
            ("quote = ','", "format.quote"),
            ("header_row = 0", "format.header_row"),
            ("timezone = 'Beijing'", "format.timezone"),
            ("thousands = '.'", "format.thousands"),
            ("kind = 'ndjson'\ndelimiter = ','", "format.delimiter"),
            ("kind = 'parquet'\nencoding = 'utf-8'", "format.encoding"),
            ("sheet = '保单'", "format.sheet"),
            ("header_rows = 2", "format.header_rows"),
            ("kind = 'xlsx'\nheader_rows = 0", "format.header_rows"),
            ("kind = 'xlsx'\nsheet = 0", "format.sheet"),
            ("path = '/data'", "format.path"),
            ("kind = 'json'\npath = 'data'", "format.path"),
            ("kind = 'json'\nencoding = 'gb18030'", "format.encoding"),
            ("compression = 'gzip'\nmember = '*.csv'", "format.member"),
            ("max_unpacked_bytes = 0", "format.max_unpacked_bytes"),
        ] {
            assert_eq!(faults(toml), [key], "{toml}");
        }
    }

    #[test]
    fn every_kind_takes_its_own_keys() {
        for toml in [
            "kind = 'xlsx'\nsheet = '保单'\nheader_row = 3\nheader_rows = 2",
            "kind = 'xlsx'\nsheet = 2",
            "kind = 'json'\npath = '/data/0/a~1b'",
            "kind = 'parquet'\ncompression = 'zstd'",
            "compression = 'zip'\nmember = '*.csv'\nmax_unpacked_bytes = 1000\nmax_unpacked_ratio = 10",
            "member = 'a.csv'",
        ] {
            assert!(faults(toml).is_empty(), "{toml}: {:?}", faults(toml));
        }
    }

    #[test]
    fn all_faults_are_told_at_once() {
        assert_eq!(faults("encoding = 'x'\ntimezone = 'y'"), ["format.encoding", "format.timezone"]);
    }

    #[test]
    fn a_bar_parts_fields_in_utf_8() {
        assert!(faults("delimiter = '|'").is_empty());
        assert!(faults("delimiter = \"\\t\"\nencoding = 'gb18030'").is_empty());
    }
}
