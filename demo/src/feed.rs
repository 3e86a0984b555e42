//! The feeds of the demo: who reports which dataset, when, in which dialect, and with which
//! mishaps; and the TOML file that tells the warehouse about each.

use super::chance::{Chance, Seed, Stream};
use super::dataset::{Dataset, Kind};
use super::day::{Day, Moment};
use super::dialect::{CLOCK, Codes, Dates, Dialect, Encoding, Headers, Layout, Money, STATE, written_columns};
use super::market::{InsurerNo, LARGE_INSURERS, Market};
use super::province::Department;
use std::fmt::Write as _;

pub(super) struct Feed {
    pub(super) id: String,
    pub(super) title: String,
    pub(super) dataset: Dataset,
    pub(super) reporter: &'static str,
    pub(super) department: Option<Department>,
    pub(super) mode: Mode,
    pub(super) timing: Timing,
    pub(super) dialect: Dialect,
    /// The sender tells when each row was entered.
    pub(super) clocked: bool,
    /// The sender can withdraw a row.
    pub(super) voidable: bool,
    pub(super) constants: Vec<(&'static str, &'static str)>,
    pub(super) mishap: Option<Mishap>,
}

#[derive(Clone, Copy, PartialEq, Eq)]
pub(super) enum Mode {
    Upsert,
    Snapshot,
}

/// What happens to one slot of a feed.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(super) enum Mishap {
    /// No file that month; the next one makes up for it.
    NotFound,
    /// The server answers 503 all month.
    Unavailable,
    /// The first request gets 503, the next one the file.
    BusyOnce,
    /// One row in eight is broken, so the batch is held; the next file sends everything again.
    OverTheLimit,
    /// A snapshot that lost nearly half of its rows.
    CutOff,
}

/// When a feed is due: a day of the month and a time in Shanghai, in all months or every third.
#[derive(Clone, Copy)]
pub(super) struct Timing {
    pub(super) day: u32,
    pub(super) hour: u32,
    pub(super) minute: u32,
    /// Months since a quarter began, for feeds due in every third month.
    pub(super) quarterly: Option<u32>,
}

impl Timing {
    fn monthly(day: u32, hour: u32, minute: u32) -> Self {
        Timing { day, hour, minute, quarterly: None }
    }

    /// The slots after `start` and no later than `until`, in order.
    pub(super) fn slots(&self, start: Day, until: Day) -> Vec<Moment> {
        let (mut year, mut month, _) = start.civil();
        let mut slots = Vec::new();
        loop {
            let day = Day::of(year, month, self.day);
            if day > until {
                return slots;
            }
            let is_due = self.quarterly.is_none_or(|phase| (month - 1) % 3 == phase);
            if day > start && is_due {
                slots.push(day.at(i64::from(self.hour), i64::from(self.minute)));
            }
            (year, month) = if month == 12 { (year + 1, 1) } else { (year, month + 1) };
        }
    }

    fn cron(&self) -> String {
        let months = match self.quarterly {
            None => "*".to_owned(),
            Some(phase) => format!("{},{},{},{}", phase + 1, phase + 4, phase + 7, phase + 10),
        };
        format!("0 {} {} {} {months} *", self.minute, self.hour, self.day)
    }
}

const DAY_OF_REFERENCES: u32 = 24;
const DAY_OF_UNITS: u32 = 25;
const DAY_OF_LARGE_INSURERS: u32 = 26;
const DAY_OF_THE_REST: u32 = 27;

const ASSOCIATION: &str = "ZJIA";
const EMERGENCY: &str = "ZJYJT";

/// All feeds, references first; one line of it is one file in `feeds/`.
pub(super) fn feeds(market: &Market, start: Day) -> Vec<Feed> {
    let quarter = reference_timing(start).quarterly;
    let mut feeds = references(reference_timing(start));
    feeds.extend(units_and_rosters());
    for insurer in 0..LARGE_INSURERS {
        feeds.extend(own_feeds(market, insurer));
    }
    feeds.extend(platform_feeds(quarter));
    feeds.extend(oversight_feeds());
    feeds
}

fn feed(id: &str, sender: &str, dataset: Dataset, reporter: &'static str, timing: Timing, dialect: Dialect) -> Feed {
    Feed {
        id: id.to_owned(),
        title: format!("{sender} {}", dataset.zh()),
        dataset,
        reporter,
        department: None,
        mode: Mode::Upsert,
        timing,
        dialect,
        clocked: true,
        voidable: false,
        constants: Vec::new(),
        mishap: None,
    }
}

/// Quarters count from the first month, so that references stand before anything refers to them.
pub(super) fn reference_timing(start: Day) -> Timing {
    let (_, month, of_month) = start.civil();
    let first_month = if of_month < DAY_OF_REFERENCES { month } else { month % 12 + 1 };
    let quarterly = Some((first_month - 1) % 3);
    Timing { day: DAY_OF_REFERENCES, hour: 1, minute: 0, quarterly }
}

fn references(timing: Timing) -> Vec<Feed> {
    let plain = Dialect::PLAIN;
    let mut feeds = vec![
        feed("zjia-insurer", "保险行业协会", Dataset::Insurer, ASSOCIATION, timing, plain),
        feed("zjyjt-agency", "省应急管理厅", Dataset::Agency, EMERGENCY, timing, plain),
        feed("zjyjt-service-norm", "省应急管理厅", Dataset::ServiceNorm, EMERGENCY, timing, plain),
        feed("zjyjt-rule", "省应急管理厅", Dataset::Rule, EMERGENCY, timing, plain),
    ];
    for feed in &mut feeds[1..] {
        feed.department = Some(Department::Emergency);
    }
    feeds
}

/// A department's name for itself, its code as a reporter, and what it is.
const DEPARTMENTS: [(&str, &str, &str, Department); 5] = [
    ("zjyjt", EMERGENCY, "省应急管理厅", Department::Emergency),
    ("zjgfkg", "ZJGFKG", "省国防科工办", Department::DefenceIndustry),
    ("zjjst", "ZJJST", "省建设厅", Department::Construction),
    ("zjjtt", "ZJJTT", "省交通运输厅", Department::Transport),
    ("zjnyt", "ZJNYT", "省农业农村厅", Department::AgricultureFishery),
];

fn units_and_rosters() -> Vec<Feed> {
    let timing = Timing::monthly(DAY_OF_UNITS, 1, 30);
    let mut feeds = Vec::new();
    for (prefix, reporter, name, department) in DEPARTMENTS {
        let dialect = match department {
            Department::Construction => Dialect { layout: Layout::Pipes, ..Dialect::PLAIN },
            Department::AgricultureFishery => Dialect {
                encoding: Encoding::Gb18030,
                headers: Headers::Chinese,
                codes: Codes::Chinese,
                ..Dialect::PLAIN
            },
            _ => Dialect::PLAIN,
        };
        if keeps_units(department) {
            let id = format!("{prefix}-unit");
            let mut unit = feed(&id, name, Dataset::Unit, reporter, timing, dialect);
            unit.department = Some(department);
            feeds.push(unit);
        }
        let id = format!("{prefix}-roster");
        let mut roster = feed(&id, name, Dataset::Roster, reporter, timing, dialect);
        roster.department = Some(department);
        roster.mode = Mode::Snapshot;
        roster.clocked = false;
        roster.constants = vec![("department", department.code())];
        roster.mishap = match department {
            Department::Construction => Some(Mishap::NotFound),
            Department::Transport => Some(Mishap::CutOff),
            _ => None,
        };
        feeds.push(roster);
    }
    feeds
}

/// Projects and vessels are registered by their own departments, all other units by emergency.
fn keeps_units(department: Department) -> bool {
    matches!(department, Department::Emergency | Department::Construction | Department::AgricultureFishery)
}

/// What a large insurer reports itself; the rest of its data goes through the association.
const OWN_DATASETS: [&[Dataset]; LARGE_INSURERS] = [
    ALL_OF_AN_INSURER,
    ALL_OF_AN_INSURER,
    ALL_OF_AN_INSURER,
    &[Dataset::Policy, Dataset::Service, Dataset::Claim],
    &[Dataset::Policy, Dataset::Claim],
];

const ALL_OF_AN_INSURER: &[Dataset] =
    &[Dataset::Policy, Dataset::PremiumReceipt, Dataset::Service, Dataset::Hazard, Dataset::Expense, Dataset::Claim];

const OWN_DIALECTS: [Dialect; LARGE_INSURERS] = [
    Dialect {
        encoding: Encoding::Gb18030,
        headers: Headers::Chinese,
        money: Money::TenThousandYuan,
        dates: Dates::Slashes,
        codes: Codes::Chinese,
        ..Dialect::PLAIN
    },
    Dialect { layout: Layout::Ndjson, headers: Headers::CamelCase, dates: Dates::IsoWithZone, ..Dialect::PLAIN },
    Dialect { layout: Layout::Semicolons, headers: Headers::UpperCase, ..Dialect::PLAIN },
    Dialect { encoding: Encoding::Utf8WithBom, dates: Dates::Compact, codes: Codes::Chinese, ..Dialect::PLAIN },
    Dialect::PLAIN,
];

fn own_feeds(market: &Market, insurer: InsurerNo) -> Vec<Feed> {
    let code = market.code(insurer);
    let name = market.insurers[insurer].name.trim_end_matches("财产保险股份有限公司");
    let timing = Timing::monthly(DAY_OF_LARGE_INSURERS, 2, 30);
    OWN_DATASETS[insurer]
        .iter()
        .map(|dataset| {
            let id = format!("{}-{}", code.to_ascii_lowercase(), hyphened(*dataset));
            let sender = format!("{name}财险");
            let mut own = feed(&id, &sender, *dataset, code, timing, OWN_DIALECTS[insurer]);
            if dataset.columns().iter().any(|column| matches!(column.kind, Kind::Insurer)) {
                own.constants = vec![("insurer_code", code)];
            }
            own.clocked = id != "xlpc-policy";
            own.voidable = id == "zjpc-premium-receipt";
            own.mishap = match id.as_str() {
                "oypc-hazard" => Some(Mishap::OverTheLimit),
                "oypc-service" => Some(Mishap::BusyOnce),
                "ydpc-claim" => Some(Mishap::NotFound),
                _ => None,
            };
            own
        })
        .collect()
}

fn platform_feeds(quarterly: Option<u32>) -> Vec<Feed> {
    let monthly = Timing::monthly(DAY_OF_THE_REST, 3, 0);
    let datasets = ALL_OF_AN_INSURER.iter().chain(&[Dataset::Complaint, Dataset::Budget]);
    datasets
        .map(|dataset| {
            let id = format!("zjia-{}", hyphened(*dataset));
            let timing = match dataset {
                Dataset::Budget => Timing { quarterly, ..monthly },
                _ => monthly,
            };
            let sender = "保险行业协会平台";
            let mut shared = feed(&id, sender, *dataset, ASSOCIATION, timing, Dialect::PLAIN);
            shared.mishap = (*dataset == Dataset::Complaint).then_some(Mishap::Unavailable);
            shared
        })
        .collect()
}

fn oversight_feeds() -> Vec<Feed> {
    let timing = Timing::monthly(DAY_OF_THE_REST, 3, 0);
    [Dataset::Deferral, Dataset::Accident, Dataset::Visit, Dataset::Inspection]
        .map(|dataset| {
            let id = format!("zjyjt-{}", hyphened(dataset));
            let sender = "省应急管理厅";
            let mut own = feed(&id, sender, dataset, EMERGENCY, timing, Dialect::PLAIN);
            own.department = Some(Department::Emergency);
            own.clocked = dataset != Dataset::Visit;
            own
        })
        .into()
}

fn hyphened(dataset: Dataset) -> String {
    dataset.name().replace('_', "-")
}

impl Feed {
    /// The stream of mishaps and delays of this feed, by its name, whatever feeds stand before it.
    pub(super) fn chance(&self, seed: &Seed) -> Chance {
        let name =
            self.id.bytes().fold(0u64, |hash, byte| hash.wrapping_mul(131).wrapping_add(u64::from(byte)) & 0xffff_ffff);
        seed.stream(Stream::Feed, name)
    }

    /// The text of `feeds/<id>.toml`.
    pub(super) fn toml(&self, feed_server: &str) -> String {
        let mut toml = String::new();
        let _ = writeln!(toml, "title = \"{}\"", self.title);
        let _ = writeln!(toml, "dataset = \"{}\"", self.dataset.name());
        let _ = writeln!(toml, "reporter = \"{}\"", self.reporter);
        toml.push_str("region_code = \"330000\"\n");
        if let Some(department) = self.department {
            let _ = writeln!(toml, "department = \"{}\"", department.code());
        }
        if self.mode == Mode::Snapshot {
            toml.push_str("mode = \"snapshot\"\n");
        }
        let _ = writeln!(toml, "schedule = \"{}\"", self.timing.cron());
        toml.push_str("deadline = { workdays = 2, at = \"18:00\" }\n");
        toml.push_str("retry = { attempts = 3, first = \"1s\", most = \"2s\" }\n\n");
        toml.push_str("[source]\nkind = \"http\"\n");
        let base = feed_server.trim_end_matches('/');
        let _ = writeln!(toml, "url = \"{base}/feeds/{}?slot={{slot_date}}\"\n", self.id);
        toml.push_str(&self.dialect.format_toml());
        toml.push('\n');
        let columns = written_columns(self.dataset, &self.constants).map(|(_, column)| column);
        let clock = self.clocked.then_some(&CLOCK);
        toml.push_str(&self.dialect.columns_toml(columns, clock));
        if !self.constants.is_empty() {
            toml.push_str("[constants]\n");
            for (name, value) in &self.constants {
                let _ = writeln!(toml, "{name} = \"{value}\"");
            }
            toml.push('\n');
        }
        toml.push_str("[contract]\nmax_quarantined = \"5%\"\n");
        if self.mode == Mode::Snapshot {
            toml.push_str("max_removed = \"20%\"\n");
        }
        if self.voidable {
            let state = self.dialect.header(&STATE);
            let _ = writeln!(toml, "deleted_when = \"{state} = '作废'\"");
        }
        toml
    }
}

#[cfg(test)]
mod tests {
    use super::*;
    use std::collections::BTreeSet;

    fn all() -> Vec<Feed> {
        let start = Day::of(2023, 6, 30);
        feeds(&Market::new(&Seed::new(1), Day::of(2024, 9, 15)), start)
    }

    #[test]
    fn every_feed_has_an_id_of_its_own_and_every_dataset_a_feed() {
        let feeds = all();
        let ids: BTreeSet<&str> = feeds.iter().map(|feed| feed.id.as_str()).collect();
        assert_eq!(ids.len(), feeds.len());
        let datasets: BTreeSet<Dataset> = feeds.iter().map(|feed| feed.dataset).collect();
        assert_eq!(datasets.len(), Dataset::ALL.len());
    }

    #[test]
    fn quarterly_slots_begin_with_the_first_month_and_none_lies_outside() {
        let timing = Timing { day: 24, hour: 1, minute: 0, quarterly: Some(0) };
        let slots = timing.slots(Day::of(2023, 6, 30), Day::of(2024, 6, 30));
        let days: Vec<Day> = slots.iter().map(|slot| slot.day()).collect();
        let expected = [(2023, 7), (2023, 10), (2024, 1), (2024, 4)];
        assert_eq!(days, expected.map(|(year, month)| Day::of(year, month, 24)));
    }

    #[test]
    fn a_feed_file_reads_as_the_interface_says() {
        let feeds = all();
        let feed = feeds.iter().find(|feed| feed.id == "zjpc-premium-receipt").unwrap();
        assert_eq!(feed.toml("http://127.0.0.1:9/"), RECEIPTS);
    }

    const RECEIPTS: &str = r#"title = "之江财险 保费实收"
dataset = "premium_receipt"
reporter = "ZJPC"
region_code = "330000"
schedule = "0 30 2 26 * *"
deadline = { workdays = 2, at = "18:00" }
retry = { attempts = 3, first = "1s", most = "2s" }

[source]
kind = "http"
url = "http://127.0.0.1:9/feeds/zjpc-premium-receipt?slot={slot_date}"

[format]
kind = "csv"
encoding = "gb18030"

[columns]
"收据号" = "receipt_no"
"保单号" = "policy_no"
"实收金额(万元)" = { to = "amount", scale = 10000 }
"到账日期" = { to = "received_on", format = "%Y/%m/%d" }
"付款人" = { to = "payer_kind", codes = { "投保单位" = "unit", "从业人员" = "employee", "第三方" = "third_party" } }
"资金来源" = { to = "funds", codes = { "安全生产费用" = "safety_fund", "工程造价" = "project_cost", "其他资金" = "other" } }
"更新时间" = { to = "source_updated_at", format = "%Y/%m/%d %H:%M:%S" }

[constants]
insurer_code = "ZJPC"

[contract]
max_quarantined = "5%"
deleted_when = "状态 = '作废'"
"#;
}
