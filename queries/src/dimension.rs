//! What an answer can be broken down by.

use std::fmt;

use serde::{Deserialize, Serialize};

/// The member of every dimension into which a missing reference or attribute falls.
pub const UNKNOWN: &str = "unknown";

/// A dimension, named the same in SQL, TOML, URLs and answers.
#[derive(Debug, Clone, Copy, PartialEq, Eq, PartialOrd, Ord, Hash, Serialize, Deserialize)]
#[serde(rename_all = "snake_case")]
pub enum Dimension {
    /// 设区市: the first four digits of the county and `00`.
    City,
    /// 县(市、区).
    County,
    /// 行业领域.
    Sector,
    /// 企业规模.
    Size,
    /// 保险机构.
    Insurer,
    /// 行业主管部门: the row's own, else the sector's.
    Department,
    /// 服务类型.
    ServiceType,
    /// 技术服务机构.
    Agency,
    /// Calendar month, each a period of its own; only of metrics over a period.
    Month,
    /// 报送源.
    Feed,
    /// 报送方.
    Reporter,
    /// 数据集.
    Dataset,
    /// 违法情形.
    Violation,
}

impl Dimension {
    /// Every dimension, in the order of interface.md.
    pub const ALL: [Self; 13] = [
        Self::City,
        Self::County,
        Self::Sector,
        Self::Size,
        Self::Insurer,
        Self::Department,
        Self::ServiceType,
        Self::Agency,
        Self::Month,
        Self::Feed,
        Self::Reporter,
        Self::Dataset,
        Self::Violation,
    ];

    /// Its name.
    pub fn name(self) -> &'static str {
        match self {
            Self::City => "city",
            Self::County => "county",
            Self::Sector => "sector",
            Self::Size => "size",
            Self::Insurer => "insurer",
            Self::Department => "department",
            Self::ServiceType => "service_type",
            Self::Agency => "agency",
            Self::Month => "month",
            Self::Feed => "feed",
            Self::Reporter => "reporter",
            Self::Dataset => "dataset",
            Self::Violation => "violation",
        }
    }

    /// The column of a metric's cases that holds it; `dataset` there names where a case comes from.
    pub(crate) fn column(self) -> &'static str {
        match self {
            Self::Dataset => "of_dataset",
            other => other.name(),
        }
    }

    /// A dimension by its name.
    pub fn parse(name: &str) -> Option<Self> {
        Self::ALL.into_iter().find(|dimension| dimension.name() == name)
    }

    /// Its Chinese title.
    pub fn title(self) -> &'static str {
        match self {
            Self::City => "设区市",
            Self::County => "县(市、区)",
            Self::Sector => "行业领域",
            Self::Size => "企业规模",
            Self::Insurer => "保险机构",
            Self::Department => "行业主管部门",
            Self::ServiceType => "服务类型",
            Self::Agency => "技术服务机构",
            Self::Month => "月份",
            Self::Feed => "报送源",
            Self::Reporter => "报送方",
            Self::Dataset => "数据集",
            Self::Violation => "违法情形",
        }
    }

    /// Its English title.
    pub fn title_en(self) -> &'static str {
        match self {
            Self::City => "City",
            Self::County => "County",
            Self::Sector => "Sector",
            Self::Size => "Size",
            Self::Insurer => "Insurer",
            Self::Department => "Department",
            Self::ServiceType => "Service type",
            Self::Agency => "Agency",
            Self::Month => "Month",
            Self::Feed => "Feed",
            Self::Reporter => "Reporter",
            Self::Dataset => "Dataset",
            Self::Violation => "Violation",
        }
    }

    /// The column of the answer that holds the member's name; months name themselves.
    pub(crate) fn name_column(self) -> Option<String> {
        (self != Self::Month).then(|| format!("{}_name", self.name()))
    }
}

/// The city of a county: its first four digits and `00`. None of what is no region code.
pub(crate) fn city_of(region: &str) -> Option<String> {
    Some(format!("{}00", region.get(..4)?))
}

impl fmt::Display for Dimension {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.write_str(self.name())
    }
}
