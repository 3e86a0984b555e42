//! The columns of the view `lead`, in order. A family's SQL gives those that it knows.

use std::sync::Arc;

use datafusion::arrow::datatypes::{DataType, Field, Schema, SchemaRef, TimeUnit};

pub(super) const LEAD_ID: &str = "lead_id";
pub(super) const KIND: &str = "kind";
pub(super) const SUBJECT_KIND: &str = "subject_kind";
pub(super) const SUBJECT_ID: &str = "subject_id";
pub(super) const REGION: &str = "region_code";
pub(super) const SECTOR: &str = "sector";
pub(super) const DEPARTMENT: &str = "department";
pub(super) const INSURER: &str = "insurer_code";
pub(super) const SINCE: &str = "since";
pub(super) const RULE: &str = "rule_id";
pub(super) const KEY: &str = "key";
pub(super) const STATE: &str = "state";
/// What beside the row tells one lead from another: the year, the clock. Part of the hash, not shown.
pub(super) const OCCASION: &str = "occasion";

/// The columns that a family's SQL may give, with their types; the others of the view are worked out.
pub(super) const GIVEN: [(&str, Type); 19] = [
    (KIND, Type::Text),
    (SUBJECT_KIND, Type::Text),
    (SUBJECT_ID, Type::Text),
    (REGION, Type::Text),
    (SECTOR, Type::Text),
    (DEPARTMENT, Type::Text),
    (INSURER, Type::Text),
    (SINCE, Type::Day),
    ("amount", Type::Money),
    ("heads", Type::Int),
    (RULE, Type::Text),
    ("dataset", Type::Text),
    (KEY, Type::Text),
    ("batch_id", Type::Text),
    ("row_no", Type::Int),
    ("found", Type::Measure),
    ("required", Type::Measure),
    ("deferral", Type::Text),
    ("detail", Type::Text),
];

/// What a review adds.
pub(super) const REVIEWED: [(&str, Type); 4] =
    [(STATE, Type::Text), ("reviewed_by", Type::Text), ("reviewed_at", Type::Instant), ("review_reason", Type::Text)];

/// The columns without which a family's SQL is refused.
pub(super) const NEEDED: [&str; 7] = [KIND, SUBJECT_KIND, SUBJECT_ID, "dataset", KEY, "batch_id", "row_no"];

/// Types of columns.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub(super) enum Type {
    Text,
    Int,
    Day,
    /// 元.
    Money,
    /// Whatever the kind measures, to six digits after the point.
    Measure,
    Instant,
}

impl Type {
    pub(super) fn arrow(self) -> DataType {
        match self {
            Self::Text => DataType::Utf8View,
            Self::Int => DataType::Int64,
            Self::Day => DataType::Date32,
            Self::Money => DataType::Decimal128(18, 2),
            Self::Measure => DataType::Decimal128(24, 6),
            Self::Instant => DataType::Timestamp(TimeUnit::Microsecond, Some("UTC".into())),
        }
    }
}

/// Every column of the view.
pub(super) fn all() -> impl Iterator<Item = (&'static str, Type)> {
    [(LEAD_ID, Type::Text)].into_iter().chain(GIVEN).chain(REVIEWED)
}

/// The schema of the view.
pub(super) fn schema() -> SchemaRef {
    Arc::new(Schema::new(all().map(|(name, kind)| Field::new(name, kind.arrow(), true)).collect::<Vec<_>>()))
}
