//! How a command ends: 0 done, 1 failed, 2 wrong usage or configuration, 3 done with findings.

use std::io;
use std::process::ExitCode;

use crate::problem::Problem;

/// How a command ended that did not fail.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum Outcome {
    Done,
    /// Done, but with held rows, held batches or findings.
    Findings,
}

/// Wrong usage or configuration: the caller must change something.
#[derive(Debug, thiserror::Error)]
#[error("{0}")]
pub struct Misuse(String);

impl Misuse {
    /// From a sentence that says what is wrong, where, and what to do.
    pub fn new(message: impl Into<String>) -> Self {
        Self(message.into())
    }

    /// The same from an error.
    pub fn from_error(error: impl std::fmt::Display) -> Self {
        Self(error.to_string())
    }
}

/// The exit code of a result, and what is said about it on standard error.
pub fn conclude(result: anyhow::Result<Outcome>) -> (ExitCode, Option<String>) {
    match result {
        Ok(Outcome::Done) => (ExitCode::SUCCESS, None),
        Ok(Outcome::Findings) => (ExitCode::from(3), None),
        Err(error) if is_broken_pipe(&error) => (ExitCode::SUCCESS, None),
        Err(error) => {
            let code = if is_misuse(&error) { 2 } else { 1 };
            (ExitCode::from(code), Some(format!("anze: {}", said(&error))))
        }
    }
}

/// Whoever read our output has seen enough: that is no error.
fn is_broken_pipe(error: &anyhow::Error) -> bool {
    error
        .chain()
        .any(|cause| cause.downcast_ref::<io::Error>().is_some_and(|cause| cause.kind() == io::ErrorKind::BrokenPipe))
}

fn is_misuse(error: &anyhow::Error) -> bool {
    error.chain().any(|cause| {
        cause.is::<Misuse>()
            || cause.is::<crate::settings::SettingsError>()
            || cause.downcast_ref::<Problem>().is_some_and(Problem::is_misuse)
            || cause.downcast_ref::<anze_queries::Error>().is_some_and(|cause| {
                matches!(cause.kind(), anze_queries::ErrorKind::Question | anze_queries::ErrorKind::Catalogue)
            })
            || cause
                .downcast_ref::<anze_ingest::Error>()
                .is_some_and(|cause| cause.kind() == anze_ingest::ErrorKind::Refused)
            || cause
                .downcast_ref::<anze_warehouse::Error>()
                .is_some_and(|cause| cause.kind() == anze_warehouse::ErrorKind::Refused)
    })
}

/// The error with its causes, none of them twice.
fn said(error: &anyhow::Error) -> String {
    let mut text = String::new();
    for cause in error.chain() {
        let message = cause.to_string();
        if !text.contains(&message) {
            if !text.is_empty() {
                text.push_str(": ");
            }
            text.push_str(&message);
        }
    }
    text
}

#[cfg(test)]
mod tests {
    use super::*;

    fn code(result: anyhow::Result<Outcome>) -> (String, Option<String>) {
        let (code, said) = conclude(result);
        (format!("{code:?}"), said)
    }

    fn exit(code: u8) -> String {
        format!("{:?}", ExitCode::from(code))
    }

    #[test]
    fn exit_codes_are_those_of_the_interface() {
        assert_eq!(code(Ok(Outcome::Done)), (exit(0), None));
        assert_eq!(code(Ok(Outcome::Findings)), (exit(3), None));
        assert_eq!(code(Err(anyhow::anyhow!("no space"))), (exit(1), Some("anze: no space".into())));
        let misuse = anyhow::Error::from(Misuse::new("no such feed")).context("cannot run");
        assert_eq!(code(Err(misuse)), (exit(2), Some("anze: cannot run: no such feed".into())));
    }

    #[test]
    fn a_reader_that_has_seen_enough_is_no_error() {
        let broken = io::Error::from(io::ErrorKind::BrokenPipe);
        assert_eq!(code(Err(anyhow::Error::from(broken).context("printing"))), (exit(0), None));
    }
}
