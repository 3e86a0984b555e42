//! The query string: every parameter is known or refused, and single ones stand once.

use std::collections::BTreeMap;
use std::str::FromStr;

use crate::problem::Problem;

/// The parameters of a request, taken out one by one.
#[derive(Debug, Clone)]
pub struct Parameters {
    left: Vec<(String, String)>,
}

impl Parameters {
    /// From the text after the question mark.
    pub fn of(query: Option<&str>) -> Self {
        let pairs = url::form_urlencoded::parse(query.unwrap_or_default().as_bytes());
        Self { left: pairs.into_owned().collect() }
    }

    /// A parameter that may stand once.
    pub fn one(&mut self, name: &str) -> Result<Option<String>, Problem> {
        let mut values = self.all(name);
        match values.len() {
            0 => Ok(None),
            1 => Ok(values.pop()),
            _ => Err(wrong(format!("`{name}` is given more than once"))),
        }
    }

    /// A parameter that may stand once, read as something.
    pub fn parsed<T>(&mut self, name: &str) -> Result<Option<T>, Problem>
    where
        T: FromStr,
        T::Err: std::fmt::Display,
    {
        let parse = |text: String| text.parse().map_err(|error| wrong(format!("`{name}`: {error}")));
        self.one(name)?.map(parse).transpose()
    }

    /// A day, `YYYY-MM-DD`.
    pub fn day(&mut self, name: &str) -> Result<Option<chrono::NaiveDate>, Problem> {
        let parse = |text: String| {
            let day = chrono::NaiveDate::parse_from_str(&text, "%Y-%m-%d");
            day.map_err(|_| wrong(format!("`{name}`: `{text}` is no day; an example is 2026-06-30")))
        };
        self.one(name)?.map(parse).transpose()
    }

    /// A list, given with commas or several times.
    pub fn list(&mut self, name: &str) -> Vec<String> {
        let values = self.all(name);
        let items = values.iter().flat_map(|value| value.split(',')).map(str::trim);
        items.filter(|item| !item.is_empty()).map(str::to_owned).collect()
    }

    /// All parameters `<prefix>.<name>`.
    pub fn prefixed(&mut self, prefix: &str) -> Result<BTreeMap<String, String>, Problem> {
        let mut found = BTreeMap::new();
        let mut left = Vec::new();
        for (name, value) in std::mem::take(&mut self.left) {
            match name.strip_prefix(prefix).and_then(|rest| rest.strip_prefix('.')) {
                Some(inner) => {
                    if found.insert(inner.to_owned(), value).is_some() {
                        return Err(wrong(format!("`{name}` is given more than once")));
                    }
                }
                None => left.push((name, value)),
            }
        }
        self.left = left;
        Ok(found)
    }

    /// Refuses whatever was not taken: a typo must not pass for a request without the parameter.
    pub fn finish(self) -> Result<(), Problem> {
        match self.left.first() {
            None => Ok(()),
            Some((name, _)) => Err(wrong(format!("there is no parameter `{name}` here; /openapi.json lists them"))),
        }
    }

    fn all(&mut self, name: &str) -> Vec<String> {
        let (taken, left) = std::mem::take(&mut self.left).into_iter().partition(|(known, _)| known == name);
        self.left = left;
        let taken: Vec<(String, String)> = taken;
        taken.into_iter().map(|(_, value)| value).collect()
    }
}

fn wrong(detail: String) -> Problem {
    Problem::bad_request("bad_parameter", detail)
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn parameters_are_decoded_and_taken() {
        let mut parameters =
            Parameters::of(Some("by=city,sector&by=month&where.sector=mine&as_of=2026-06-30&x=%E6%9D%AD"));
        assert_eq!(parameters.list("by"), ["city", "sector", "month"]);
        assert_eq!(parameters.prefixed("where").unwrap().get("sector").unwrap(), "mine");
        assert_eq!(parameters.day("as_of").unwrap().unwrap().to_string(), "2026-06-30");
        assert_eq!(parameters.one("x").unwrap().as_deref(), Some("杭"));
        assert_eq!(parameters.finish(), Ok(()));
    }

    #[test]
    fn unknown_repeated_and_unreadable_ones_are_refused() {
        let unknown = Parameters::of(Some("as_off=2026-06-30")).finish().unwrap_err();
        assert!(unknown.detail.contains("`as_off`"));
        assert!(Parameters::of(Some("a=1&a=2")).one("a").is_err());
        assert!(Parameters::of(Some("where.a=1&where.a=2")).prefixed("where").is_err());
        assert!(Parameters::of(Some("d=30.6.2026")).day("d").is_err());
        assert!(Parameters::of(Some("d=2026-6-30x")).day("d").is_err());
        assert!(Parameters::of(Some("n=x")).parsed::<u64>("n").is_err());
    }
}
