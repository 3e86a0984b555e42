//! Pushed deliveries: nothing is fetched; whoever answers for the feed sends each with a key.

use std::fmt;
use std::str::FromStr;

use serde::Deserialize;

/// `[source] kind = "push"`.
#[derive(Debug, Clone, Deserialize)]
#[serde(deny_unknown_fields)]
pub struct PushConfig {
    /// Largest delivery taken, bytes.
    #[serde(default = "largest")]
    pub max_bytes: u64,
}

fn largest() -> u64 {
    1 << 30
}

impl PushConfig {
    pub(super) fn fault(&self) -> Option<String> {
        (self.max_bytes == 0).then(|| "source.max_bytes: a delivery has at least one byte".to_owned())
    }
}

/// The key under which a delivery is pushed: 1 to 200 of `A-Z a-z 0-9 . _ -`.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct PushKey(String);

impl PushKey {
    /// The object of the delivery.
    pub fn object(&self) -> String {
        format!("push {}", self.0)
    }
}

impl FromStr for PushKey {
    type Err = String;

    fn from_str(text: &str) -> Result<Self, String> {
        let is_known = |byte: u8| byte.is_ascii_alphanumeric() || matches!(byte, b'.' | b'_' | b'-');
        if (1..=200).contains(&text.len()) && text.bytes().all(is_known) {
            Ok(Self(text.to_owned()))
        } else {
            Err("a key has 1 to 200 letters, digits, dots, underscores and hyphens".to_owned())
        }
    }
}

impl fmt::Display for PushKey {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.write_str(&self.0)
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn a_key_names_an_object_and_cannot_be_anything() {
        assert_eq!("2026-06_v1.csv".parse::<PushKey>().unwrap().object(), "push 2026-06_v1.csv");
        assert!("x".repeat(200).parse::<PushKey>().is_ok());
        for wrong in ["", "a b", "a/b", "保单", &"x".repeat(201)] {
            assert!(wrong.parse::<PushKey>().is_err(), "{wrong}");
        }
    }
}
