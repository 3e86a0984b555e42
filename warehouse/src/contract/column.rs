//! A column of a contract: its type and what a value must be.

use datafusion::arrow::datatypes::{DataType, Field, TimeUnit};

/// What kind of values a column holds.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum ColumnType {
    /// UTF-8 text.
    Text,
    /// A whole number of 64 bits.
    Int,
    /// An exact decimal.
    Decimal {
        /// Digits in all.
        precision: u8,
        /// Digits after the point.
        scale: i8,
    },
    /// A calendar day.
    Date,
    /// An instant in UTC, microseconds.
    Timestamp,
    /// True or false.
    Bool,
}

impl ColumnType {
    /// The Arrow type that stores it.
    pub fn arrow(self) -> DataType {
        match self {
            Self::Text => DataType::Utf8,
            Self::Int => DataType::Int64,
            Self::Decimal { precision, scale } => DataType::Decimal128(precision, scale),
            Self::Date => DataType::Date32,
            Self::Timestamp => DataType::Timestamp(TimeUnit::Microsecond, Some("UTC".into())),
            Self::Bool => DataType::Boolean,
        }
    }

    /// Reads the notation of contracts: `text`, `int`, `decimal(18,2)`, `ratio`, `date`, …
    pub(super) fn parse(text: &str) -> Option<Self> {
        Some(match text {
            "text" => Self::Text,
            "int" => Self::Int,
            "ratio" => Self::Decimal { precision: 9, scale: 6 },
            "date" => Self::Date,
            "timestamp" => Self::Timestamp,
            "bool" => Self::Bool,
            decimal => {
                let inside = decimal.strip_prefix("decimal(")?.strip_suffix(')')?;
                let (precision, scale) = inside.split_once(',')?;
                let (precision, scale) = (precision.trim().parse().ok()?, scale.trim().parse().ok()?);
                if !(1..=38).contains(&precision) || scale < 0 || scale as u8 > precision {
                    return None;
                }
                Self::Decimal { precision, scale }
            }
        })
    }

    /// The notation of contracts, for dictionaries.
    pub fn notation(self) -> String {
        match self {
            Self::Text => "text".into(),
            Self::Int => "int".into(),
            Self::Decimal { precision: 9, scale: 6 } => "ratio".into(),
            Self::Decimal { precision, scale } => format!("decimal({precision},{scale})"),
            Self::Date => "date".into(),
            Self::Timestamp => "timestamp".into(),
            Self::Bool => "bool".into(),
        }
    }
}

/// A format that text must keep.
#[derive(Debug, Clone, Copy, PartialEq, Eq, serde::Deserialize)]
#[serde(rename_all = "snake_case")]
pub enum TextFormat {
    /// 统一社会信用代码, GB 32100-2015, with both check characters.
    CreditCode,
}

/// A code list kept as a dataset; a code not in it holds the row until the code arrives.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Hash, PartialOrd, Ord, serde::Deserialize)]
#[serde(rename_all = "snake_case")]
pub enum KnownCode {
    /// `region.code`; a former code with a successor is mapped.
    Region,
    /// `sector.code`.
    Sector,
    /// `insurer.code`.
    Insurer,
}

impl KnownCode {
    /// The dataset that holds the codes; its key column is `code`.
    pub fn dataset(self) -> &'static str {
        match self {
            Self::Region => "region",
            Self::Sector => "sector",
            Self::Insurer => "insurer",
        }
    }
}

/// One column of a contract.
#[derive(Debug, Clone)]
pub struct Column {
    /// Name in SQL, in feeds and in answers.
    pub name: String,
    /// Type of its values.
    pub kind: ColumnType,
    /// Chinese title.
    pub title: String,
    /// English title.
    pub title_en: String,
    /// More, where the title does not say it all.
    pub description: String,
    /// A value must be there.
    pub required: bool,
    /// The empty value is legal in the key and means *all*.
    pub empty_means_all: bool,
    /// The values allowed; empty: any.
    pub codes: Vec<String>,
    /// Smallest value allowed, exact, in the column's own scale (units of the last digit).
    pub min: Option<i128>,
    /// Largest value allowed, exact, in the column's own scale.
    pub max: Option<i128>,
    /// Format of text.
    pub format: Option<TextFormat>,
    /// Code list kept as a dataset.
    pub known: Option<KnownCode>,
    /// An event: not later than a day after landing.
    pub event: bool,
    /// Masked below `admin`.
    pub sensitive: bool,
    /// Unit of measure, for the dictionary.
    pub unit: String,
}

impl Column {
    /// The Arrow field; nullable unless required.
    pub fn field(&self) -> Field {
        Field::new(&self.name, self.kind.arrow(), !self.required)
    }
}
