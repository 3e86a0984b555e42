//! An assessment as it is kept: everything that its numbers come from, and the numbers.
//!
//! Numbers are kept exactly: counts as numbers, money as texts, values with 17 significant digits and as a
//! fraction beside, points with four digits after the point.

use std::collections::{BTreeMap, BTreeSet};

use chrono::{DateTime, NaiveDate, Utc};
use serde::{Deserialize, Serialize};
use serde_json::{Number, Value};

use super::scheme::SubjectKind;
use super::succession::Succession;

/// One run of a scheme on one release.
#[derive(Debug, Clone, PartialEq, Serialize, Deserialize)]
pub struct Assessment {
    /// Its name.
    pub id: String,
    /// Draft or frozen.
    pub state: State,
    /// The scheme's title.
    pub title: String,
    /// Who is assessed.
    pub subjects: SubjectKind,
    /// About which time.
    pub period: Period,
    /// The scheme, with its text.
    pub scheme: SchemeUsed,
    /// The release: nothing else was read.
    pub release: Pinned,
    /// Reviews of leads up to this instant count.
    pub reviews_until: DateTime<Utc>,
    /// Version of the program.
    pub program: String,
    /// The metrics as they were defined.
    pub definitions: Vec<Definition>,
    /// When it was computed, and by whom.
    pub created_at: DateTime<Utc>,
    /// Who asked for it.
    pub created_by: String,
    /// When it was frozen.
    pub frozen_at: Option<DateTime<Utc>>,
    /// Who froze it.
    pub frozen_by: Option<String>,
    /// Its number among the frozen ones, from 1.
    pub number: Option<u64>,
    /// SHA-256 of the frozen one before it; of the first, zeros.
    pub previous: Option<String>,
    /// The one that it corrects, with what moved and why.
    pub succeeds: Option<Succession>,
    /// What came out.
    pub scores: Scores,
    /// Every data file of the release; of frozen ones only.
    pub files: Vec<DataFile>,
}

/// Draft or frozen.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Serialize, Deserialize)]
#[serde(rename_all = "snake_case")]
pub enum State {
    /// May be dropped.
    Draft,
    /// Never changes.
    Frozen,
}

impl State {
    /// Its name.
    pub fn name(self) -> &'static str {
        match self {
            Self::Draft => "draft",
            Self::Frozen => "frozen",
        }
    }
}

/// About which time an assessment is.
#[derive(Debug, Clone, PartialEq, Eq, Serialize, Deserialize)]
pub struct Period {
    /// `2025`, `2025H1`, `2025Q3`.
    pub name: String,
    /// First day.
    pub from: NaiveDate,
    /// First day after it.
    pub to: NaiveDate,
    /// Whether only a part of the period is over: such a one cannot be frozen.
    pub partial: bool,
}

/// The scheme of an assessment.
#[derive(Debug, Clone, PartialEq, Eq, Serialize, Deserialize)]
pub struct SchemeUsed {
    /// Its id.
    pub id: String,
    /// Its version.
    pub version: u32,
    /// SHA-256 of its text.
    pub sha256: String,
    /// The whole file.
    pub text: String,
}

/// The release of an assessment.
#[derive(Debug, Clone, PartialEq, Eq, Serialize, Deserialize)]
pub struct Pinned {
    /// Its number.
    pub release: u64,
    /// When it was published.
    pub published_at: DateTime<Utc>,
    /// Its day, which is the observation day.
    pub day: NaiveDate,
    /// SHA-256 over the contracts in force.
    pub contracts: String,
    /// Version of every table.
    pub tables: BTreeMap<String, u64>,
}

/// A metric as it was defined.
#[derive(Debug, Clone, PartialEq, Eq, Serialize, Deserialize)]
pub struct Definition {
    /// The metric; `marts` for the shared terms, `leads` for what vetoes count.
    pub metric: String,
    /// SHA-256 of its SQL and of what else decides its numbers.
    pub sha256: String,
}

/// A data file of the release.
#[derive(Debug, Clone, PartialEq, Eq, Serialize, Deserialize)]
pub struct DataFile {
    /// Where it lies in the warehouse.
    pub path: String,
    /// Its size.
    pub bytes: u64,
    /// SHA-256 of its bytes.
    pub sha256: String,
}

/// What came out of an assessment.
#[derive(Debug, Clone, PartialEq, Serialize, Deserialize)]
pub struct Scores {
    /// The indicators in the scheme's order.
    pub indicators: Vec<IndicatorUsed>,
    /// Every subject, by rank, then code; those without a score last.
    pub subjects: Vec<SubjectScore>,
    /// What the metrics count of none of the subjects: unknown places, former codes.
    pub outside: Vec<Outside>,
    /// The rules and service norms that were looked up.
    pub rules: Vec<RuleRow>,
    /// The confirmed leads of the kinds that veto.
    pub leads: Vec<ConfirmedLead>,
    /// The deliveries of the rows that are kept with the indicators, by batch.
    pub batches: BTreeMap<String, LandedBatch>,
}

/// The delivery that brought a row: the landed file is named and hashed here, so that a score leads to its
/// lines without the release.
#[derive(Debug, Clone, PartialEq, Eq, Serialize, Deserialize)]
pub struct LandedBatch {
    /// The feed.
    pub feed_id: String,
    /// What it holds.
    pub dataset: String,
    /// What the sender called it.
    pub object: String,
    /// SHA-256 of its bytes.
    pub sha256: String,
    /// Where it lies in the warehouse.
    pub landed_path: String,
}

/// An indicator as it was computed.
#[derive(Debug, Clone, PartialEq, Serialize, Deserialize)]
pub struct IndicatorUsed {
    /// The metric.
    pub metric: String,
    /// Its Chinese title.
    pub title: String,
    /// Its English title.
    pub title_en: String,
    /// Unit of its values.
    pub unit: String,
    /// Its weight in the scheme.
    pub weight: Number,
    /// How a value becomes points.
    pub scoring: String,
    /// The day, of a metric of a day; else the period.
    pub as_of: Option<NaiveDate>,
    /// Its parameters, where they are not the defaults.
    pub params: BTreeMap<String, String>,
    /// Weights of sectors, where it is judged sector by sector.
    #[serde(default, skip_serializing_if = "BTreeMap::is_empty")]
    pub sector_weights: BTreeMap<String, Number>,
    /// The metric that it is doubted by, and its bounds.
    pub gate: Option<String>,
    /// Cases left out because no rule applies to them.
    pub without_rule: i64,
    /// Whether workdays were counted beyond the published calendar.
    pub provisional: bool,
}

/// What came out for a subject.
#[derive(Debug, Clone, PartialEq, Serialize, Deserialize)]
pub struct SubjectScore {
    /// Its code.
    pub code: String,
    /// Its Chinese name.
    pub name: String,
    /// Points of all indicators; none where none is applicable.
    pub total: Option<Number>,
    /// Its rank, from 1.
    pub rank: Option<u32>,
    /// Its grade, after vetoes.
    pub grade: Option<String>,
    /// The vetoes that hold its grade down.
    pub capped: Vec<Capped>,
    /// Number of confirmed leads of each kind that vetoes.
    pub leads: BTreeMap<String, u32>,
    /// Why the score as a whole is provisional.
    pub provisional: Vec<Provisional>,
    /// One for each indicator, in order.
    pub indicators: Vec<IndicatorScore>,
}

/// A veto that was met.
#[derive(Debug, Clone, PartialEq, Eq, Serialize, Deserialize)]
pub struct Capped {
    /// Kind of the leads.
    pub lead: String,
    /// Number of confirmed ones.
    pub confirmed: u32,
    /// The best grade that is still given.
    pub cap_grade: String,
    /// The grade that the points alone would give.
    pub by_points: String,
}

/// What came out for a subject and an indicator.
#[derive(Debug, Clone, PartialEq, Serialize, Deserialize)]
pub struct IndicatorScore {
    /// The metric.
    pub metric: String,
    /// Sum of the cases' numerators.
    pub numerator: Value,
    /// Sum of the cases' denominators; none of a metric that only counts.
    pub denominator: Value,
    /// The value; none where there is nothing to divide by, or where it is not reached.
    pub value: Option<Number>,
    /// The same as an exact fraction.
    pub exact: Option<String>,
    /// There are cases, but the quantile lies beyond what was observed: scored as the worst.
    pub not_reached: bool,
    /// The weight after what is not applicable was shared out; none where this is not applicable.
    pub weight: Option<Number>,
    /// Its points.
    pub points: Option<Number>,
    /// The sectors, where it is judged sector by sector.
    #[serde(default, skip_serializing_if = "Vec::is_empty")]
    pub sectors: Vec<SectorScore>,
    /// Why it is provisional.
    pub provisional: Vec<Provisional>,
    /// Number of rows behind it.
    pub cases: CaseCounts,
    /// The first rows of its gap, or of its numerator where nothing can be missing.
    pub sample: Vec<SampleRow>,
}

/// What came out for a sector of an indicator that is judged sector by sector.
#[derive(Debug, Clone, PartialEq, Serialize, Deserialize)]
pub struct SectorScore {
    /// The sector.
    pub sector: String,
    /// As of [`IndicatorScore`].
    pub numerator: Value,
    /// As of [`IndicatorScore`].
    pub denominator: Value,
    /// As of [`IndicatorScore`].
    pub value: Option<Number>,
    /// As of [`IndicatorScore`].
    pub exact: Option<String>,
    /// As of [`IndicatorScore`].
    pub not_reached: bool,
}

/// Number of rows of evidence on each side.
#[derive(Debug, Clone, Copy, Default, PartialEq, Eq, Serialize, Deserialize)]
pub struct CaseCounts {
    /// With a share of the denominator.
    pub denominator: u64,
    /// With a share of the numerator.
    pub numerator: u64,
    /// With a share of the gap.
    pub gap: u64,
}

/// One row of evidence.
#[derive(Debug, Clone, PartialEq, Eq, Serialize, Deserialize)]
pub struct SampleRow {
    /// Its dataset.
    pub dataset: String,
    /// Its key, parts joined by commas.
    pub key: String,
    /// The batch that brought it.
    pub batch_id: Option<String>,
    /// The record in the landed file, from 1.
    pub row_no: Option<i64>,
    /// Its share of the numerator.
    pub numerator: Value,
    /// Its share of the denominator.
    pub denominator: Value,
}

/// Why something is provisional.
#[derive(Debug, Clone, PartialEq, Serialize, Deserialize)]
#[serde(tag = "reason", rename_all = "snake_case")]
pub enum Provisional {
    /// A gate is out of its bounds for the subject's own feeds.
    Gate {
        /// The gate's metric.
        metric: String,
        /// Its value for the subject.
        value: Option<Number>,
        /// The feeds out of bounds themselves.
        feeds: Vec<String>,
    },
    /// The roster is empty although open units of high-hazard sectors stand.
    EmptyRoster {
        /// Number of those units.
        open_units: Value,
    },
    /// Workdays were counted beyond the published calendar.
    Calendar,
}

/// What a metric counts of none of the subjects.
#[derive(Debug, Clone, PartialEq, Serialize, Deserialize)]
pub struct Outside {
    /// The metric.
    pub metric: String,
    /// The member of the dimension.
    pub member: String,
    /// Its name.
    pub name: String,
    /// As of [`IndicatorScore`].
    pub numerator: Value,
    /// As of [`IndicatorScore`].
    pub denominator: Value,
}

/// A rule or service norm that was looked up.
#[derive(Debug, Clone, PartialEq, Eq, Serialize, Deserialize)]
pub struct RuleRow {
    /// `rule` or `service_norm`.
    pub dataset: String,
    /// Every column with a value, as text, its lineage included.
    pub values: BTreeMap<String, String>,
}

/// A confirmed lead that counted.
#[derive(Debug, Clone, PartialEq, Eq, PartialOrd, Ord, Serialize, Deserialize)]
pub struct ConfirmedLead {
    /// Its kind.
    pub kind: String,
    /// The subject that it counted for.
    pub subject: String,
    /// Its id.
    pub lead_id: String,
    /// Who confirmed it.
    pub reviewed_by: String,
    /// When.
    pub reviewed_at: String,
    /// Dataset and key of the row that it is about.
    pub dataset: String,
    /// As of [`SampleRow`].
    pub key: String,
    /// As of [`SampleRow`].
    pub batch_id: Option<String>,
    /// As of [`SampleRow`].
    pub row_no: Option<i64>,
}

impl Scores {
    /// Forgets the deliveries of which no row is kept.
    pub fn keep_batches_of_rows(&mut self) {
        let rows = self.subjects.iter().flat_map(|subject| &subject.indicators).flat_map(|indicator| &indicator.sample);
        let used: BTreeSet<&str> = rows.filter_map(|row| row.batch_id.as_deref()).collect();
        self.batches.retain(|batch, _| used.contains(batch.as_str()));
    }

    /// A subject by code.
    pub fn subject(&self, code: &str) -> Option<&SubjectScore> {
        self.subjects.iter().find(|subject| subject.code == code)
    }
}

impl SubjectScore {
    /// Whether anything of it is provisional.
    pub fn is_provisional(&self) -> bool {
        !self.provisional.is_empty() || self.indicators.iter().any(|indicator| !indicator.provisional.is_empty())
    }
}
