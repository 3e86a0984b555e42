//! A family's TOML: what its kinds mean. Unknown keys are refused.

use std::collections::BTreeMap;

use serde::Deserialize;

use crate::catalogue::{Kind, ParameterEntry};

#[derive(Deserialize)]
#[serde(deny_unknown_fields)]
pub(super) struct Declaration {
    /// As of a day, or over a period for events.
    pub(super) span: Kind,
    pub(super) kinds: BTreeMap<String, KindEntry>,
    #[serde(default)]
    pub(super) params: BTreeMap<String, ParameterEntry>,
}

#[derive(Deserialize)]
#[serde(deny_unknown_fields)]
pub(super) struct KindEntry {
    pub(super) title: String,
    pub(super) title_en: String,
    pub(super) definition: String,
    pub(super) definition_en: String,
    pub(super) basis: String,
    /// The rule broken, where the SQL names none: a rule of the dataset, a finding or a metric.
    pub(super) rule: String,
    /// Unit of the columns `found` and `required`, where the SQL gives them.
    pub(super) measure: Option<String>,
}
