//! What is found wrong, in words for people.

use serde::Serialize;

/// One thing that is not as it must be.
#[derive(Debug, Clone, PartialEq, Eq, Serialize)]
pub struct Trouble {
    /// What kind, for programs: `missing_file`, `wrong_size` …
    pub code: &'static str,
    /// The object concerned, below the warehouse.
    pub object: String,
    /// What is wrong and what to do, in Chinese.
    pub message_zh: String,
    /// The same in English.
    pub message_en: String,
}

impl Trouble {
    /// From its parts.
    pub fn new(
        code: &'static str,
        object: impl Into<String>,
        message_zh: impl Into<String>,
        message_en: impl Into<String>,
    ) -> Self {
        Self { code, object: object.into(), message_zh: message_zh.into(), message_en: message_en.into() }
    }
}
