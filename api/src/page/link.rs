//! Addresses of pages, with their parameters and the language carried on.

use super::Lang;

/// An address inside these pages.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct Address {
    path: String,
    parameters: Vec<(String, String)>,
}

impl Address {
    /// An address without parameters.
    pub fn of(path: &str) -> Self {
        Self { path: path.to_owned(), parameters: Vec::new() }
    }

    /// An address made of parts, each taken as it is.
    pub fn joined(parts: &[&str]) -> Self {
        let escaped = parts.iter().map(|part| percent_encoded(part));
        Self { path: escaped.fold(String::new(), |path, part| path + "/" + &part), parameters: Vec::new() }
    }

    /// The address of a request, without its language.
    pub fn here(path: &str, query: Option<&str>) -> Self {
        let pairs = url::form_urlencoded::parse(query.unwrap_or_default().as_bytes()).into_owned();
        Self { path: path.to_owned(), parameters: pairs.filter(|(name, _)| name != "lang").collect() }
    }

    /// Another page with the same parameters.
    pub fn at(self, parts: &[&str]) -> Self {
        Self { path: Self::joined(parts).path, ..self }
    }

    /// The same with one more parameter.
    pub fn with(mut self, name: &str, value: &str) -> Self {
        self.parameters.push((name.to_owned(), value.to_owned()));
        self
    }

    /// The same with a parameter replaced.
    pub fn replacing(self, name: &str, value: &str) -> Self {
        self.without(name).with(name, value)
    }

    /// The same without a parameter.
    pub fn without(mut self, name: &str) -> Self {
        self.parameters.retain(|(known, _)| known != name);
        self
    }

    /// The address in a language.
    pub fn to(&self, lang: Lang) -> String {
        let mut text = url::form_urlencoded::Serializer::new(String::new());
        text.extend_pairs(&self.parameters);
        if lang == Lang::En {
            text.append_pair("lang", "en");
        }
        match text.finish() {
            query if query.is_empty() => self.path.clone(),
            query => format!("{}?{query}", self.path),
        }
    }
}

/// A part of a path: everything but letters, digits and a few signs is escaped (RFC 3986 §2).
fn percent_encoded(part: &str) -> String {
    let mut text = String::with_capacity(part.len());
    for byte in part.bytes() {
        if byte.is_ascii_alphanumeric() || b"-._~,".contains(&byte) {
            text.push(char::from(byte));
        } else {
            text.push_str(&format!("%{byte:02X}"));
        }
    }
    text
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn addresses_are_escaped_and_carry_the_language() {
        let address = Address::joined(&["records", "policy", "P/1,U 2"]).with("by", "city");
        assert_eq!(address.to(Lang::Zh), "/records/policy/P%2F1,U%202?by=city");
        assert_eq!(address.to(Lang::En), "/records/policy/P%2F1,U%202?by=city&lang=en");
        assert_eq!(Address::here("/", Some("lang=en&a=b")).to(Lang::Zh), "/?a=b");
        assert_eq!(Address::here("/", Some("cursor=x")).replacing("cursor", "y").to(Lang::Zh), "/?cursor=y");
    }
}
