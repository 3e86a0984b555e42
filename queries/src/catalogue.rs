//! The catalogue: every metric the deployment can answer. A metric is data: its SQL gives cases, its
//! TOML says what they mean, and for built-in ones a hand-worked test stands beside them.

mod check;
mod declaration;
mod files;
mod parameter;

use std::path::Path;

use serde::Deserialize;

use crate::dimension::Dimension;
use crate::error::{Error, Result};
use crate::statement::Statement;
use crate::suggestion::did_you_mean;
use crate::survival::Fraction;
use crate::values::Strand;

pub use declaration::{Direction, Kind, Unit};
pub(crate) use parameter::ParameterEntry;
pub use parameter::{Parameter, ParameterType};

/// One metric.
#[derive(Debug, Clone)]
pub struct Metric {
    /// Its name everywhere: file, URL, SQL, command line.
    pub id: String,
    /// Chinese title.
    pub title: String,
    /// English title.
    pub title_en: String,
    /// What it says, in Chinese.
    pub definition: String,
    /// What it says, in English.
    pub definition_en: String,
    /// Legal basis.
    pub basis: String,
    /// Who answers for it.
    pub owner: String,
    /// Unit of its value.
    pub unit: Unit,
    /// As of a day, or over a period.
    pub kind: Kind,
    /// Whether more or less is better.
    pub direction: Direction,
    /// What it can be broken down by, in the declared order.
    pub dimensions: Vec<Dimension>,
    /// Its parameters, by name.
    pub params: Vec<Parameter>,
    /// Rules it looks up; cases without one leave the denominator and are counted.
    pub rules: Vec<String>,
    /// Whether its clocks count workdays; its cases then say where the calendar did not know them all.
    pub workdays: bool,
    /// How its value comes from its cases.
    pub(crate) value: ValueOf,
    /// On which days the rows of its sources count; `None`: not declared.
    pub(crate) months: Option<Vec<Strand>>,
    /// Its cases in SQL, parsed.
    pub(crate) cases: Statement,
    /// Its SQL file, as messages name it.
    pub(crate) sql_file: String,
    /// The SQL text.
    pub sql: String,
}

/// How a value comes from cases.
#[derive(Debug, Clone, PartialEq)]
pub(crate) enum ValueOf {
    /// From the sums of numerators and denominators.
    Sums {
        /// Further columns of the cases whose sums stand in the row, by name.
        further: Vec<String>,
    },
    /// From the sum of numerators alone: there is nothing that they are counted among.
    Tally {
        /// As of [`ValueOf::Sums`].
        further: Vec<String>,
    },
    /// The smallest t with S(t) ≤ survival, by Kaplan–Meier over the cases' days and events.
    KaplanMeier {
        /// The share still waiting at the value.
        survival: String,
        /// Further columns of the row, by name.
        fields: Vec<(String, SurvivalField)>,
    },
    /// Σ (amount of a party)² over (Σ amount)², of the cases' amounts and parties.
    Concentration {
        /// Further columns of the row, by name.
        fields: Vec<(String, PartiesField)>,
    },
}

impl ValueOf {
    /// Further columns of the cases to be summed up.
    pub(crate) fn sums(&self) -> &[String] {
        match self {
            Self::Sums { further } | Self::Tally { further } => further,
            Self::KaplanMeier { .. } | Self::Concentration { .. } => &[],
        }
    }

    /// Whether its cases have a denominator.
    pub(crate) fn has_denominator(&self) -> bool {
        !matches!(self, Self::Tally { .. })
    }

    /// Whether the sums of the parts of a dimension are the sums of the whole.
    #[cfg(test)]
    pub(crate) fn adds_up(&self) -> bool {
        !matches!(self, Self::Concentration { .. })
    }
}

/// A further column of a metric of concentration.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Deserialize)]
#[serde(rename_all = "snake_case")]
pub(crate) enum PartiesField {
    /// The amount of the largest party over the amount of all.
    LargestShare,
    /// The number of parties.
    Count,
}

/// A further column of a survival metric.
#[derive(Debug, Clone, PartialEq)]
pub(crate) enum SurvivalField {
    /// The smallest t with S(t) at most this.
    Quantile(String),
    /// The share with the event within so many days.
    Within(i64),
}

impl Metric {
    /// A parameter by name.
    pub fn param(&self, name: &str) -> Option<&Parameter> {
        self.params.iter().find(|param| param.name == name)
    }

    /// An error that names this metric's SQL file.
    pub(crate) fn fault(&self, error: &Error) -> Error {
        Error::catalogue(format!("{}: {error}", self.sql_file))
    }
}

/// Every metric of a deployment.
#[derive(Debug, Clone)]
pub struct Catalogue {
    metrics: Vec<Metric>,
}

impl Catalogue {
    /// The built-in metrics and those of a deployment's own folder, which may be missing.
    ///
    /// # Errors
    /// Catalogue, with the file and, where known, line and column: a file is missing, a key is
    /// unknown, a placeholder is not declared, an id stands twice.
    pub fn load(own_metrics: Option<&Path>) -> Result<Self> {
        let mut metrics = files::builtin()?;
        if let Some(folder) = own_metrics {
            for own in files::own(folder)? {
                if metrics.iter().any(|metric: &Metric| metric.id == own.id) {
                    let message = "a built-in metric has this id; a changed meaning needs a new one";
                    return Err(Error::catalogue(format!("{}: {message}", own.sql_file)));
                }
                metrics.push(own);
            }
        }
        metrics.sort_by(|a, b| a.id.cmp(&b.id));
        Ok(Self { metrics })
    }

    /// Every metric, by id.
    pub fn metrics(&self) -> &[Metric] {
        &self.metrics
    }

    /// A metric by id.
    pub fn metric(&self, id: &str) -> Option<&Metric> {
        self.metrics.iter().find(|metric| metric.id == id)
    }

    /// A metric by id, or an error that offers the nearest one.
    pub(crate) fn expect(&self, id: &str) -> Result<&Metric> {
        self.metric(id).ok_or_else(|| {
            let hint = did_you_mean(id, self.metrics.iter().map(|metric| &metric.id));
            Error::question(format!("no metric `{id}`{hint}"))
        })
    }
}

/// Whether a text is a share between 0 and 1.
pub(crate) fn is_share(text: &str) -> bool {
    Fraction::parse(text).is_some()
}
