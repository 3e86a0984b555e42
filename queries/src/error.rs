//! The error of questions and answers: what the caller can do about it, said for people.

use std::fmt;

/// What a caller can do about an error.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum ErrorKind {
    /// The question is wrong (an unknown metric, dimension or parameter, a day out of reach).
    Question,
    /// A file of the catalogue is wrong: the message names it, with line and column where known.
    Catalogue,
    /// The SQL statement is wrong or not allowed.
    Statement,
    /// The question needs more time, memory or rows than allowed.
    Limit,
    /// A fault of ours or of the store; the cause is for the log, not for the caller.
    Internal,
}

/// A line and a column in a file or statement, both from 1.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub struct Position {
    /// Line, from 1.
    pub line: u64,
    /// Column, from 1.
    pub column: u64,
}

impl fmt::Display for Position {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        write!(f, "line {}, column {}", self.line, self.column)
    }
}

/// An error with its kind, a sentence for people, the place and the cause.
#[derive(Debug)]
pub struct Error {
    kind: ErrorKind,
    message: String,
    position: Option<Position>,
    source: Option<Box<dyn std::error::Error + Send + Sync>>,
}

/// Results of this crate.
pub type Result<T, E = Error> = std::result::Result<T, E>;

impl Error {
    /// An error without a cause from below.
    pub fn new(kind: ErrorKind, message: impl Into<String>) -> Self {
        Self { kind, message: message.into(), position: None, source: None }
    }

    /// Shorthand for [`ErrorKind::Question`].
    pub fn question(message: impl Into<String>) -> Self {
        Self::new(ErrorKind::Question, message)
    }

    /// Shorthand for [`ErrorKind::Catalogue`].
    pub fn catalogue(message: impl Into<String>) -> Self {
        Self::new(ErrorKind::Catalogue, message)
    }

    /// The same error at a place in a statement or file.
    pub fn at(mut self, position: Option<Position>) -> Self {
        self.position = position.or(self.position);
        self
    }

    /// The same error with its cause, which is never shown to a caller.
    pub fn because(mut self, source: impl Into<Box<dyn std::error::Error + Send + Sync>>) -> Self {
        self.source = Some(source.into());
        self
    }

    /// What the caller can do about it.
    pub fn kind(&self) -> ErrorKind {
        self.kind
    }

    /// Where in the statement, if known.
    pub fn position(&self) -> Option<Position> {
        self.position
    }

    /// The sentence without the place.
    pub fn message(&self) -> &str {
        &self.message
    }
}

impl fmt::Display for Error {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.write_str(&self.message)?;
        match self.position {
            Some(position) => write!(f, " ({position})"),
            None => Ok(()),
        }
    }
}

impl std::error::Error for Error {
    fn source(&self) -> Option<&(dyn std::error::Error + 'static)> {
        self.source.as_ref().map(|source| source.as_ref() as &(dyn std::error::Error + 'static))
    }
}

impl From<anze_warehouse::Error> for Error {
    fn from(error: anze_warehouse::Error) -> Self {
        Self::new(ErrorKind::Internal, "the warehouse could not be read").because(error)
    }
}

impl From<datafusion::error::DataFusionError> for Error {
    fn from(error: datafusion::error::DataFusionError) -> Self {
        crate::statement::engine_error(error)
    }
}

impl From<datafusion::arrow::error::ArrowError> for Error {
    fn from(error: datafusion::arrow::error::ArrowError) -> Self {
        Self::new(ErrorKind::Internal, "an answer could not be read from its columns").because(error)
    }
}
