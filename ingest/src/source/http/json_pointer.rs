//! Looking into a JSON answer by pointer (RFC 6901) while it streams by: only what is pointed at is
//! kept in memory.

use std::fmt;
use std::io::Read;

use serde::de::{DeserializeSeed, Deserializer, IgnoredAny, MapAccess, SeqAccess, Visitor};
use serde_json::Value;

use crate::error::{Error, ErrorKind, Result};

/// A pointer such as `/page/next`; the empty one points at the whole answer.
#[derive(Debug, Clone, Default, PartialEq, Eq, serde::Deserialize)]
#[serde(try_from = "String")]
pub(super) struct Pointer(Vec<String>);

impl TryFrom<String> for Pointer {
    type Error = String;

    fn try_from(text: String) -> Result<Self, String> {
        if text.is_empty() {
            return Ok(Self(Vec::new()));
        }
        let parts = text.strip_prefix('/').ok_or_else(|| {
            format!("`{text}` is no JSON pointer; write for example /next or /page/next, beginning with a slash")
        })?;
        Ok(Self(parts.split('/').map(|part| part.replace("~1", "/").replace("~0", "~")).collect()))
    }
}

impl Pointer {
    /// The text or number at this place; `None` where there is nothing, null, false or an empty text.
    ///
    /// # Errors
    /// Source, where the answer is no JSON or holds something else at this place.
    pub(super) fn text(&self, json: impl Read) -> Result<Option<String>> {
        match self.find(json, Wanted::Text)? {
            Some(Found::Text(value)) => match value {
                Value::Null | Value::Bool(false) => Ok(None),
                Value::String(text) => Ok(Some(text).filter(|text| !text.is_empty())),
                Value::Number(number) => Ok(Some(number.to_string())),
                _ => Err(self.wrong("neither a text nor a number")),
            },
            _ => Ok(None),
        }
    }

    /// How many elements the array at this place has.
    ///
    /// # Errors
    /// Source, where the answer is no JSON or there is no array.
    pub(super) fn count(&self, json: impl Read) -> Result<u64> {
        match self.find(json, Wanted::Count)? {
            Some(Found::Count(Some(count))) => Ok(count),
            _ => Err(self.wrong("no array of rows; source.paging.rows points at it")),
        }
    }

    fn find(&self, json: impl Read, wanted: Wanted) -> Result<Option<Found>> {
        let mut json = serde_json::Deserializer::from_reader(json);
        Search { path: &self.0, wanted }.deserialize(&mut json).map_err(|error| {
            // The cause names line and column, and nothing of what stands there.
            let place = format!("line {}, column {}", error.line(), error.column());
            Error::new(ErrorKind::Source, format!("the answer is no JSON in which to look for the next page ({place})"))
        })
    }

    fn wrong(&self, what: &str) -> Error {
        let path: String = self.0.iter().map(|part| format!("/{part}")).collect();
        Error::new(ErrorKind::Source, format!("the answer has at `{path}` {what}"))
    }
}

#[derive(Clone, Copy)]
enum Wanted {
    Text,
    Count,
}

enum Found {
    Text(Value),
    /// Elements; `None`: what stands there is no array.
    Count(Option<u64>),
}

#[derive(Clone, Copy)]
struct Search<'p> {
    path: &'p [String],
    wanted: Wanted,
}

impl<'de> DeserializeSeed<'de> for Search<'_> {
    type Value = Option<Found>;

    fn deserialize<D: Deserializer<'de>>(self, json: D) -> Result<Self::Value, D::Error> {
        match (self.path, self.wanted) {
            ([], Wanted::Text) => Ok(Some(Found::Text(serde::Deserialize::deserialize(json)?))),
            _ => json.deserialize_any(self),
        }
    }
}

impl<'de> Visitor<'de> for Search<'_> {
    type Value = Option<Found>;

    fn expecting(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.write_str("JSON")
    }

    fn visit_map<M: MapAccess<'de>>(self, mut map: M) -> Result<Self::Value, M::Error> {
        let mut found = self.nothing();
        while let Some(key) = map.next_key::<String>()? {
            match self.path.split_first() {
                Some((name, path)) if *name == key => {
                    found = map.next_value_seed(Search { path, wanted: self.wanted })?;
                }
                _ => {
                    map.next_value::<IgnoredAny>()?;
                }
            }
        }
        Ok(found)
    }

    fn visit_seq<S: SeqAccess<'de>>(self, mut list: S) -> Result<Self::Value, S::Error> {
        let Some((place, path)) = self.path.split_first() else {
            let mut count = 0;
            while list.next_element::<IgnoredAny>()?.is_some() {
                count += 1;
            }
            return Ok(Some(Found::Count(Some(count))));
        };
        let place = place.parse::<u64>().ok();
        let mut found = None;
        for at in 0_u64.. {
            if place == Some(at) {
                match list.next_element_seed(Search { path, wanted: self.wanted })? {
                    Some(inner) => found = inner,
                    None => break,
                }
            } else if list.next_element::<IgnoredAny>()?.is_none() {
                break;
            }
        }
        Ok(found)
    }

    fn visit_bool<E>(self, _: bool) -> Result<Self::Value, E> {
        Ok(self.nothing())
    }

    fn visit_i64<E>(self, _: i64) -> Result<Self::Value, E> {
        Ok(self.nothing())
    }

    fn visit_u64<E>(self, _: u64) -> Result<Self::Value, E> {
        Ok(self.nothing())
    }

    fn visit_f64<E>(self, _: f64) -> Result<Self::Value, E> {
        Ok(self.nothing())
    }

    fn visit_str<E>(self, _: &str) -> Result<Self::Value, E> {
        Ok(self.nothing())
    }

    fn visit_unit<E>(self) -> Result<Self::Value, E> {
        Ok(self.nothing())
    }
}

impl Search<'_> {
    /// What is found where the path does not lead on.
    fn nothing(self) -> Option<Found> {
        self.path.is_empty().then_some(Found::Count(None))
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    fn pointer(text: &str) -> Pointer {
        Pointer::try_from(text.to_owned()).unwrap()
    }

    fn text(at: &str, json: &str) -> Option<String> {
        pointer(at).text(json.as_bytes()).unwrap()
    }

    #[test]
    fn a_text_or_number_is_found_however_deep_it_lies() {
        let json =
            r#"{"data": [{"next": "no"}], "page": {"next": "abc", "a/b": [1, 12345678901234567890123]}, "x": 1.5}"#;
        assert_eq!(text("/page/next", json).as_deref(), Some("abc"));
        assert_eq!(text("/page/a~1b/1", json).as_deref(), Some("12345678901234567890123"));
        assert_eq!(text("/x", json).as_deref(), Some("1.5"));
    }

    #[test]
    fn nothing_null_false_and_empty_are_no_next_page() {
        for json in ["{}", r#"{"next": null}"#, r#"{"next": false}"#, r#"{"next": ""}"#, "[1]", "7", r#""x""#] {
            assert_eq!(text("/next", json), None, "{json}");
        }
    }

    #[test]
    fn rows_are_counted_where_the_pointer_says() {
        let count = |at: &str, json: &str| pointer(at).count(json.as_bytes());
        assert_eq!(count("", "[1, [2, 3], {}]").unwrap(), 3);
        assert_eq!(count("/data/rows", r#"{"data": {"n": 5, "rows": []}}"#).unwrap(), 0);
        for wrong in [r#"{"data": 5}"#, r#"{"data": {}}"#, "{}"] {
            assert!(count("/data", wrong).unwrap_err().to_string().contains("`/data`"), "{wrong}");
        }
    }

    #[test]
    fn an_answer_that_is_no_json_or_ends_early_is_an_error_without_its_content() {
        for wrong in ["", "<html>secret</html>", r#"{"next": "secret"#, r#"{"next": {"a": 1}}"#] {
            let error = pointer("/next").text(wrong.as_bytes()).unwrap_err();
            assert_eq!(error.kind(), ErrorKind::Source, "{wrong}");
            assert!(!error.to_string().contains("secret"), "{error}");
        }
        assert!(Pointer::try_from("next".to_owned()).unwrap_err().contains("/next"));
    }
}
