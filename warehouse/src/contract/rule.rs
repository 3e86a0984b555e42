//! Row rules and references of a contract.

/// What breaking a rule does to a row.
#[derive(Debug, Clone, Copy, PartialEq, Eq, serde::Deserialize)]
#[serde(rename_all = "snake_case")]
pub enum Severity {
    /// The row is held, with its bytes, until a person or a later code frees it.
    Quarantine,
    /// The row is accepted and a finding is noted.
    Warn,
}

/// A condition every row must meet; a null result passes.
#[derive(Debug, Clone, serde::Deserialize)]
#[serde(deny_unknown_fields)]
pub struct RowRule {
    /// Name of the rule in quarantine and findings.
    pub name: String,
    /// SQL boolean over the contract's columns.
    pub check: String,
    /// Columns it is about; the first is reported.
    pub columns: Vec<String>,
    /// What breaking it does.
    pub severity: Severity,
    /// Reason in Chinese.
    pub message: String,
    /// Reason in English.
    pub message_en: String,
}

/// A reference to another dataset that never holds a row: while the other side is missing a
/// finding stands, and it clears by itself when the other side arrives.
#[derive(Debug, Clone, serde::Deserialize)]
#[serde(deny_unknown_fields)]
pub struct Reference {
    /// Name of the rule in findings.
    pub name: String,
    /// Columns that name the other side; all empty: no reference.
    pub columns: Vec<String>,
    /// The other side's dataset.
    pub dataset: String,
    /// The other side's columns, in the same order.
    pub dataset_columns: Vec<String>,
    /// SQL boolean that says for which rows it applies.
    #[serde(default)]
    pub when: Option<String>,
    /// Reason in Chinese.
    pub message: String,
    /// Reason in English.
    pub message_en: String,
}
