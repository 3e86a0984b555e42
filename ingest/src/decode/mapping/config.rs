//! What a feed file writes of a column or a constant.

use std::collections::BTreeMap;
use std::fmt;

use serde::de::value::MapAccessDeserializer;
use serde::de::{self, MapAccess, Visitor};
use serde::{Deserialize, Deserializer};

/// What one of their columns becomes: the name of ours, or a table that says more.
#[derive(Debug, Clone, Default, PartialEq, Eq)]
pub struct ColumnConfig {
    /// Our column.
    pub to: String,
    /// Their numbers are multiplied by it, exactly.
    pub scale: Option<String>,
    /// How dates and times are written, as in `strftime`.
    pub format: Option<String>,
    /// Their codes and ours.
    pub codes: BTreeMap<String, String>,
    /// Texts that mean *no value* in this column, instead of those of `[format]`.
    pub null: Option<Vec<String>>,
}

/// A value that every row of the feed has.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct ConstantConfig(String);

impl AsRef<str> for ConstantConfig {
    fn as_ref(&self) -> &str {
        &self.0
    }
}

impl<'de> Deserialize<'de> for ColumnConfig {
    fn deserialize<D: Deserializer<'de>>(deserializer: D) -> Result<Self, D::Error> {
        #[derive(Deserialize)]
        #[serde(deny_unknown_fields)]
        struct Table {
            to: String,
            scale: Option<ConstantConfig>,
            format: Option<String>,
            #[serde(default)]
            codes: BTreeMap<String, String>,
            null: Option<Vec<String>>,
        }

        struct NameOrTable;
        impl<'de> Visitor<'de> for NameOrTable {
            type Value = ColumnConfig;

            fn expecting(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
                f.write_str("the name of a column, or a table such as { to = \"premium_written\", scale = 10000 }")
            }

            fn visit_str<E: de::Error>(self, to: &str) -> Result<ColumnConfig, E> {
                Ok(ColumnConfig { to: to.into(), ..ColumnConfig::default() })
            }

            fn visit_map<A: MapAccess<'de>>(self, map: A) -> Result<ColumnConfig, A::Error> {
                let Table { to, scale, format, codes, null } = Table::deserialize(MapAccessDeserializer::new(map))?;
                Ok(ColumnConfig { to, scale: scale.map(|scale| scale.0), format, codes, null })
            }
        }
        deserializer.deserialize_any(NameOrTable)
    }
}

impl<'de> Deserialize<'de> for ConstantConfig {
    fn deserialize<D: Deserializer<'de>>(deserializer: D) -> Result<Self, D::Error> {
        struct Scalar;
        impl Visitor<'_> for Scalar {
            type Value = ConstantConfig;

            fn expecting(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
                f.write_str("a text, a number, true or false")
            }

            fn visit_str<E: de::Error>(self, text: &str) -> Result<ConstantConfig, E> {
                Ok(ConstantConfig(text.into()))
            }

            fn visit_i64<E: de::Error>(self, number: i64) -> Result<ConstantConfig, E> {
                Ok(ConstantConfig(number.to_string()))
            }

            fn visit_u64<E: de::Error>(self, number: u64) -> Result<ConstantConfig, E> {
                Ok(ConstantConfig(number.to_string()))
            }

            /// The shortest digits that mean this number are those that were written.
            fn visit_f64<E: de::Error>(self, number: f64) -> Result<ConstantConfig, E> {
                Ok(ConstantConfig(number.to_string()))
            }

            fn visit_bool<E: de::Error>(self, truth: bool) -> Result<ConstantConfig, E> {
                Ok(ConstantConfig(truth.to_string()))
            }
        }
        deserializer.deserialize_any(Scalar)
    }
}
