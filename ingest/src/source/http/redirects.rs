//! Where we may be sent: redirects and next pages stay with the hosts that the feed allows.

use std::collections::HashSet;

use url::Url;

use super::address::{is_same_server, is_web};
use crate::error::{Error, ErrorKind, Result};

/// Redirects followed for one address.
const MOST: usize = 10;

/// Refuses an address that a source sends us to, unless it is on the source's own server or on an
/// allowed host, and no step from HTTPS back to HTTP. The message names the host, never the address.
///
/// # Errors
/// Source.
pub(super) fn check(home: &Url, from: &Url, to: &Url, allowed_hosts: &[String]) -> Result<()> {
    let host = to.host_str().unwrap_or_default();
    let refused = |why: &str| Err(Error::new(ErrorKind::Source, format!("the source sends us to `{host}`, {why}")));
    if !is_web(to) {
        return refused("by something else than HTTP");
    }
    if from.scheme() == "https" && to.scheme() == "http" {
        return refused("from HTTPS back to HTTP, where all can read along");
    }
    let with_port = to.port_or_known_default().map(|port| format!("{host}:{port}")).unwrap_or_default();
    let is_named = allowed_hosts.iter().any(|name| name.eq_ignore_ascii_case(host) || *name == with_port);
    if is_named || is_same_server(home, to) {
        return Ok(());
    }
    refused("which is not the host of source.url; add it to source.allowed_hosts if that is right")
}

/// The way from one address over its redirects.
pub(super) struct Route<'a> {
    home: &'a Url,
    allowed_hosts: &'a [String],
    at: Url,
    passed: HashSet<String>,
}

impl<'a> Route<'a> {
    pub(super) fn from(address: Url, home: &'a Url, allowed_hosts: &'a [String]) -> Self {
        let passed = HashSet::from([address.as_str().to_owned()]);
        Self { home, allowed_hosts, at: address, passed }
    }

    /// Where it has come to.
    pub(super) fn at(&self) -> &Url {
        &self.at
    }

    /// Goes on to where a redirect leads.
    ///
    /// # Errors
    /// Source: a place that is not allowed, a circle, or too many steps.
    pub(super) fn go(&mut self, location: &str) -> Result<()> {
        let next = landing_place(&self.at, location)
            .ok_or_else(|| Error::new(ErrorKind::Source, "the source redirects to something that is no address"))?;
        check(self.home, &self.at, &next, self.allowed_hosts)?;
        if !self.passed.insert(next.as_str().to_owned()) {
            return Err(Error::new(ErrorKind::Source, "the redirects of the source go round in a circle"));
        }
        if self.passed.len() > MOST + 1 {
            return Err(Error::new(ErrorKind::Source, format!("the source redirects more than {MOST} times")));
        }
        self.at = next;
        Ok(())
    }
}

/// An address that a source names, without a login and without the part for browsers.
pub(super) fn landing_place(base: &Url, named: &str) -> Option<Url> {
    let mut place = base.join(named).ok()?;
    place.set_fragment(None);
    // Only addresses without a host refuse this, and those are refused for it later.
    let _ = place.set_username("");
    let _ = place.set_password(None);
    Some(place)
}

#[cfg(test)]
mod tests {
    use super::*;

    fn may_go(from: &str, to: &str, allowed: &[&str]) -> Result<()> {
        let allowed: Vec<String> = allowed.iter().map(|host| (*host).to_owned()).collect();
        let home = Url::parse("https://a.example/x?key=secret").unwrap();
        check(&home, &Url::parse(from).unwrap(), &Url::parse(to).unwrap(), &allowed)
    }

    #[test]
    fn other_hosts_must_be_allowed_and_the_way_back_to_http_never_is() {
        let home = "https://a.example/x";
        assert!(may_go(home, "https://a.example/y", &[]).is_ok());
        assert!(may_go(home, "https://b.example/y", &["b.example"]).is_ok());
        assert!(may_go(home, "https://b.example:8443/y", &["b.example:8443"]).is_ok());
        assert!(may_go(home, "https://b.example/y", &["b.example:8443"]).is_err());
        assert!(may_go(home, "http://a.example/y", &["a.example"]).is_err());
        assert!(may_go(home, "file:///etc/passwd", &[]).is_err());
        let told = may_go(home, "https://b.example/y?token=secret", &[]).unwrap_err().to_string();
        assert!(told.contains("`b.example`") && told.contains("allowed_hosts"), "{told}");
        assert!(!told.contains("secret"), "{told}");
    }

    #[test]
    fn ten_redirects_are_followed_and_the_eleventh_is_not() {
        let home = Url::parse("https://a.example/0").unwrap();
        let mut route = Route::from(home.clone(), &home, &[]);
        for step in 1..=10 {
            route.go(&format!("/{step}")).unwrap();
        }
        assert!(route.go("/11").unwrap_err().to_string().contains("more than 10 times"));
    }

    #[test]
    fn a_login_in_a_redirect_is_not_taken_along() {
        let place = landing_place(&Url::parse("https://a.example/").unwrap(), "https://me:pw@a.example/y#z").unwrap();
        assert_eq!(place.as_str(), "https://a.example/y");
    }
}
