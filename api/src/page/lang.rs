//! The language of a page: Chinese, or English when asked for.

use crate::http::Parameters;

/// One of the two languages.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Default)]
pub enum Lang {
    #[default]
    Zh,
    En,
}

impl Lang {
    /// What `?lang=` says; anything but `en` is Chinese.
    pub fn of(parameters: &Parameters) -> Self {
        match parameters.clone().one("lang") {
            Ok(Some(lang)) if lang == "en" => Self::En,
            _ => Self::Zh,
        }
    }

    /// The one of two texts in this language.
    pub fn pick<'a>(self, zh: &'a str, en: &'a str) -> &'a str {
        match self {
            Self::Zh => zh,
            Self::En => en,
        }
    }

    /// For `lang` attributes.
    pub fn tag(self) -> &'static str {
        self.pick("zh-CN", "en")
    }

    /// The other one.
    pub fn other(self) -> Self {
        match self {
            Self::Zh => Self::En,
            Self::En => Self::Zh,
        }
    }

    /// Its name in itself.
    pub fn own_name(self) -> &'static str {
        self.pick("中文", "English")
    }
}
