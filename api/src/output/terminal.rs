//! Where a command prints: standard output for answers, standard error for talk.

use std::io::{self, IsTerminal, Write};

use super::Report;

/// The form of an answer on the command line.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Default, clap::ValueEnum)]
pub enum Format {
    /// For people.
    #[default]
    Table,
    /// For programs.
    Json,
    /// For spreadsheets.
    Csv,
}

/// How answers are printed.
#[derive(Debug, Clone, Copy)]
pub struct Terminal {
    pub format: Format,
    /// JSON on many lines.
    pub pretty: bool,
}

impl Terminal {
    /// Prints an answer in the form asked for.
    pub fn print(self, report: &Report) -> io::Result<()> {
        match self.format {
            Format::Table => self.write(&report.table()),
            Format::Csv => self.write(&report.csv()),
            Format::Json => self.write_json(&report.json),
        }
    }

    /// Prints JSON, compact unless `--pretty`.
    pub fn write_json(self, value: &serde_json::Value) -> io::Result<()> {
        let text = if self.pretty { serde_json::to_string_pretty(value)? } else { serde_json::to_string(value)? };
        self.write(&(text + "\n"))
    }

    /// Writes text to standard output.
    pub fn write(self, text: &str) -> io::Result<()> {
        self.write_bytes(text.as_bytes())
    }

    /// Writes bytes to standard output.
    pub fn write_bytes(self, bytes: &[u8]) -> io::Result<()> {
        let mut out = io::stdout().lock();
        out.write_all(bytes)?;
        out.flush()
    }

    /// Says something beside the answer, on standard error; a closed one is no failure.
    pub fn say(self, text: &str) {
        let _ = writeln!(io::stderr().lock(), "{text}");
    }

    /// Whether a person is at the keyboard.
    pub fn is_interactive(self) -> bool {
        io::stdin().is_terminal() && io::stderr().is_terminal()
    }
}
