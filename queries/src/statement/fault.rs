//! What the engine's errors mean for a caller, and what of them a caller may read.

use datafusion::error::DataFusionError;

use crate::error::{Error, ErrorKind, Position};

/// Our error for one of the engine's: faults of the statement keep their words and their place;
/// whatever comes from files, stores or the engine itself keeps its words for the log.
pub(crate) fn engine_error(error: DataFusionError) -> Error {
    let position = position(&error);
    let error = match own(error) {
        Ok(own) => return own,
        Err(error) => error,
    };
    let root = error.find_root();
    let (kind, message) = match root {
        DataFusionError::ResourcesExhausted(_) => {
            let told = "the question needs more memory than questions may use; ask for less, or raise memory under \
                        [query] in anze.toml";
            (ErrorKind::Limit, told.to_owned())
        }
        DataFusionError::SQL(..)
        | DataFusionError::Plan(_)
        | DataFusionError::SchemaError(..)
        | DataFusionError::NotImplemented(_)
        | DataFusionError::Configuration(_)
        | DataFusionError::ArrowError(..)
        | DataFusionError::Execution(_) => (ErrorKind::Statement, words(root)),
        _ => (ErrorKind::Internal, "the question could not be answered".to_owned()),
    };
    Error::new(kind, message).at(position).because(error)
}

/// An error of ours that travelled through the engine comes back as it was.
fn own(error: DataFusionError) -> Result<Error, DataFusionError> {
    match error {
        DataFusionError::External(inner) => match inner.downcast::<Error>() {
            Ok(own) => Ok(*own),
            Err(inner) => Err(DataFusionError::External(inner)),
        },
        DataFusionError::Context(context, inner) => {
            own(*inner).map_err(|inner| DataFusionError::Context(context, Box::new(inner)))
        }
        other => Err(other),
    }
}

/// The engine's sentence without its own prefixes, file names and place.
fn words(error: &DataFusionError) -> String {
    let text = error.strip_backtrace();
    let text = ["SQL error: ", "Error during planning: ", "Schema error: ", "Arrow error: ", "Execution error: "]
        .iter()
        .fold(text.as_str(), |text, prefix| text.strip_prefix(prefix).unwrap_or(text));
    let text = match text.strip_prefix("ParserError(\"").and_then(|rest| rest.strip_suffix("\")")) {
        Some(inside) => inside.replace("\\\"", "\""),
        None => text.to_owned(),
    };
    match text.find(" at Line: ") {
        Some(end) => text[..end].to_owned(),
        None => text,
    }
}

fn position(error: &DataFusionError) -> Option<Position> {
    let span = error.diagnostic().and_then(|diagnostic| diagnostic.span);
    if let Some(span) = span {
        return Some(Position { line: span.start.line, column: span.start.column });
    }
    // The parser gives its place only in its words: "… at Line: 3, Column: 14".
    let text = error.strip_backtrace();
    let place = &text[text.rfind(" at Line: ")? + " at Line: ".len()..];
    let (line, rest) = place.split_once(", Column: ")?;
    let column: String = rest.chars().take_while(char::is_ascii_digit).collect();
    Some(Position { line: line.trim().parse().ok()?, column: column.parse().ok()? })
}
