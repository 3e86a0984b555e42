//! How one sender writes its files: format, encoding, headers, units, dates and code values, and
//! the lines of a feed's TOML that tell the warehouse so.

use super::dataset::{Column, Dataset, Kind};
use std::fmt::Write as _;

#[derive(Clone, Copy)]
pub(super) struct Dialect {
    pub(super) layout: Layout,
    pub(super) encoding: Encoding,
    pub(super) headers: Headers,
    pub(super) money: Money,
    pub(super) dates: Dates,
    pub(super) codes: Codes,
}

#[derive(Clone, Copy, PartialEq, Eq)]
pub(super) enum Layout {
    Csv,
    /// Every field quoted, `NULL` for nothing, thousands set apart, lines ended as on Windows.
    Semicolons,
    Pipes,
    Ndjson,
}

#[derive(Clone, Copy, PartialEq, Eq)]
pub(super) enum Encoding {
    Utf8,
    Utf8WithBom,
    Gb18030,
}

#[derive(Clone, Copy, PartialEq, Eq)]
pub(super) enum Headers {
    Ours,
    UpperCase,
    CamelCase,
    Chinese,
}

#[derive(Clone, Copy, PartialEq, Eq)]
pub(super) enum Money {
    Yuan,
    TenThousandYuan,
}

#[derive(Clone, Copy, PartialEq, Eq)]
pub(super) enum Dates {
    /// 2025-03-01 and 2025-03-01T09:30:00
    Iso,
    /// 2025-03-01 and 2025-03-01T09:30:00+08:00
    IsoWithZone,
    /// 2025/03/01 and 2025/03/01 09:30:00
    Slashes,
    /// 20250301 and 2025-03-01 09:30:00
    Compact,
}

#[derive(Clone, Copy, PartialEq, Eq)]
pub(super) enum Codes {
    Ours,
    Chinese,
}

impl Dialect {
    pub(super) const PLAIN: Dialect = Dialect {
        layout: Layout::Csv,
        encoding: Encoding::Utf8,
        headers: Headers::Ours,
        money: Money::Yuan,
        dates: Dates::Iso,
        codes: Codes::Ours,
    };

    pub(super) fn extension(&self) -> &'static str {
        if self.layout == Layout::Ndjson { "ndjson" } else { "csv" }
    }

    pub(super) fn header(&self, column: &Column) -> String {
        match self.headers {
            Headers::Ours => column.name.to_owned(),
            Headers::UpperCase => column.name.to_ascii_uppercase(),
            Headers::CamelCase => camel_case(column.name),
            Headers::Chinese if self.writes_ten_thousands(column) => format!("{}(万元)", column.zh),
            Headers::Chinese => column.zh.to_owned(),
        }
    }

    pub(super) fn writes_ten_thousands(&self, column: &Column) -> bool {
        self.money == Money::TenThousandYuan && matches!(column.kind, Kind::Money)
    }

    /// The code list to write Chinese words from, if this sender does so.
    pub(super) fn words(&self, column: &Column) -> Option<&'static [(&'static str, &'static str)]> {
        match (self.codes, column.kind) {
            (Codes::Chinese, Kind::Codes(words)) => Some(words),
            _ => None,
        }
    }

    fn day_format(&self) -> Option<&'static str> {
        match self.dates {
            Dates::Iso | Dates::IsoWithZone => None,
            Dates::Slashes => Some("%Y/%m/%d"),
            Dates::Compact => Some("%Y%m%d"),
        }
    }

    fn moment_format(&self) -> Option<&'static str> {
        match self.dates {
            Dates::Iso | Dates::IsoWithZone => None,
            Dates::Slashes => Some("%Y/%m/%d %H:%M:%S"),
            Dates::Compact => Some("%Y-%m-%d %H:%M:%S"),
        }
    }

    /// The `[format]` table of a feed.
    pub(super) fn format_toml(&self) -> String {
        let mut toml = String::from("[format]\n");
        let kind = if self.layout == Layout::Ndjson { "ndjson" } else { "csv" };
        let _ = writeln!(toml, "kind = \"{kind}\"");
        if self.encoding == Encoding::Gb18030 {
            toml.push_str("encoding = \"gb18030\"\n");
        }
        match self.layout {
            Layout::Semicolons => {
                toml.push_str("delimiter = \";\"\nnull = [\"\", \"NULL\"]\nthousands = \",\"\n");
            }
            Layout::Pipes => toml.push_str("delimiter = \"|\"\n"),
            Layout::Csv | Layout::Ndjson => {}
        }
        toml
    }

    /// The `[columns]` table of a feed: what differs from our names and forms, nothing else.
    pub(super) fn columns_toml<'a>(&self, columns: impl Iterator<Item = &'a Column>, clock: Option<&Column>) -> String {
        let mut lines = String::new();
        for column in columns {
            self.column_toml(column, column.name, &mut lines);
        }
        if let Some(clock) = clock {
            self.column_toml(clock, "source_updated_at", &mut lines);
        }
        if lines.is_empty() { lines } else { format!("[columns]\n{lines}\n") }
    }

    fn column_toml(&self, column: &Column, ours: &str, lines: &mut String) {
        let theirs = self.header(column);
        let format = match column.kind {
            Kind::Day | Kind::EventDay => self.day_format(),
            Kind::EventMoment => self.moment_format(),
            _ => None,
        };
        let words = self.words(column);
        if theirs == ours && format.is_none() && words.is_none() {
            return;
        }
        if format.is_none() && words.is_none() && !self.writes_ten_thousands(column) {
            let _ = writeln!(lines, "\"{theirs}\" = \"{ours}\"");
            return;
        }
        let _ = write!(lines, "\"{theirs}\" = {{ to = \"{ours}\"");
        if self.writes_ten_thousands(column) {
            lines.push_str(", scale = 10000");
        }
        if let Some(format) = format {
            let _ = write!(lines, ", format = \"{format}\"");
        }
        if let Some(words) = words {
            let pairs: Vec<String> = words.iter().map(|(code, word)| format!("\"{word}\" = \"{code}\"")).collect();
            let _ = write!(lines, ", codes = {{ {} }}", pairs.join(", "));
        }
        lines.push_str(" }\n");
    }
}

fn camel_case(name: &str) -> String {
    let mut camel = String::with_capacity(name.len());
    let mut parts = name.split('_');
    camel.push_str(parts.next().unwrap_or_default());
    for part in parts {
        let mut characters = part.chars();
        camel.extend(characters.next().map(|first| first.to_ascii_uppercase()));
        camel.push_str(characters.as_str());
    }
    camel
}

/// The sender's clock, where it has one.
pub(super) const CLOCK: Column = Column { name: "updated_at", zh: "更新时间", kind: Kind::EventMoment };

/// Whether the sender still stands by the record; read by `deleted_when`.
pub(super) const STATE: Column = Column { name: "record_state", zh: "状态", kind: Kind::Text };

/// The columns a feed writes of its dataset: all but those its TOML gives as constants.
pub(super) fn written_columns<'a>(
    dataset: Dataset,
    constants: &'a [(&'static str, &'static str)],
) -> impl Iterator<Item = (usize, &'static Column)> + use<'a> {
    dataset.columns().iter().enumerate().filter(|(_, column)| constants.iter().all(|(name, _)| *name != column.name))
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn a_plain_feed_needs_no_mapping_but_its_clock() {
        let columns = Dataset::Policy.columns();
        assert_eq!(Dialect::PLAIN.columns_toml(columns.iter(), None), "");
        assert_eq!(
            Dialect::PLAIN.columns_toml(columns.iter(), Some(&CLOCK)),
            "[columns]\n\"updated_at\" = \"source_updated_at\"\n\n"
        );
    }

    #[test]
    fn ten_thousands_chinese_words_and_slashes_are_mapped() {
        let dialect = Dialect {
            headers: Headers::Chinese,
            money: Money::TenThousandYuan,
            dates: Dates::Slashes,
            codes: Codes::Chinese,
            ..Dialect::PLAIN
        };
        let toml = dialect.columns_toml(Dataset::Policy.columns().iter(), None);
        for line in [
            "\"保单号\" = \"policy_no\"\n",
            "\"保费(万元)\" = { to = \"premium_written\", scale = 10000 }\n",
            "\"起保日期\" = { to = \"inception\", format = \"%Y/%m/%d\" }\n",
            "\"保单类型\" = { to = \"policy_type\", codes = { \"年度\" = \"annual\", \"项目\" = \"project\" } }\n",
        ] {
            assert!(toml.contains(line), "{toml}");
        }
    }

    #[test]
    fn no_dataset_has_two_columns_of_one_chinese_name() {
        for dataset in Dataset::ALL {
            let mut titles: Vec<&str> = dataset.columns().iter().map(|column| column.zh).collect();
            titles.sort_unstable();
            titles.dedup();
            assert_eq!(titles.len(), dataset.columns().len(), "{}", dataset.name());
        }
    }
}
