//! The text that a caller sends: `anze_<id>_<256 random bits>`.

use std::fmt::{self, Write};

use rand::TryRng;
use sha2::{Digest, Sha256};

/// A token's text. It has no `Debug` or `Display` that shows it: take it out on purpose.
pub struct Secret(String);

impl Secret {
    /// A new one from the system's random source.
    pub fn generate() -> std::io::Result<(String, Self)> {
        let (mut name, mut bits) = ([0; 5], [0; 32]);
        let mut source = rand::rngs::SysRng;
        for bytes in [&mut name[..], &mut bits[..]] {
            source.try_fill_bytes(bytes).map_err(|error| std::io::Error::other(error.to_string()))?;
        }
        let id = hex(&name);
        let text = format!("anze_{id}_{}", hex(&bits));
        Ok((id, Self(text)))
    }

    /// The text that a caller sent.
    pub fn received(text: &str) -> Self {
        Self(text.to_owned())
    }

    /// The token's public name, if the text has the form of a token.
    pub fn id(&self) -> Option<&str> {
        let (id, rest) = self.0.strip_prefix("anze_")?.split_once('_')?;
        (!id.is_empty() && !rest.is_empty()).then_some(id)
    }

    /// What is kept of it.
    pub fn sha256(&self) -> String {
        hex(&Sha256::digest(&self.0))
    }

    /// Whether this is the text whose hash is kept; takes the same time wherever they differ.
    pub fn matches(&self, kept: &str) -> bool {
        let own = self.sha256();
        let differences = own.bytes().zip(kept.bytes()).fold(0, |sum, (a, b)| sum | (a ^ b));
        std::hint::black_box(differences) == 0 && own.len() == kept.len()
    }

    /// The text itself, to be shown once.
    pub fn reveal(&self) -> &str {
        &self.0
    }
}

impl fmt::Debug for Secret {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.write_str("Secret(…)")
    }
}

fn hex(bytes: &[u8]) -> String {
    bytes.iter().fold(String::with_capacity(bytes.len() * 2), |mut text, byte| {
        // Writing to a String does not fail.
        let _ = write!(text, "{byte:02x}");
        text
    })
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn a_secret_matches_only_its_own_hash() {
        let (id, secret) = Secret::generate().unwrap();
        let (_, other) = Secret::generate().unwrap();
        assert_eq!(secret.id(), Some(id.as_str()));
        assert!(secret.matches(&secret.sha256()));
        assert!(!secret.matches(&other.sha256()));
        assert!(!secret.matches(""));
        assert!(!secret.matches(&secret.sha256()[..10]));
    }

    #[test]
    fn a_secret_is_not_shown_by_accident() {
        assert_eq!(format!("{:?}", Secret::received("anze_1_2")), "Secret(…)");
    }

    #[test]
    fn text_that_is_no_token_has_no_id() {
        for wrong in ["", "anze", "anze_", "anze__", "anze_ab", "anze_ab_", "other_ab_cd"] {
            assert_eq!(Secret::received(wrong).id(), None, "{wrong}");
        }
    }
}
