//! Addresses of a source: filled for a slot, changed for a page, and never printed, because they may
//! carry secrets.

use std::fmt;

use serde::Deserialize;
use url::Url;

use crate::error::{Error, ErrorKind, Result};
use crate::source::Request;

/// An address as configured: `{slot_date}` and `{cursor}` stand for the slot's day and the cursor.
#[derive(Clone, PartialEq, Eq, Deserialize)]
#[serde(transparent)]
pub struct AddressTemplate(String);

impl fmt::Debug for AddressTemplate {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.write_str("AddressTemplate(…)")
    }
}

impl From<&str> for AddressTemplate {
    fn from(text: &str) -> Self {
        Self(text.to_owned())
    }
}

impl AddressTemplate {
    /// Host and port that answer for it.
    pub(super) fn place(&self) -> String {
        let url = Url::parse(&self.filled_anyhow()).ok();
        let part = |url: &Url| Some(format!("{}:{}", url.host_str()?, url.port_or_known_default().unwrap_or_default()));
        url.as_ref().and_then(part).unwrap_or_default()
    }

    /// With something in each field, to be parsed.
    fn filled_anyhow(&self) -> String {
        self.0.replace("{slot_date}", "2026-01-01").replace("{cursor}", "")
    }

    /// What is wrong with it, if anything.
    pub(super) fn fault(&self) -> Option<&'static str> {
        let filled = self.filled_anyhow();
        match Url::parse(&filled) {
            Ok(url) if !is_web(&url) || filled.contains(['{', '}']) => {
                Some("write http(s)://…, with {slot_date} and {cursor} as the only fields")
            }
            Ok(url) if !url.username().is_empty() || url.password().is_some() => {
                Some("leave the login out of the address and name it in auth = { basic = … }")
            }
            Ok(_) => None,
            Err(_) => Some("is no address; write http(s)://…"),
        }
    }

    /// Whether it asks from a cursor on.
    pub(super) fn has_cursor(&self) -> bool {
        self.0.contains("{cursor}")
    }

    /// The address for a slot.
    pub(super) fn fill(&self, request: &Request) -> Result<Url> {
        let cursor: String =
            url::form_urlencoded::byte_serialize(request.cursor.as_deref().unwrap_or_default().as_bytes()).collect();
        let filled = self.0.replace("{slot_date}", &request.slot_date.to_string()).replace("{cursor}", &cursor);
        Url::parse(&filled).map_err(|error| Error::caused(ErrorKind::Refused, "source.url is no address", error))
    }
}

/// Whether an address is one of HTTP.
pub(super) fn is_web(address: &Url) -> bool {
    matches!(address.scheme(), "http" | "https")
}

/// The address with a parameter of its query set; the others stay as they are written.
pub(super) fn with_parameter(address: &Url, name: &str, value: &str) -> Url {
    let is_other = |pair: &&str| {
        let mut read = url::form_urlencoded::parse(pair.as_bytes());
        read.next().is_some_and(|(known, _)| known != name)
    };
    let others = address.query().unwrap_or_default().split('&').filter(is_other).map(str::to_owned);
    let own = url::form_urlencoded::Serializer::new(String::new()).append_pair(name, value).finish();
    let query: Vec<String> = others.chain([own]).collect();
    let mut address = address.clone();
    address.set_query(Some(&query.join("&")));
    address
}

/// Whether two addresses are the same server, so that what one may know the other may: host and
/// port are equal, or the second is the first by HTTPS.
pub(super) fn is_same_server(home: &Url, other: &Url) -> bool {
    let ports = (home.port_or_known_default(), other.port_or_known_default());
    let is_upgraded =
        home.scheme() == "http" && other.scheme() == "https" && home.port().is_none() && other.port().is_none();
    home.host() == other.host()
        && (is_upgraded || (ports.0 == ports.1 && (home.scheme() == other.scheme() || other.scheme() == "https")))
}

#[cfg(test)]
mod tests {
    use super::*;

    fn url(text: &str) -> Url {
        Url::parse(text).unwrap()
    }

    #[test]
    fn an_address_is_filled_with_the_day_of_the_slot_and_the_cursor() {
        let mut request = Request {
            deployment: std::path::PathBuf::new(),
            slot_at: "2026-03-01T18:00:00Z".parse().unwrap(),
            slot_date: "2026-03-02".parse().unwrap(),
            cursor: Some("2026-02-28T16:00:00.000000Z".to_owned()),
        };
        let template = AddressTemplate::from("https://a.example/{slot_date}?since={cursor}");
        let filled = template.fill(&request).unwrap();
        assert_eq!(filled.as_str(), "https://a.example/2026-03-02?since=2026-02-28T16%3A00%3A00.000000Z");
        request.cursor = None;
        assert_eq!(template.fill(&request).unwrap().as_str(), "https://a.example/2026-03-02?since=");
    }

    #[test]
    fn a_parameter_is_set_and_the_others_stay_as_they_are_written() {
        let address = url("https://a.example/x?a=%2F+1&page=1&b");
        assert_eq!(with_parameter(&address, "page", "2").as_str(), "https://a.example/x?a=%2F+1&b&page=2");
        assert_eq!(with_parameter(&url("http://a.example/"), "c", "a&b=").as_str(), "http://a.example/?c=a%26b%3D");
    }

    #[test]
    fn only_the_same_host_and_port_or_its_https_is_the_same_server() {
        let home = url("http://a.example/x");
        assert!(is_same_server(&home, &url("http://a.example/y?z")));
        assert!(is_same_server(&home, &url("https://a.example/y")));
        for other in ["http://b.example/x", "http://a.example:81/x", "https://a.example:8443/x", "http://a.example./x"]
        {
            assert!(!is_same_server(&home, &url(other)), "{other}");
        }
        assert!(!is_same_server(&url("https://a.example/"), &url("http://a.example:443/")));
    }

    #[test]
    fn an_address_with_a_login_or_an_unknown_field_is_refused_and_none_is_shown() {
        assert_eq!(AddressTemplate::from("https://a.example/?day={slot_date}&since={cursor}").fault(), None);
        assert_eq!(AddressTemplate::from("https://A.example/p?day={slot_date}").place(), "a.example:443");
        for wrong in ["ftp://a.example/", "https://a.example/{day}", "https://me:secret@a.example/", "a.example"] {
            let fault = AddressTemplate::from(wrong).fault().unwrap();
            assert!(!fault.contains("secret"), "{fault}");
        }
        assert!(!format!("{:?}", AddressTemplate::from("https://a.example/?key=secret")).contains("secret"));
    }
}
