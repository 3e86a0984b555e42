//! What is wrong with an expression, and where in it.

use datafusion::error::DataFusionError;
use datafusion::sql::sqlparser::parser::ParserError;
use datafusion::sql::sqlparser::tokenizer::Location;

/// Longest reason told of one record, characters.
const LONGEST: usize = 200;

/// A fault of an expression.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct SqlFault {
    /// What is wrong.
    pub message: String,
    /// Where, in characters from the beginning of the expression.
    pub at: usize,
}

impl SqlFault {
    /// A fault of the whole.
    pub(super) fn of_all(message: impl Into<String>) -> Self {
        Self { message: message.into(), at: 0 }
    }

    /// A fault at a place that the parser knows.
    pub(super) fn at(sql: &str, place: Location, message: impl Into<String>) -> Self {
        Self { message: message.into(), at: offset(sql, place) }
    }

    /// What the parser did not understand. It writes the place into its words, and has none for the end.
    pub(super) fn parsing(sql: &str, error: &ParserError) -> Self {
        let text = match error {
            ParserError::ParserError(text) | ParserError::TokenizerError(text) => text.clone(),
            ParserError::RecursionLimitExceeded => "is nested too deeply".to_owned(),
        };
        let Some((message, place)) = text.rsplit_once(" at Line: ") else {
            return Self { message: text, at: sql.chars().count() };
        };
        let place = place.split_once(", Column: ").and_then(|(line, column)| {
            Some(Location { line: line.trim().parse().ok()?, column: column.trim().parse().ok()? })
        });
        Self { message: message.to_owned(), at: place.map_or(0, |place| offset(sql, place)) }
    }
}

/// Characters before a place; lines and columns count from 1, and 0 stands for an unknown place.
fn offset(sql: &str, place: Location) -> usize {
    let lines = usize::try_from(place.line.saturating_sub(1)).unwrap_or(0);
    let before: usize = sql.split_inclusive('\n').take(lines).map(|line| line.chars().count()).sum();
    before + usize::try_from(place.column.saturating_sub(1)).unwrap_or(0)
}

/// The engine's reason in one short line, without the names of its layers.
pub(super) fn told(error: &DataFusionError) -> String {
    let text = error.strip_backtrace();
    let mut text = text.lines().next().unwrap_or_default();
    while let Some((layer, rest)) = text.split_once(": ") {
        if !(layer.ends_with(" error") || layer.ends_with("Error")) {
            break;
        }
        text = rest;
    }
    match text.char_indices().nth(LONGEST) {
        Some((end, _)) => format!("{}…", &text[..end]),
        None => text.to_owned(),
    }
}
