//! `[format]` of a feed: how its files are written.

use serde::Deserialize;

use super::encoding::TextEncoding;
use super::failure::ConfigFault;
use super::zone::Zone;

/// The file formats that can be decoded.
#[derive(Debug, Clone, Copy, Default, PartialEq, Eq, Deserialize)]
#[serde(rename_all = "lowercase")]
pub enum FormatKind {
    /// Delimited text with a header.
    #[default]
    Csv,
    /// One JSON object a line.
    Ndjson,
}

/// `[format]` as written; every key may be left out.
#[derive(Debug, Clone, Default, Deserialize)]
#[serde(deny_unknown_fields)]
pub struct FormatConfig {
    /// `csv` (default) or `ndjson`.
    #[serde(default)]
    pub kind: FormatKind,
    /// WHATWG label; default `utf-8`.
    pub encoding: Option<String>,
    /// One ASCII character; default a comma.
    pub delimiter: Option<String>,
    /// One ASCII character; default `"`; empty: nothing is quoted.
    pub quote: Option<String>,
    /// Number of the record that is the header, from 1, blank lines counted; default 1.
    pub header_row: Option<u32>,
    /// Texts that mean *no value*; default the empty text alone.
    pub null: Option<Vec<String>>,
    /// Zone of times without one; default `Asia/Shanghai`.
    pub timezone: Option<String>,
    /// Separator of thousands in numbers; default none.
    pub thousands: Option<String>,
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
    pub(super) encoding: TextEncoding,
    pub(super) nulls: Vec<String>,
    pub(super) zone: Zone,
    pub(super) thousands: Option<u8>,
    pub(super) limits: Limits,
}

/// How records and fields are laid out; one arm a format.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub(super) enum Layout {
    Csv { delimiter: u8, quote: Option<u8>, header_row: u32 },
    Ndjson,
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
        let layout = match config.kind {
            FormatKind::Csv => csv_layout(config, encoding, &mut fault),
            FormatKind::Ndjson => {
                let csv_only = [
                    ("delimiter", config.delimiter.is_some()),
                    ("quote", config.quote.is_some()),
                    ("header_row", config.header_row.is_some()),
                ];
                for (key, _) in csv_only.into_iter().filter(|(_, is_set)| *is_set) {
                    fault(key, "this key belongs to csv; ndjson has no such thing".into());
                }
                Layout::Ndjson
            }
        };
        match zone {
            Some(zone) if faults.is_empty() => Ok(Self {
                layout,
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
}

fn csv_layout(config: &FormatConfig, encoding: TextEncoding, fault: &mut impl FnMut(&str, String)) -> Layout {
    let delimiter = match config.delimiter.as_deref().unwrap_or(",").as_bytes() {
        [byte] if byte.is_ascii_alphanumeric() || matches!(byte, b'\r' | b'\n' | 0) => {
            fault("delimiter", format!("{:?} cannot part fields", char::from(*byte)));
            b','
        }
        [byte] => *byte,
        _ => {
            fault("delimiter", "the delimiter must be one ASCII character, such as \",\" or \"\\t\"".into());
            b','
        }
    };
    let quote = match config.quote.as_deref().unwrap_or("\"").as_bytes() {
        [] => None,
        [byte] if byte.is_ascii_graphic() && !byte.is_ascii_alphanumeric() => Some(*byte),
        _ => {
            fault("quote", "the quote must be one ASCII sign, or empty if nothing is quoted".into());
            None
        }
    };
    for (key, byte) in [("delimiter", Some(delimiter)), ("quote", quote)] {
        if let Some(byte) = byte.filter(|byte| !encoding.stands_alone(*byte)) {
            let message = format!(
                "in {} the byte of {:?} can be part of a character; use a comma, semicolon or tab",
                encoding.name(),
                char::from(byte)
            );
            fault(key, message);
        }
    }
    if quote == Some(delimiter) {
        fault("quote", "the quote cannot be the delimiter".into());
    }
    let header_row = config.header_row.unwrap_or(1);
    if header_row == 0 {
        fault("header_row", "records are counted from 1".into());
    }
    Layout::Csv { delimiter, quote, header_row }
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
        ] {
            assert_eq!(faults(toml), [key], "{toml}");
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
