//! The file of a scheme, as it is written, and its faults with file, line and key.

use std::collections::BTreeMap;
use std::fmt::Display;
use std::ops::Range;

use serde::Deserialize;
use toml::Spanned;
use toml::value::Datetime;

use crate::assessment::exact::Exact;

/// A number as it is written: never a float on the way.
pub(super) type Written = Spanned<toml::Value>;

#[derive(Deserialize)]
#[serde(deny_unknown_fields)]
pub(super) struct SchemeFile {
    pub(super) title: String,
    pub(super) version: Spanned<u32>,
    pub(super) valid_from: Spanned<Datetime>,
    pub(super) valid_to: Option<Spanned<Datetime>>,
    pub(super) subjects: Spanned<String>,
    pub(super) period: Spanned<String>,
    pub(super) indicators: Spanned<Vec<IndicatorFile>>,
    #[serde(default)]
    pub(super) vetoes: Vec<VetoFile>,
    pub(super) grades: Spanned<BTreeMap<Spanned<String>, Written>>,
}

#[derive(Deserialize)]
#[serde(deny_unknown_fields)]
pub(super) struct IndicatorFile {
    pub(super) metric: Spanned<String>,
    pub(super) weight: Written,
    #[serde(default)]
    pub(super) params: BTreeMap<Spanned<String>, Written>,
    pub(super) scoring: Spanned<ScoringFile>,
    #[serde(default)]
    pub(super) sector_weights: Option<Spanned<BTreeMap<Spanned<String>, Written>>>,
    pub(super) gate: Option<GateFile>,
}

#[derive(Deserialize)]
#[serde(deny_unknown_fields)]
pub(super) struct ScoringFile {
    pub(super) linear: Option<LinearFile>,
    pub(super) steps: Option<Vec<StepFile>>,
    pub(super) otherwise: Option<Written>,
    pub(super) deduct: Option<DeductFile>,
}

#[derive(Deserialize)]
#[serde(deny_unknown_fields)]
pub(super) struct LinearFile {
    pub(super) lo: Written,
    pub(super) hi: Written,
}

#[derive(Deserialize)]
#[serde(deny_unknown_fields)]
pub(super) struct StepFile {
    pub(super) at_most: Option<Written>,
    pub(super) at_least: Option<Written>,
    pub(super) share: Written,
}

#[derive(Deserialize)]
#[serde(deny_unknown_fields)]
pub(super) struct DeductFile {
    pub(super) per: Written,
    pub(super) each: Written,
    pub(super) most: Written,
}

#[derive(Deserialize)]
#[serde(deny_unknown_fields)]
pub(super) struct GateFile {
    pub(super) metric: Spanned<String>,
    pub(super) at_least: Option<Written>,
    pub(super) at_most: Option<Written>,
}

#[derive(Deserialize)]
#[serde(deny_unknown_fields)]
pub(super) struct VetoFile {
    pub(super) lead: Spanned<String>,
    pub(super) confirmed_at_least: Spanned<i64>,
    pub(super) cap_grade: Spanned<String>,
}

/// What is wrong with a file: `schemes/x.toml, line 12: indicators[2].weight: …`.
pub(super) struct Faults<'a> {
    file: &'a str,
    text: &'a str,
    pub(super) found: Vec<String>,
}

impl<'a> Faults<'a> {
    pub(super) fn new(file: &'a str, text: &'a str) -> Self {
        Self { file, text, found: Vec::new() }
    }

    /// Notes a fault of a key, on the line where its value begins.
    pub(super) fn add(&mut self, span: Range<usize>, key: &str, message: impl Display) {
        let place = self.place(&span);
        self.found.push(format!("{place}: {key}: {message}"));
    }

    /// The text of a value as it stands in the file.
    pub(super) fn written(&self, span: Range<usize>) -> String {
        self.text.get(span).unwrap_or_default().trim().to_owned()
    }

    /// Reads a number, or notes the fault.
    pub(super) fn number(&mut self, written: &Written, key: &str) -> Option<Exact> {
        let number = self.quiet_number(written);
        if number.is_none() {
            let text = self.written(written.span());
            self.add(written.span(), key, format!("`{text}` is no plain number; an example is 0.8"));
        }
        number
    }

    /// Reads a number; that it is none is noted elsewhere.
    pub(super) fn quiet_number(&self, written: &Written) -> Option<Exact> {
        match written.get_ref() {
            toml::Value::Integer(_) | toml::Value::Float(_) => Exact::parse(&self.written(written.span())),
            _ => None,
        }
    }

    /// Reads a day, or notes the fault.
    pub(super) fn day(&mut self, written: &Spanned<Datetime>, key: &str) -> Option<chrono::NaiveDate> {
        let text = written.get_ref().to_string();
        let day = text.parse().ok();
        if day.is_none() {
            self.add(written.span(), key, format!("`{text}` is no day; an example is 2025-01-01"));
        }
        day
    }

    fn place(&self, span: &Range<usize>) -> String {
        let before = self.text.get(..span.start).unwrap_or_default();
        let line = before.bytes().filter(|byte| *byte == b'\n').count() + 1;
        format!("{}, line {line}", self.file)
    }
}

/// Reads the file's form; what the TOML reader refuses is told with the key it stands at.
pub(super) fn read(id: &str, text: &str, faults: &mut Faults<'_>) -> Option<SchemeFile> {
    let plain = |letter: u8| letter.is_ascii_lowercase() || letter.is_ascii_digit() || b"-_".contains(&letter);
    if id.is_empty() || id.len() > 100 || !id.bytes().all(plain) {
        faults.add(0..0, "file name", format!("`{id}`: the name of a scheme is lower case letters, digits, - and _"));
    }
    match toml::from_str(text) {
        Ok(file) => Some(file),
        Err(error) => {
            let span = error.span().unwrap_or(0..0);
            let line = text.get(..span.start).map_or(0, |before| before.rfind('\n').map_or(0, |end| end + 1));
            let key = text[line..].lines().next().unwrap_or_default().split('=').next().unwrap_or_default().trim();
            let key = if key.is_empty() { "the file" } else { key }.to_owned();
            faults.add(span, &key, error.message().replace('\n', " "));
            None
        }
    }
}
