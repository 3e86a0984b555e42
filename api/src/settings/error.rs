//! A refusal of `anze.toml`: file, line, key, the offending line, and what to do.

use std::fmt;
use std::path::Path;

/// Why the settings were refused.
#[derive(Debug, thiserror::Error)]
pub enum SettingsError {
    #[error("{} holds no anze.toml ({cause})\nname a deployment with -C DIR, or write one with: anze init DIR", dir.display())]
    Unreadable { dir: std::path::PathBuf, cause: std::io::Error },
    #[error("{0}")]
    Refused(Box<Refusal>),
}

/// Where and why a line was refused.
#[derive(Debug)]
pub struct Refusal {
    file: String,
    line_no: usize,
    section: Option<String>,
    key: Option<String>,
    line: String,
    /// Characters before the mark, and its length.
    mark: (usize, usize),
    message: String,
}

impl fmt::Display for Refusal {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        write!(f, "{}:{}: ", self.file, self.line_no)?;
        match (&self.section, &self.key) {
            (Some(section), Some(key)) => write!(f, "[{section}] {key}: ")?,
            (Some(section), None) => write!(f, "[{section}]: ")?,
            (None, Some(key)) => write!(f, "{key}: ")?,
            (None, None) => {}
        }
        writeln!(f, "{}", self.message)?;
        let number = self.line_no.to_string();
        let (before, length) = self.mark;
        writeln!(f, "  {number} | {}", self.line)?;
        let gutter = " ".repeat(number.len());
        writeln!(f, "  {gutter} | {}{}", " ".repeat(before), "^".repeat(length.max(1)))?;
        write!(f, "correct this line, or delete it: every key has a default")
    }
}

impl SettingsError {
    pub(super) fn unreadable(dir: &Path, cause: std::io::Error) -> Self {
        Self::Unreadable { dir: dir.to_owned(), cause }
    }

    /// What the TOML reader refused, told with the line it stands on.
    pub(super) fn refused(file: &str, text: &str, cause: &toml::de::Error) -> Self {
        let span = cause.span().unwrap_or(0..0);
        Self::at(file, text, span, &plain(cause.message()))
    }

    /// A value that is well-formed and still wrong.
    pub(super) fn of_key(file: &str, text: &str, section: &str, key: &str, message: &str) -> Self {
        let mut offset = 0;
        let mut current = None;
        for line in text.split_inclusive('\n') {
            current = section_of(line).or(current);
            if current == Some(section) && key_of(line) == Some(key) {
                let end = offset + line.trim_end().len();
                let start = offset + line.len() - line.trim_start().len();
                return Self::at(file, text, start..end, message);
            }
            offset += line.len();
        }
        Self::at(file, text, 0..0, &format!("[{section}] {key}: {message}"))
    }

    fn at(file: &str, text: &str, span: std::ops::Range<usize>, message: &str) -> Self {
        let start = floor_boundary(text, span.start);
        let line_start = text[..start].rfind('\n').map_or(0, |end| end + 1);
        let line = text[line_start..].lines().next().unwrap_or_default();
        let marked = &text[start..floor_boundary(text, span.end.max(start))];
        let length = marked.lines().next().unwrap_or_default().chars().count();
        let section = text[..line_start + line.len()].lines().rev().find_map(section_of);
        let message = match section_of(line) {
            Some(_) => message.replacen("unknown key", "unknown section", 1),
            None => message.to_owned(),
        };
        Self::Refused(Box::new(Refusal {
            file: file.to_owned(),
            line_no: text[..line_start].matches('\n').count() + 1,
            section: section.map(str::to_owned),
            key: key_of(line).map(str::to_owned),
            mark: (text[line_start..start].chars().count(), length),
            line: line.to_owned(),
            message,
        }))
    }
}

/// The reader's words in ours: a setting is a key, a choice is a value.
fn plain(message: &str) -> String {
    message.replace("unknown field", "unknown key").replace("unknown variant", "unknown value")
}

fn section_of(line: &str) -> Option<&str> {
    let line = line.split('#').next().unwrap_or_default().trim();
    line.strip_prefix('[')?.strip_suffix(']').map(|name| name.trim_matches(['[', ']', ' ']))
}

fn key_of(line: &str) -> Option<&str> {
    let (key, _) = line.split_once('=')?;
    let key = key.trim();
    (!key.is_empty() && !key.starts_with('#')).then_some(key)
}

fn floor_boundary(text: &str, index: usize) -> usize {
    let index = index.min(text.len());
    (0..=index).rev().find(|at| text.is_char_boundary(*at)).unwrap_or(0)
}
