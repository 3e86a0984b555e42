//! Schemes: what is assessed, by which metrics, with what weight. `schemes/<id>.toml` of a deployment, and
//! three defaults inside the binary.

mod file;
mod soundness;

use std::collections::BTreeMap;
use std::path::Path;

use chrono::NaiveDate;

use super::exact::Exact;
use super::period::PeriodKind;
use crate::catalogue::{Catalogue, Metric};
use crate::dimension::Dimension;
use crate::embedded;
use crate::error::{Error, Result};
use crate::own_files::own_files;
use crate::suggestion::did_you_mean;

/// The grade below the lowest that a scheme names.
pub(crate) const BELOW: &str = "不合格";

/// A scheme, sound against the catalogue.
#[derive(Debug, Clone)]
pub struct Scheme {
    /// The stem of its file.
    pub id: String,
    /// Chinese title.
    pub title: String,
    /// Goes up with every change.
    pub version: u32,
    /// First day of the periods it may be used for.
    pub valid_from: NaiveDate,
    /// Last day of them, where it has an end.
    pub valid_to: Option<NaiveDate>,
    /// Who is assessed.
    pub subjects: SubjectKind,
    /// How long a period is.
    pub period: PeriodKind,
    /// What is assessed; their weights sum to 100.
    pub indicators: Vec<Indicator>,
    /// What caps the grade.
    pub vetoes: Vec<Veto>,
    /// The grades, the best first.
    pub grades: Vec<Grade>,
    /// The file as it was read.
    pub text: String,
}

/// Who is assessed.
#[derive(Debug, Clone, Copy, PartialEq, Eq, serde::Serialize, serde::Deserialize)]
#[serde(rename_all = "snake_case")]
pub enum SubjectKind {
    /// 设区市.
    City,
    /// 县(市、区).
    County,
    /// 行业主管部门.
    Department,
    /// 保险机构.
    Insurer,
}

/// One metric of a scheme.
#[derive(Debug, Clone)]
pub struct Indicator {
    /// The metric.
    pub metric: String,
    /// Its parameters, where they are not the defaults.
    pub params: BTreeMap<String, String>,
    pub(crate) weight: Exact,
    /// How a value becomes points.
    pub scoring: Scoring,
    /// Where it is judged sector by sector: the weight of each sector among them.
    pub(crate) sector_weights: BTreeMap<String, Exact>,
    pub(crate) gate: Option<Gate>,
}

/// How a value becomes points.
#[derive(Debug, Clone)]
#[allow(private_interfaces, reason = "the bounds are read by scoring alone")]
pub enum Scoring {
    /// weight × clamp((x − lo) / (hi − lo), 0, 1).
    Linear { lo: Exact, hi: Exact },
    /// weight × the share of the first step that matches, else `otherwise`.
    Steps { steps: Vec<Step>, otherwise: Exact },
    /// max(0, weight − min(most, floor(x / per) × each)).
    Deduct { per: Exact, each: Exact, most: Exact },
}

/// One step: bounds that both hold, and the share of the weight.
#[derive(Debug, Clone)]
pub(crate) struct Step {
    pub(crate) at_least: Option<Exact>,
    pub(crate) at_most: Option<Exact>,
    pub(crate) share: Exact,
}

/// A doubt about an indicator: its metric out of bounds for the subject makes the indicator provisional.
#[derive(Debug, Clone)]
pub(crate) struct Gate {
    pub(crate) metric: String,
    pub(crate) at_least: Option<Exact>,
    pub(crate) at_most: Option<Exact>,
}

/// So many confirmed leads cap the grade.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct Veto {
    /// Kind of the leads.
    pub lead: String,
    /// Smallest number of confirmed ones that caps.
    pub confirmed_at_least: u32,
    /// The best grade that is still given.
    pub cap_grade: String,
}

/// A grade and the points from which on it is given.
#[derive(Debug, Clone)]
pub struct Grade {
    /// Its name.
    pub name: String,
    pub(crate) from: Exact,
}

impl Grade {
    /// The points from which on it is given.
    pub fn from_points(&self) -> serde_json::Number {
        self.from.to_digits(4)
    }
}

impl Indicator {
    /// Its weight.
    pub fn weight(&self) -> serde_json::Number {
        self.weight.to_digits(4)
    }
}

impl SubjectKind {
    const ALL: [Self; 4] = [Self::City, Self::County, Self::Department, Self::Insurer];

    /// Its name in schemes, addresses and answers.
    pub fn name(self) -> &'static str {
        match self {
            Self::City => "city",
            Self::County => "county",
            Self::Department => "department",
            Self::Insurer => "insurer",
        }
    }

    /// A kind by its name.
    pub fn parse(name: &str) -> Option<Self> {
        Self::ALL.into_iter().find(|kind| kind.name() == name)
    }

    /// The dimension whose members are the subjects.
    pub fn dimension(self) -> Dimension {
        match self {
            Self::City => Dimension::City,
            Self::County => Dimension::County,
            Self::Department => Dimension::Department,
            Self::Insurer => Dimension::Insurer,
        }
    }

    /// The dimension of a metric that tells its subjects apart: what is reported by insurers is known by
    /// who reports it.
    pub(crate) fn dimension_of(self, metric: &Metric) -> Option<Dimension> {
        let has = |dimension| metric.dimensions.contains(&dimension);
        match self {
            Self::Insurer if !has(Dimension::Insurer) => Some(Dimension::Reporter).filter(|reporter| has(*reporter)),
            _ => Some(self.dimension()).filter(|own| has(*own)),
        }
    }
}

/// Every scheme of a deployment.
#[derive(Debug, Clone)]
pub struct Schemes {
    schemes: Vec<Scheme>,
}

impl Schemes {
    /// The defaults and those of a deployment's own folder, which may be missing. A file named as a default
    /// takes its place.
    ///
    /// # Errors
    /// Catalogue: every fault of every file, each with file, line and key.
    pub fn load(own: Option<&Path>, catalogue: &Catalogue) -> Result<Self> {
        let mut files: BTreeMap<String, (String, String)> = BTreeMap::new();
        for (file, text) in embedded::SCHEMES {
            let id = file.strip_suffix(".toml").unwrap_or(file);
            files.insert(id.to_owned(), (format!("schemes/{file} (built in)"), (*text).to_owned()));
        }
        for (file, text) in own.map(|folder| own_files(folder, &[".toml"])).transpose()?.unwrap_or_default() {
            let id = file.strip_suffix(".toml").unwrap_or(&file);
            files.insert(id.to_owned(), (format!("schemes/{file}"), text));
        }
        let mut faults = Vec::new();
        let mut schemes = Vec::new();
        for (id, (file, text)) in &files {
            match read(id, file, text, catalogue) {
                Ok(scheme) => schemes.push(scheme),
                Err(found) => faults.extend(found),
            }
        }
        match faults.is_empty() {
            true => Ok(Self { schemes }),
            false => Err(Error::catalogue(faults.join("\n"))),
        }
    }

    /// Every scheme, by id.
    pub fn schemes(&self) -> &[Scheme] {
        &self.schemes
    }

    /// A scheme by id.
    ///
    /// # Errors
    /// Question, which offers the nearest one.
    pub fn expect(&self, id: &str) -> Result<&Scheme> {
        self.schemes.iter().find(|scheme| scheme.id == id).ok_or_else(|| {
            let hint = did_you_mean(id, self.schemes.iter().map(|scheme| &scheme.id));
            let there: Vec<&str> = self.schemes.iter().map(|scheme| scheme.id.as_str()).collect();
            Error::question(format!("no scheme `{id}`{hint}; there are {}", there.join(", ")))
        })
    }
}

impl Scheme {
    /// Reads the text of a scheme again, as it was kept with an assessment.
    ///
    /// # Errors
    /// Catalogue, where the catalogue of today can no longer compute it.
    pub fn from_text(id: &str, text: &str, catalogue: &Catalogue) -> Result<Self> {
        let file = format!("schemes/{id}.toml");
        read(id, &file, text, catalogue).map_err(|faults| Error::catalogue(faults.join("\n")))
    }

    /// The same scheme for other subjects.
    ///
    /// # Errors
    /// Question, where one of its metrics cannot tell them apart.
    pub fn of_subjects(&self, subjects: SubjectKind, catalogue: &Catalogue) -> Result<Self> {
        let metrics = self.indicators.iter().map(|indicator| &indicator.metric);
        let gates = self.indicators.iter().filter_map(|indicator| indicator.gate.as_ref()).map(|gate| &gate.metric);
        for id in metrics.chain(gates) {
            if subjects.dimension_of(catalogue.expect(id)?).is_none() {
                let message =
                    format!("the scheme {} cannot assess by {}: {id} has no such dimension", self.id, subjects.name());
                return Err(Error::question(message));
            }
        }
        Ok(Self { subjects, ..self.clone() })
    }

    /// The same scheme with other weights, by metric. Those not named stay; all must sum to 100.
    ///
    /// # Errors
    /// Question.
    pub fn with_weights(&self, weights: &BTreeMap<String, String>) -> Result<Self> {
        let mut scheme = self.clone();
        for (metric, text) in weights {
            let Some(indicator) = scheme.indicators.iter_mut().find(|indicator| indicator.metric == *metric) else {
                let hint = did_you_mean(metric, self.indicators.iter().map(|indicator| &indicator.metric));
                return Err(Error::question(format!("the scheme {} has no indicator `{metric}`{hint}", self.id)));
            };
            indicator.weight = Exact::parse(text)
                .filter(|weight| !(Exact::whole(0).less(weight).is_above_zero()))
                .ok_or_else(|| Error::question(format!("{metric}: `{text}` is no weight; an example is 12.5")))?;
        }
        let sum = scheme.weight();
        match sum == Exact::whole(100) {
            true => Ok(scheme),
            false => Err(Error::question(format!("the weights must sum to 100, not to {}", sum.to_digits(6)))),
        }
    }

    pub(crate) fn weight(&self) -> Exact {
        self.indicators.iter().fold(Exact::whole(0), |sum, indicator| sum.plus(&indicator.weight))
    }
}

fn read(id: &str, file: &str, text: &str, catalogue: &Catalogue) -> Result<Scheme, Vec<String>> {
    let mut faults = file::Faults::new(file, text);
    let scheme = file::read(id, text, &mut faults);
    let scheme = match scheme {
        Some(parsed) => soundness::scheme(id, text, parsed, catalogue, &mut faults),
        None => None,
    };
    match (scheme, faults.found) {
        (Some(scheme), found) if found.is_empty() => Ok(scheme),
        (_, found) if found.is_empty() => Err(vec![format!("{file}: this is no scheme")]),
        (_, found) => Err(found),
    }
}
