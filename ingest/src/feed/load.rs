//! Reading feed files. A fault names file, line and key; all faults of all files are told at once.

use std::collections::BTreeMap;
use std::path::Path;
use std::sync::Arc;
use std::time::Duration;

use anze_warehouse::{contract, reference};
use serde::{Deserialize, Deserializer};
use toml::Spanned;

use super::computed::{self, ExpressionConfig};
use super::{Allowance, CatchUp, Deadline, Feed, Feeds, Mode, Overlap, Policy, Retry, UnknownColumns, folder, implied};
use crate::decode::{ColumnConfig, ConfigFault, ConstantConfig, Format, FormatConfig, Mapping};
use crate::error::{Error, ErrorKind, Result};
use crate::schedule::CronSchedule;
use crate::source::{Names, SourceConfig};
use crate::span::Span;

#[derive(Deserialize)]
#[serde(deny_unknown_fields)]
struct FeedFile {
    #[serde(default)]
    title: String,
    dataset: String,
    reporter: String,
    region_code: Option<String>,
    department: Option<String>,
    #[serde(default)]
    mode: Mode,
    schedule: Option<String>,
    #[serde(default)]
    catch_up: CatchUp,
    #[serde(default = "a_week")]
    catch_up_window: Span,
    #[serde(default)]
    overlap: Overlap,
    #[serde(default)]
    jitter: Span,
    deadline: Option<Deadline>,
    #[serde(default)]
    retry: Retry,
    #[serde(default)]
    takes_over: Vec<String>,
    source: SourceConfig,
    format: Option<FormatConfig>,
    #[serde(default)]
    columns: BTreeMap<String, ColumnConfig>,
    #[serde(default)]
    constants: BTreeMap<String, ConstantConfig>,
    #[serde(default)]
    expressions: BTreeMap<String, ExpressionConfig>,
    #[serde(default)]
    contract: PolicyTable,
}

/// `[contract]` as written.
#[derive(Deserialize)]
#[serde(deny_unknown_fields)]
struct PolicyTable {
    #[serde(default)]
    unknown_columns: UnknownColumns,
    #[serde(default = "max_quarantined")]
    max_quarantined: Allowance,
    #[serde(default = "max_removed")]
    max_removed: Allowance,
    deleted_when: Option<Spanned<String>>,
}

impl Default for PolicyTable {
    fn default() -> Self {
        Self {
            unknown_columns: UnknownColumns::default(),
            max_quarantined: max_quarantined(),
            max_removed: max_removed(),
            deleted_when: None,
        }
    }
}

pub(super) fn feeds(deployment: &Path) -> Result<Feeds> {
    let folder = folder(deployment);
    let entries = match std::fs::read_dir(&folder) {
        Ok(entries) => entries,
        Err(error) if error.kind() == std::io::ErrorKind::NotFound => return Ok(Feeds::default()),
        Err(error) => return Err(Error::caused(ErrorKind::Refused, "the folder feeds/ cannot be read", error)),
    };
    let mut paths = Vec::new();
    for entry in entries {
        let path = entry?.path();
        if path.extension().is_some_and(|ending| ending == "toml") {
            paths.push(path);
        }
    }
    paths.sort();
    let (mut feeds, mut faults) = (Vec::new(), Vec::new());
    for path in paths {
        let feed_id = path.file_stem().map(|stem| stem.to_string_lossy().into_owned()).unwrap_or_default();
        let text = std::fs::read_to_string(&path).map_err(|error| {
            Error::caused(ErrorKind::Refused, format!("feeds/{feed_id}.toml cannot be read"), error)
        })?;
        match feed(&feed_id, &text) {
            Ok(feed) => feeds.push(feed),
            Err(found) => faults.extend(found),
        }
    }
    if faults.is_empty() {
        Ok(feeds.into_iter().collect())
    } else {
        Err(Error::new(ErrorKind::Refused, faults.join("\n")))
    }
}

/// Reads one feed file; all its faults at once, each with file, line and key.
fn feed(feed_id: &str, text: &str) -> Result<Feed, Vec<String>> {
    let place = |key: &[String]| match line_of(text, key) {
        Some(line) => format!("feeds/{feed_id}.toml, line {line}"),
        None => format!("feeds/{feed_id}.toml"),
    };
    if !feed_id.chars().all(|c| c.is_ascii_alphanumeric() || matches!(c, '-' | '_' | '.')) || feed_id.is_empty() {
        return Err(vec![format!("feeds/{feed_id}.toml: name feed files with letters, digits, - and _ only")]);
    }
    let file: FeedFile = toml::from_str(text).map_err(|error| vec![format!("feeds/{feed_id}.toml: {error}")])?;
    let mut faults = Vec::new();
    let mut fault = |key: &[&str], message: String| {
        let key: Vec<String> = key.iter().map(|part| (*part).to_owned()).collect();
        faults.push(format!("{}: {}: {message}", place(&key), key.join(".")));
    };
    let schedule = file.schedule.as_deref().and_then(|text| match CronSchedule::parse(text) {
        Ok(schedule) => Some(schedule),
        Err(message) => {
            fault(&["schedule"], message);
            None
        }
    });
    if file.reporter == reference::REPORTER {
        fault(
            &["reporter"],
            format!("`{}` is the reporter of shipped rows; name who answers for this feed", reference::REPORTER),
        );
    }
    if file.retry.attempts == 0 {
        fault(&["retry"], "attempts must be at least 1".to_owned());
    }
    if let Some(message) = file.source.fault() {
        fault(&["source"], message);
    }
    if file.mode == Mode::Snapshot && file.source.is_paged() {
        fault(
            &["mode"],
            "a snapshot is the whole truth in one answer; source.paging would make each page one".to_owned(),
        );
    }
    if file.mode == Mode::Append && file.contract.deleted_when.is_some() {
        fault(
            &["contract", "deleted_when"],
            "an append feed takes nothing back; take this out or write mode = \"upsert\"".to_owned(),
        );
    }
    let Some(contract) = contract::builtin().dataset(&file.dataset).map(Arc::clone) else {
        let known: Vec<&str> = contract::builtin().datasets().iter().map(|c| c.name.as_str()).collect();
        fault(&["dataset"], format!("`{}` is no dataset; there are {}", file.dataset, known.join(", ")));
        return Err(faults);
    };
    let mut decoding_faults: Vec<ConfigFault> = Vec::new();
    let mut columns = file.columns;
    let format = implied::format(&file.source, file.format, &mut columns).map_err(|found| decoding_faults.push(found));
    let format = format.unwrap_or_default();
    let mut source = file.source;
    source.default_names(Names::of_format(format.kind, format.compression));
    let format = Format::new(&format).map_err(|found| decoding_faults.extend(found)).ok();
    let mut mapping =
        Mapping::new(&columns, &file.constants, &contract).map_err(|found| decoding_faults.extend(found)).ok();
    let mut sql_faults = Vec::new();
    if let Some(mapping) = &mut mapping {
        computed::columns(mapping, &file.expressions, &mut sql_faults, &mut decoding_faults);
    }
    let deleted_when = computed::deletion(file.contract.deleted_when.as_ref(), &mut sql_faults);
    faults.extend(sql_faults.into_iter().map(|found| found.told(feed_id, text)));
    if let Some(mapping) = &mapping
        && let Err(found) = implied::cursor(&source, file.mode, mapping)
    {
        decoding_faults.push(found);
    }
    faults.extend(
        decoding_faults
            .into_iter()
            .map(|found| format!("{}: {}: {}", place(&found.key), found.key.join("."), found.message)),
    );
    match (format, mapping) {
        (Some(format), Some(mapping)) if faults.is_empty() => Ok(Feed {
            feed_id: feed_id.to_owned(),
            title: if file.title.is_empty() { feed_id.to_owned() } else { file.title },
            contract,
            reporter: file.reporter,
            region_code: file.region_code,
            department: file.department,
            mode: file.mode,
            schedule,
            catch_up: file.catch_up,
            catch_up_window: file.catch_up_window,
            overlap: file.overlap,
            jitter: file.jitter,
            deadline: file.deadline,
            retry: file.retry,
            takes_over: file.takes_over,
            source,
            format,
            mapping,
            policy: Policy {
                unknown_columns: file.contract.unknown_columns,
                max_quarantined: file.contract.max_quarantined,
                max_removed: file.contract.max_removed,
                deleted_when,
            },
        }),
        _ => Err(faults),
    }
}

/// The line on which a key stands: its last part, inside the table of its first where it has one.
fn line_of(text: &str, key: &[String]) -> Option<usize> {
    let (last, tables) = key.split_last()?;
    let header = tables.first().map(|table| format!("[{table}]"));
    let mut inside = header.is_none();
    for (number, line) in text.lines().enumerate() {
        let line = line.trim_start();
        if line.starts_with('[') {
            inside = header.as_ref().is_some_and(|header| line.starts_with(header.as_str()));
            if !inside && line.starts_with(&format!("[{last}]")) {
                return Some(number + 1);
            }
            continue;
        }
        let name = line.split('=').next().unwrap_or_default().trim().trim_matches(['"', '\'']);
        if inside && name == last {
            return Some(number + 1);
        }
    }
    None
}

pub(super) fn attempts() -> u32 {
    5
}

pub(super) fn first_wait() -> Span {
    Span(Duration::from_secs(10))
}

pub(super) fn longest_wait() -> Span {
    Span(Duration::from_secs(600))
}

fn a_week() -> Span {
    Span(Duration::from_secs(7 * 86_400))
}

pub(super) fn max_quarantined() -> Allowance {
    Allowance::Share(50_000)
}

pub(super) fn max_removed() -> Allowance {
    Allowance::Share(200_000)
}

pub(super) fn time_of_day<'de, D: Deserializer<'de>>(text: D) -> Result<chrono::NaiveTime, D::Error> {
    let text = String::deserialize(text)?;
    chrono::NaiveTime::parse_from_str(&text, "%H:%M")
        .map_err(|_| serde::de::Error::custom(format!("`{text}` is no time of day; write for example \"18:00\"")))
}

#[cfg(test)]
mod tests {
    use super::*;

    const GOOD: &str = r#"
title = "人保财险 保单"
dataset = "policy"
reporter = "PICC"
schedule = "0 30 2 * * *"
deadline = { workdays = 1, at = "18:00" }

[source]
kind = "http"
url = "https://feeds.example/policies?day={slot_date}"

[format]
kind = "csv"
encoding = "gb18030"

[columns]
"保单号" = "policy_no"
"保费(万元)" = { to = "premium_written", scale = 10000 }

[constants]
insurer_code = "PICC"
"#;

    #[test]
    fn a_feed_as_the_interface_shows_it_is_read() {
        let feed = feed("picc-policy", GOOD).unwrap();
        assert_eq!(feed.contract.name, "policy");
        assert_eq!(feed.retry.attempts, 5);
        assert!(feed.policy.max_quarantined.is_exceeded_by(6, 100));
    }

    #[test]
    fn an_append_feed_takes_nothing_back() {
        let append = GOOD.replace("dataset =", "mode = \"append\"\ndataset =");
        assert_eq!(feed("f", &append).unwrap().mode, Mode::Append);
        let faults = feed("f", &format!("{append}[contract]\ndeleted_when = \"状态 = '作废'\"\n")).unwrap_err();
        assert!(faults[0].contains("contract.deleted_when") && faults[0].contains("append"), "{faults:?}");
    }

    #[test]
    fn the_names_that_a_folder_is_searched_for_follow_the_format() {
        let (before, _) = GOOD.split_once("[source]").unwrap();
        let names = |source: &str, format: &str| {
            let text = format!("{before}[source]\nkind = \"directory\"\npath = \"inbox\"\n{source}[format]\n{format}");
            match feed("f", &text).unwrap().source {
                SourceConfig::Directory(folder) => folder.pattern.unwrap().to_string(),
                _ => String::new(),
            }
        };
        assert_eq!(names("", "kind = \"csv\"\n"), "*.csv *.csv.gz *.csv.zip *.csv.zst");
        assert_eq!(names("", "kind = \"parquet\"\ncompression = \"none\"\n"), "*.parquet");
        assert_eq!(names("pattern = \"p-*.txt\"\n", "kind = \"csv\"\n"), "p-*.txt");
    }

    #[test]
    fn what_may_be_amiss_is_a_share_or_a_number_of_rows() {
        let with = |text: &str| feed("f", &format!("{GOOD}[contract]\nmax_quarantined = {text}\n"));
        let of = |text: &str| with(text).unwrap().policy.max_quarantined;
        assert!(of("20").is_exceeded_by(21, 1_000_000) && !of("20").is_exceeded_by(20, 20));
        assert!(of("\"0.5%\"").is_exceeded_by(6, 1000) && !of("\"0.5%\"").is_exceeded_by(5, 1000));
        assert!(of("0").is_exceeded_by(1, 1_000_000) && !of("0").is_exceeded_by(0, 1));
        assert_eq!((of("20").to_string(), of("\"5%\"").to_string()), ("20".to_owned(), "5%".to_owned()));
        for wrong in ["\"5\"", "\"101%\"", "\"+5%\"", "\"%\"", "-1", "0.05", "\"0.00001%\""] {
            let faults = with(wrong).unwrap_err();
            assert!(faults[0].contains("max_quarantined") || faults[0].contains("line"), "{wrong}: {faults:?}");
        }
    }

    #[test]
    fn pages_are_no_snapshot() {
        let paged = GOOD.replace("[format]", "paging = { kind = \"next_link\" }\n[format]");
        assert!(feed("picc-policy", &paged).is_ok());
        let snapshot = paged.replace("dataset =", "mode = \"snapshot\"\ndataset =");
        let faults = feed("picc-policy", &snapshot).unwrap_err();
        assert!(faults[0].contains("line 3: mode"), "{faults:?}");
    }

    #[test]
    fn a_push_feed_and_every_key_of_an_http_source_are_read() {
        let (before, _) = GOOD.split_once("[source]").unwrap();
        let with = |source: &str| feed("f", &format!("{before}[source]\n{source}\n[format]\nkind = \"csv\"\n"));
        assert!(with("kind = 'push'\nmax_bytes = 1000").unwrap().source.is_push());
        assert!(with("kind = 'push'\nurl = 'x'").is_err());
        let http = "kind = 'http'\nurl = 'https://a.example/?day={slot_date}'\nca_file = 'ca.pem'\nmax_pages = 5\n\
            auth = { basic = { user = 'me', password_env = 'P' }, client_certificate = { pem_file = 'me.pem' } }\n\
            headers = { Accept = 'text/csv' }\nchecksum = { header = 'Content-Digest' }\nallowed_hosts = ['b.example']\n\
            timeout = '5m'\nconnect_timeout = '5s'\nidle_timeout = '1m'\nmax_bytes = 1000\n\
            paging = { kind = 'page', size_parameter = 'n', size = 100, ends = 'fewer', rows = '/data' }";
        assert!(with(http).is_ok(), "{:?}", with(http).err());
        for (sound, wrong) in [("Accept", "Cookie"), ("'5m'", "'0s'"), ("size = 100, ", ""), ("Content-Digest", "a b")]
        {
            assert!(with(&http.replace(sound, wrong)).is_err(), "{wrong}");
        }
    }

    #[test]
    fn a_cursor_of_an_http_source_is_a_column_of_ours_with_a_place_in_the_address() {
        let with = |url: &str, cursor: &str| {
            let text = GOOD.replace("url = \"https://feeds.example/policies?day={slot_date}\"", url);
            feed("f", &text.replace("[format]", &format!("{cursor}\n[format]")))
        };
        let (asks, is_whole) = ("url = 'https://a.example/?since={cursor}'", "url = 'https://a.example/'");
        let cursor = "cursor = { column = \"source_updated_at\", lag = \"2d\" }";
        assert!(with(asks, cursor).is_ok(), "{:?}", with(asks, cursor).err());
        assert!(with(is_whole, cursor).unwrap_err()[0].contains("source.cursor"));
        assert!(with(asks, "").unwrap_err()[0].contains("source.cursor"));
        let unknown = with(asks, &cursor.replace("source_updated_at", "no_such")).unwrap_err();
        assert!(unknown[0].contains("no_such"), "{unknown:?}");
    }

    #[test]
    fn an_expression_that_cannot_be_planned_is_refused_with_line_and_column() {
        let with = |text: &str| feed("f", &format!("{GOOD}\n{text}"));
        let sound = "[expressions]\npremium_written = \"cast(\\\"保费\\\" as decimal(18,2)) - 1\"\n\
                     [contract]\ndeleted_when = \"状态 = '作废'\"";
        let good = GOOD.replace("\"保费(万元)\" = { to = \"premium_written\", scale = 10000 }\n", "");
        let feed_of = |text: &str| feed("f", &format!("{good}\n{text}"));
        assert!(feed_of(sound).is_ok(), "{:?}", feed_of(sound).err());
        assert!(with(sound).unwrap_err()[0].contains("already becomes premium_written"));
        let lines = good.lines().count() + 1;
        for (wrong, line, column, told) in [
            // Escaped quotes count as one character of the expression and two of the file.
            ("[expressions]\npremium_written = \"\\\"保费\\\" + foo(1)\"", 2, 29, "foo"),
            ("[expressions]\npremium_written = { expr = '1 + ' }", 2, 33, "expression"),
            ("[expressions]\npremium_written = '''\n1 +\n  now()'''", 4, 3, "now"),
            ("[expressions]\nissued_at = { expr = 'a', format = '%q' }", 2, 0, "%q"),
            ("[expressions]\nissued_at = { expr = 'cast(a as date)', format = '%Y' }", 2, 23, "format"),
            ("[expressions]\nno_such = 'a'", 2, 0, "no column"),
            ("[contract]\ndeleted_when = \"状态 = \"", 2, 22, "expression"),
            ("[contract]\ndeleted_when = '状态'", 2, 17, "true or false"),
        ] {
            let faults = feed_of(wrong).unwrap_err();
            assert_eq!(faults.len(), 1, "{wrong}: {faults:?}");
            let place = match column {
                0 => format!("line {}:", lines + line),
                column => format!("line {}, column {column}:", lines + line),
            };
            assert!(faults[0].contains(&place) && faults[0].contains(told), "{wrong}: {place} {faults:?}");
        }
    }

    #[test]
    fn an_unknown_key_is_refused_with_its_line() {
        let faults = feed("picc-policy", &GOOD.replace("reporter =", "repoter =")).unwrap_err();
        assert!(faults[0].contains("feeds/picc-policy.toml"), "{faults:?}");
        assert!(faults[0].contains("line 4") && faults[0].contains("repoter"), "{faults:?}");
    }

    #[test]
    fn a_bad_schedule_and_an_unknown_column_are_told_together_with_their_lines() {
        let text = GOOD.replace("0 30 2 * * *", "every day").replace("= \"policy_no\"", "= \"policyno\"");
        let faults = feed("picc-policy", &text).unwrap_err();
        assert!(faults.iter().any(|fault| fault.contains("line 5")), "{faults:?}");
        assert!(faults.iter().any(|fault| fault.contains("policy_no")), "{faults:?}");
    }
}
