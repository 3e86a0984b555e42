//! `[expressions]` of a feed and its `deleted_when`: SQL over columns of theirs, planned when the feed is
//! read.

use std::collections::BTreeMap;
use std::fmt;
use std::sync::Arc;

use serde::de::value::MapAccessDeserializer;
use serde::de::{self, Deserialize, Deserializer, MapAccess, Visitor};
use toml::Spanned;

use super::place;
use crate::decode::{ColumnConfig, ConfigFault, ConstantConfig, Mapping};
use crate::expression::{SourceExpression, SqlFault};

/// How one of our columns is computed: the expression, or a table that says more of its text.
#[derive(Debug, Clone)]
pub(super) struct ExpressionConfig {
    expr: Spanned<String>,
    /// `to` is filled in by its key.
    read_as: ColumnConfig,
}

/// A fault of an expression, with the value of the file that it stands in.
pub(super) struct ExpressionFault {
    key: String,
    value: std::ops::Range<usize>,
    fault: SqlFault,
}

impl ExpressionFault {
    fn new(key: String, expr: &Spanned<String>, fault: SqlFault) -> Self {
        Self { key, value: expr.span(), fault }
    }

    /// With file, line and column.
    pub(super) fn told(&self, feed_id: &str, text: &str) -> String {
        let (line, column) = place::of_character(text, self.value.clone(), self.fault.at);
        format!("feeds/{feed_id}.toml, line {line}, column {column}: {}: {}", self.key, self.fault.message)
    }
}

/// Lets a mapping compute what `[expressions]` says.
pub(super) fn columns(
    mapping: &mut Mapping,
    expressions: &BTreeMap<String, ExpressionConfig>,
    faults: &mut Vec<ExpressionFault>,
    others: &mut Vec<ConfigFault>,
) {
    for (name, config) in expressions {
        let fault = |fault| ExpressionFault::new(format!("expressions.{name}"), &config.expr, fault);
        let planned = match SourceExpression::value(config.expr.get_ref()) {
            Ok(planned) => planned,
            Err(found) => {
                faults.push(fault(found));
                continue;
            }
        };
        if config.read_as.format.is_some() && !planned.is_text() {
            let message = "format says how a text is written, and this gives none; leave it out".to_owned();
            faults.push(fault(SqlFault { message, at: 0 }));
            continue;
        }
        let read_as = ColumnConfig { to: name.clone(), ..config.read_as.clone() };
        if let Err(found) = mapping.compute(&read_as, Arc::new(planned)) {
            others.extend(found);
        }
    }
}

/// The condition for deleting a key.
pub(super) fn deletion(
    sql: Option<&Spanned<String>>,
    faults: &mut Vec<ExpressionFault>,
) -> Option<Arc<SourceExpression>> {
    let sql = sql?;
    match SourceExpression::condition(sql.get_ref()) {
        Ok(planned) => Some(Arc::new(planned)),
        Err(found) => {
            faults.push(ExpressionFault::new("contract.deleted_when".to_owned(), sql, found));
            None
        }
    }
}

impl<'de> Deserialize<'de> for ExpressionConfig {
    fn deserialize<D: Deserializer<'de>>(deserializer: D) -> Result<Self, D::Error> {
        #[derive(serde::Deserialize)]
        #[serde(deny_unknown_fields)]
        struct Table {
            expr: Spanned<String>,
            scale: Option<ConstantConfig>,
            format: Option<String>,
            #[serde(default)]
            codes: BTreeMap<String, String>,
            null: Option<Vec<String>>,
        }

        /// The expression alone, or the table; the place of the first is known only outside.
        enum Written {
            Alone(String),
            Table(Table),
        }

        struct AloneOrTable;
        impl<'de> Visitor<'de> for AloneOrTable {
            type Value = Written;

            fn expecting(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
                f.write_str("an SQL expression over their columns, or a table such as { expr = \"a || b\", format = \"%F %T\" }")
            }

            fn visit_str<E: de::Error>(self, expr: &str) -> Result<Written, E> {
                Ok(Written::Alone(expr.to_owned()))
            }

            fn visit_map<A: MapAccess<'de>>(self, map: A) -> Result<Written, A::Error> {
                Table::deserialize(MapAccessDeserializer::new(map)).map(Written::Table)
            }
        }
        impl<'de> Deserialize<'de> for Written {
            fn deserialize<D: Deserializer<'de>>(deserializer: D) -> Result<Self, D::Error> {
                deserializer.deserialize_any(AloneOrTable)
            }
        }
        let written = Spanned::<Written>::deserialize(deserializer)?;
        let span = written.span();
        Ok(match written.into_inner() {
            Written::Alone(expr) => Self { expr: Spanned::new(span, expr), read_as: ColumnConfig::default() },
            Written::Table(Table { expr, scale, format, codes, null }) => {
                let scale = scale.map(|scale| scale.as_ref().to_owned());
                Self { expr, read_as: ColumnConfig { to: String::new(), scale, format, codes, null } }
            }
        })
    }
}
