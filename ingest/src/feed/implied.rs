//! What the source of a feed decides about the rest of it: the format of files that a database source
//! writes itself, and the column of its cursor.

use std::collections::BTreeMap;

use super::Mode;
use crate::decode::{ColumnConfig, ConfigFault, FormatConfig, FormatKind, Mapping};
use crate::source::cursor::FeedCursor;
use crate::source::{MISSING, SourceConfig};

/// The format of a feed's files. That of a database is implied: the mark of a missing value is added
/// to the texts that mean none, in the format and in every column that has its own.
pub(super) fn format(
    source: &SourceConfig,
    written: Option<FormatConfig>,
    columns: &mut BTreeMap<String, ColumnConfig>,
) -> Result<FormatConfig, ConfigFault> {
    if !source.writes_its_own() {
        let what = "say how the files are written: [format] with kind = \"csv\" or another";
        return written.ok_or_else(|| ConfigFault::new(&["format"], what.to_owned()));
    }
    let written = written.unwrap_or_default();
    let keys = [
        ("kind", written.kind != FormatKind::Csv),
        ("encoding", written.encoding.is_some()),
        ("delimiter", written.delimiter.is_some()),
        ("quote", written.quote.is_some()),
        ("header_row", written.header_row.is_some()),
        ("thousands", written.thousands.is_some()),
    ];
    if let Some((key, _)) = keys.into_iter().find(|(_, is_set)| *is_set) {
        let what = format!("a {} source writes its files itself; only timezone and null may be said", source.kind());
        return Err(ConfigFault::new(&["format", key], what));
    }
    let with_mark = |nulls: &mut Vec<String>| nulls.push(MISSING.to_owned());
    columns.values_mut().filter_map(|column| column.null.as_mut()).for_each(with_mark);
    let mut null = written.null.clone().unwrap_or_else(|| vec![String::new()]);
    with_mark(&mut null);
    Ok(FormatConfig { null: Some(null), ..written })
}

/// Whether the feed's cursor can be followed.
pub(super) fn cursor(source: &SourceConfig, mode: Mode, mapping: &Mapping) -> Result<(), ConfigFault> {
    let fault = |what: String| ConfigFault::new(&["source", "cursor"], what);
    match FeedCursor::of(source, mapping) {
        Ok(Some(_)) if mode == Mode::Snapshot => {
            Err(fault("a snapshot is read whole; take the cursor out or write mode = \"upsert\"".to_owned()))
        }
        Ok(_) => Ok(()),
        Err(what) => Err(fault(what)),
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    fn database() -> SourceConfig {
        toml::from_str("kind = 'mysql'\nurl_env = 'DB'\ntable = 't'").unwrap()
    }

    #[test]
    fn a_database_marks_missing_values_everywhere_and_an_empty_text_is_none_unless_the_feed_says_so() {
        let mut columns: BTreeMap<String, ColumnConfig> =
            toml::from_str("a = { to = 'policy_no', null = ['-'] }\nb = 'unit_id'").unwrap();
        let implied = format(&database(), None, &mut columns).unwrap();
        assert_eq!(implied.null.unwrap(), ["", "\\N"]);
        assert_eq!(columns["a"].null.as_deref().unwrap(), ["-", "\\N"]);
        assert_eq!(columns["b"].null, None);
        let said = FormatConfig { null: Some(Vec::new()), ..FormatConfig::default() };
        assert_eq!(format(&database(), Some(said), &mut columns).unwrap().null.unwrap(), ["\\N"]);
    }

    #[test]
    fn a_format_that_a_database_cannot_have_is_refused_and_files_need_one() {
        let said = FormatConfig { encoding: Some("gbk".to_owned()), ..FormatConfig::default() };
        let fault = format(&database(), Some(said), &mut BTreeMap::new()).unwrap_err();
        assert_eq!(fault.key, ["format", "encoding"]);
        let directory: SourceConfig = toml::from_str("kind = 'directory'\npath = 'inbox'").unwrap();
        assert_eq!(format(&directory, None, &mut BTreeMap::new()).unwrap_err().key, ["format"]);
    }
}
