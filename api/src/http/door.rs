//! The door: which hosts we answer to, and who a caller is.

use std::net::{IpAddr, SocketAddr};

use axum::http::{HeaderMap, Method, StatusCode, Uri, header};
use chrono::Utc;

use crate::deployment::Deployment;
use crate::output::base64;
use crate::permission::{Permission, Role};
use crate::problem::Problem;
use crate::settings::ServerSettings;
use crate::token::Secret;

/// Who asks.
#[derive(Debug, Clone, PartialEq)]
pub struct Caller {
    pub permission: Permission,
    /// The token's public name; none on loopback without a token.
    pub token_id: Option<String>,
}

/// What the endpoint knows about itself.
#[derive(Debug, Clone)]
pub struct Door {
    bound: SocketAddr,
    hosts: Vec<String>,
    loopback_role: Role,
    /// SHA-256 of the secret by which commands on this machine hand over their work.
    writer: Option<String>,
}

/// Headers by which a proxy tells that it speaks for somebody else.
const PROXIED: [&str; 5] = ["forwarded", "x-forwarded-for", "x-forwarded-host", "x-real-ip", "via"];

impl Door {
    /// The door of an endpoint bound to this address.
    pub fn new(bound: SocketAddr, settings: &ServerSettings) -> Self {
        let hosts = settings.hosts.iter().map(|host| host.to_ascii_lowercase()).collect();
        Self { bound, hosts, loopback_role: settings.loopback_role, writer: None }
    }

    /// The same door, opened also by the writer's secret.
    pub fn with_writer(self, secret: &Secret) -> Self {
        Self { writer: Some(secret.sha256()), ..self }
    }

    /// Whether only this machine can reach the endpoint.
    pub fn is_loopback(&self) -> bool {
        self.bound.ip().is_loopback()
    }

    /// Refuses hosts that are not ours: a page elsewhere that has its own name point to this machine
    /// (DNS rebinding) would otherwise read with the rights of whoever sits at it.
    pub fn check_host(&self, uri: &Uri, headers: &HeaderMap) -> Result<(), Problem> {
        let named = headers.get_all(header::HOST).iter().map(|host| host.to_str().unwrap_or("?"));
        for authority in named.chain(uri.authority().map(|authority| authority.as_str())) {
            let host = host_of(authority);
            if !self.answers_to(&host) {
                let detail = format!(
                    "this endpoint does not answer to `{host}`; names of a proxy belong in anze.toml: [server] hosts"
                );
                return Err(Problem::new(
                    StatusCode::MISDIRECTED_REQUEST,
                    "unknown_host",
                    "未知的主机名",
                    "Unknown host",
                    detail,
                ));
            }
        }
        Ok(())
    }

    fn answers_to(&self, host: &str) -> bool {
        let is_address =
            host.trim_matches(['[', ']']).parse::<IpAddr>().is_ok_and(|ip| ip.is_loopback() || ip == self.bound.ip());
        let open = !self.is_loopback() && self.hosts.is_empty();
        open || is_address || host == "localhost" || self.hosts.iter().any(|own| own == host)
    }

    /// Refuses writes that a page of another origin sends through somebody's browser.
    pub fn check_origin(&self, method: &Method, headers: &HeaderMap) -> Result<(), Problem> {
        if method.is_safe() {
            return Ok(());
        }
        let text = |name: &str| headers.get(name).map(|value| value.to_str().unwrap_or("?"));
        let site_is_ours = text("sec-fetch-site").is_none_or(|site| matches!(site, "same-origin" | "none"));
        let origin_is_ours = text("origin").is_none_or(|origin| {
            let own = text("host").unwrap_or_default();
            origin.split_once("://").is_some_and(|(_, authority)| authority.eq_ignore_ascii_case(own))
        });
        if site_is_ours && origin_is_ours {
            Ok(())
        } else {
            Err(Problem::forbidden("cross_origin", "requests that change something are taken from our own pages only"))
        }
    }

    /// Who sent a request; a token that is not valid is refused, never ignored.
    pub fn caller(&self, deployment: &Deployment, peer: SocketAddr, headers: &HeaderMap) -> Result<Caller, Problem> {
        if let Some(sent) = headers.get(header::AUTHORIZATION) {
            let secret = sent.to_str().ok().and_then(credentials);
            let secret = secret.ok_or_else(|| Problem::unauthorized("send `Authorization: Bearer anze_…`"))?;
            return self.by_token(deployment, &secret);
        }
        let is_direct = PROXIED.iter().all(|name| !headers.contains_key(*name));
        if self.is_loopback() && peer.ip().is_loopback() && is_direct {
            return Ok(Caller { permission: Permission::whole(self.loopback_role), token_id: None });
        }
        Err(Problem::unauthorized(
            "every caller from elsewhere needs a token: `Authorization: Bearer anze_…`, or the token as the password in a browser",
        ))
    }

    fn by_token(&self, deployment: &Deployment, secret: &Secret) -> Result<Caller, Problem> {
        if self.writer.as_ref().is_some_and(|kept| secret.matches(kept)) {
            return Ok(Caller { permission: Permission::operator(), token_id: None });
        }
        let token = deployment
            .tokens()
            .authenticate(secret, Utc::now())
            .map_err(|error| Problem::internal(&format!("{error:#}")))?;
        let token = token.ok_or_else(|| Problem::unauthorized("this token is unknown, expired or revoked"))?;
        Ok(Caller { permission: token.permission(), token_id: Some(token.id) })
    }
}

/// The token in an `Authorization` header: as a bearer, or as the password that a browser asks for.
fn credentials(header: &str) -> Option<Secret> {
    let (scheme, rest) = header.split_once(' ')?;
    if scheme.eq_ignore_ascii_case("bearer") {
        return Some(Secret::received(rest.trim()));
    }
    if !scheme.eq_ignore_ascii_case("basic") {
        return None;
    }
    let pair = String::from_utf8(base64::decode(rest.trim())?).ok()?;
    let (_, password) = pair.split_once(':')?;
    Some(Secret::received(password))
}

fn host_of(authority: &str) -> String {
    let authority = authority.rsplit('@').next().unwrap_or(authority);
    let host = match authority.rfind(']') {
        Some(end) => &authority[..=end],
        None => authority.split(':').next().unwrap_or(authority),
    };
    host.trim_end_matches('.').to_ascii_lowercase()
}

#[cfg(test)]
mod tests {
    use super::*;

    fn door(bound: &str, hosts: &[&str]) -> Door {
        let hosts = hosts.iter().map(|host| (*host).to_owned()).collect();
        Door::new(bound.parse().unwrap(), &ServerSettings { hosts, ..ServerSettings::default() })
    }

    fn headers(pairs: &[(&'static str, &'static str)]) -> HeaderMap {
        pairs.iter().map(|(name, value)| (name.parse().unwrap(), value.parse().unwrap())).collect::<HeaderMap>()
    }

    fn answers(door: &Door, host: &'static str) -> bool {
        door.check_host(&Uri::from_static("/"), &headers(&[("host", host)])).is_ok()
    }

    #[test]
    fn on_loopback_only_our_own_names_are_answered() {
        let door = door("127.0.0.1:8080", &["anze.example"]);
        for ours in ["localhost", "localhost:8080", "LOCALHOST.", "127.0.0.1:8080", "[::1]:8080", "anze.example"] {
            assert!(answers(&door, ours), "{ours}");
        }
        for other in
            ["evil.example", "localhost.evil.example", "127.0.0.1.evil.example:8080", "10.0.0.1", "user@evil.example"]
        {
            assert!(!answers(&door, other), "{other}");
        }
        assert!(door.check_host(&Uri::from_static("http://evil.example/"), &HeaderMap::new()).is_err());
    }

    #[test]
    fn off_loopback_named_hosts_are_held_to_their_names() {
        assert!(answers(&door("0.0.0.0:80", &[]), "anything.example"));
        assert!(!answers(&door("0.0.0.0:80", &["anze.example"]), "anything.example"));
    }

    #[test]
    fn writes_from_other_origins_are_refused() {
        let door = door("127.0.0.1:8080", &[]);
        let post = |pairs: &[(&'static str, &'static str)]| door.check_origin(&Method::POST, &headers(pairs)).is_ok();
        assert!(post(&[("host", "localhost:8080")]));
        assert!(post(&[
            ("host", "localhost:8080"),
            ("origin", "http://localhost:8080"),
            ("sec-fetch-site", "same-origin")
        ]));
        assert!(!post(&[("host", "localhost:8080"), ("origin", "http://evil.example")]));
        assert!(!post(&[("host", "localhost:8080"), ("origin", "null")]));
        assert!(!post(&[("host", "localhost:8080"), ("sec-fetch-site", "cross-site")]));
        assert!(door.check_origin(&Method::GET, &headers(&[("origin", "http://evil.example")])).is_ok());
    }

    #[test]
    fn tokens_are_read_from_bearers_and_passwords() {
        let text = |header: &str| credentials(header).map(|secret| secret.reveal().to_owned());
        assert_eq!(text("Bearer anze_a_b").as_deref(), Some("anze_a_b"));
        assert_eq!(text("bearer  anze_a_b").as_deref(), Some("anze_a_b"));
        let basic = format!("Basic {}", base64::encode(b"me:anze_a_b"));
        assert_eq!(text(&basic).as_deref(), Some("anze_a_b"));
        assert_eq!(text("Digest x"), None);
        assert_eq!(text("anze_a_b"), None);
    }

    mod callers {
        use super::*;
        use crate::settings::Settings;

        fn caller(bound: &str, peer: &str, pairs: &[(&'static str, &'static str)]) -> Result<Role, StatusCode> {
            let folder = tempfile::tempdir().unwrap();
            let deployment = Deployment::with_settings(folder.path(), Settings::default()).unwrap();
            let settings = ServerSettings { loopback_role: Role::Admin, ..ServerSettings::default() };
            let door = Door::new(bound.parse().unwrap(), &settings);
            let caller = door.caller(&deployment, peer.parse().unwrap(), &headers(pairs));
            caller.map(|caller| caller.permission.role).map_err(|problem| problem.status)
        }

        #[test]
        fn the_loopback_role_is_for_direct_callers_on_loopback_only() {
            assert_eq!(caller("127.0.0.1:1", "127.0.0.1:2", &[]), Ok(Role::Admin));
            assert_eq!(
                caller("127.0.0.1:1", "127.0.0.1:2", &[("x-forwarded-for", "10.0.0.1")]),
                Err(StatusCode::UNAUTHORIZED)
            );
            assert_eq!(caller("0.0.0.0:1", "127.0.0.1:2", &[]), Err(StatusCode::UNAUTHORIZED));
            assert_eq!(caller("0.0.0.0:1", "10.0.0.1:2", &[]), Err(StatusCode::UNAUTHORIZED));
        }

        #[test]
        fn a_wrong_token_is_refused_even_on_loopback() {
            let wrong = [("authorization", "Bearer anze_a_b")];
            assert_eq!(caller("127.0.0.1:1", "127.0.0.1:2", &wrong), Err(StatusCode::UNAUTHORIZED));
        }
    }
}
