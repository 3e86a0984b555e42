//! The limits of a token: places, sectors, insurers, feeds.

use std::fmt;
use std::str::FromStr;

use serde::{Deserialize, Serialize};

/// A place and all below it, as the leading digits of its code: `33`, `3301` or `330102`.
#[derive(Debug, Clone, PartialEq, Eq, PartialOrd, Ord, Hash, Serialize, Deserialize)]
#[serde(try_from = "String", into = "String")]
pub struct RegionScope(String);

impl RegionScope {
    /// Whether a whole province is meant, which is all there is.
    pub fn is_province(&self) -> bool {
        self.0.len() == 2
    }

    /// The city's code, if exactly a city is meant.
    pub fn city(&self) -> Option<String> {
        (self.0.len() == 4).then(|| format!("{}00", self.0))
    }

    /// The county's code, if exactly a county is meant.
    pub fn county(&self) -> Option<String> {
        (self.0.len() == 6).then(|| self.0.clone())
    }

    /// Whether the place with this six-digit code lies wholly inside.
    pub fn holds(&self, code: &str) -> bool {
        match Self::from_str(code) {
            Ok(place) => place.0.starts_with(&self.0),
            Err(_) => false,
        }
    }
}

impl FromStr for RegionScope {
    type Err = String;

    fn from_str(code: &str) -> Result<Self, String> {
        let well_formed = matches!(code.len(), 2 | 4 | 6) && code.bytes().all(|byte| byte.is_ascii_digit());
        let prefix = code.strip_suffix("0000").or_else(|| code.strip_suffix("00")).unwrap_or(code);
        if well_formed && !prefix.is_empty() && prefix != "00" {
            Ok(Self(prefix.to_owned()))
        } else {
            Err(format!("`{code}` is no region: give a code such as 330000, 330100 or 330102, or its first digits"))
        }
    }
}

impl TryFrom<String> for RegionScope {
    type Error = String;

    fn try_from(code: String) -> Result<Self, String> {
        code.parse()
    }
}

impl From<RegionScope> for String {
    fn from(scope: RegionScope) -> Self {
        scope.0
    }
}

impl fmt::Display for RegionScope {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.write_str(&self.0)
    }
}

/// What a token is limited to; an empty list is no limit.
#[derive(Debug, Clone, Default, PartialEq, Eq, Serialize, Deserialize)]
#[serde(default, deny_unknown_fields)]
pub struct Scope {
    #[serde(skip_serializing_if = "Vec::is_empty")]
    pub regions: Vec<RegionScope>,
    #[serde(skip_serializing_if = "Vec::is_empty")]
    pub sectors: Vec<String>,
    #[serde(skip_serializing_if = "Vec::is_empty")]
    pub insurers: Vec<String>,
    #[serde(skip_serializing_if = "Vec::is_empty")]
    pub feeds: Vec<String>,
}

impl Scope {
    /// Whether places are no limit: none named, or a whole province.
    pub fn is_every_region(&self) -> bool {
        self.regions.is_empty() || self.regions.iter().any(RegionScope::is_province)
    }

    /// Whether rows need no limit at all.
    pub fn is_whole(&self) -> bool {
        self.is_every_region() && self.sectors.is_empty() && self.insurers.is_empty() && self.feeds.is_empty()
    }

    /// Whether a feed of this region's concerns this scope.
    pub(super) fn holds_feed_of(&self, region_code: Option<&str>) -> bool {
        if self.is_whole() {
            return true;
        }
        let elsewhere = !self.sectors.is_empty() || !self.insurers.is_empty() || !self.feeds.is_empty();
        let place = region_code.is_some_and(|code| self.regions.iter().any(|region| region.holds(code)));
        !elsewhere && place
    }

    /// The scope as one unambiguous text, whatever the order in which it was written.
    pub(super) fn canonical(&self) -> String {
        let sorted = |list: &[String]| {
            let mut list = list.to_vec();
            list.sort_unstable();
            list.dedup();
            list
        };
        let regions: Vec<String> = self.regions.iter().map(ToString::to_string).collect();
        let parts = [&regions, &self.sectors, &self.insurers, &self.feeds].map(|list| sorted(list));
        serde_json::json!(parts).to_string()
    }
}

impl fmt::Display for Scope {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        let regions: Vec<String> = self.regions.iter().map(ToString::to_string).collect();
        let parts =
            [("region", &regions), ("sector", &self.sectors), ("insurer", &self.insurers), ("feed", &self.feeds)];
        let named: Vec<String> = parts
            .iter()
            .filter(|(_, list)| !list.is_empty())
            .map(|(name, list)| format!("{name}={}", list.join("+")))
            .collect();
        if named.is_empty() { f.write_str("-") } else { f.write_str(&named.join(" ")) }
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    fn region(code: &str) -> RegionScope {
        code.parse().unwrap()
    }

    #[test]
    fn codes_and_their_first_digits_mean_the_same_place() {
        assert_eq!(region("330000"), region("33"));
        assert_eq!(region("330100"), region("3301"));
        assert_eq!(region("330102").county().as_deref(), Some("330102"));
        assert_eq!(region("3301").city().as_deref(), Some("330100"));
        for wrong in ["", "3", "331", "000000", "00", "abcd", "33010", "3301021", "３３"] {
            assert!(wrong.parse::<RegionScope>().is_err(), "{wrong}");
        }
    }

    #[test]
    fn a_place_holds_what_lies_below_it_and_nothing_beside() {
        assert!(region("3301").holds("330102"));
        assert!(region("3301").holds("330100"));
        assert!(!region("3301").holds("330000"));
        assert!(!region("3301").holds("330202"));
        assert!(!region("3301").holds("unknown"));
        assert!(!region("330102").holds("330100"));
    }
}
