//! Tokens: who a caller is. Secrets are shown once and kept as SHA-256 only.

mod file;
mod secret;

use chrono::{DateTime, SubsecRound, Utc};
use serde::{Deserialize, Serialize};

pub use file::TokenFile;
pub use secret::Secret;

use crate::permission::{Permission, Role, Scope, Sensitive};

/// One token as it is kept.
#[derive(Debug, Clone, PartialEq, Eq, Serialize, Deserialize)]
#[serde(deny_unknown_fields)]
pub struct Token {
    /// Its public name, the first part of what the caller sends.
    pub id: String,
    /// SHA-256 of the whole token, hexadecimal.
    pub sha256: String,
    pub role: Role,
    #[serde(default)]
    pub scope: Scope,
    #[serde(default)]
    pub sensitive: Sensitive,
    pub created_at: DateTime<Utc>,
    /// From this instant on it is no longer valid; none: for ever.
    pub expires_at: Option<DateTime<Utc>>,
    pub revoked_at: Option<DateTime<Utc>>,
}

impl Token {
    /// A new token and its text, which is kept nowhere.
    pub fn create(
        role: Role,
        scope: Scope,
        sensitive: Sensitive,
        expires_at: Option<DateTime<Utc>>,
        now: DateTime<Utc>,
    ) -> std::io::Result<(Self, Secret)> {
        let (id, secret) = Secret::generate()?;
        let sha256 = secret.sha256();
        let created_at = now.trunc_subsecs(0);
        Ok((Self { id, sha256, role, scope, sensitive, created_at, expires_at, revoked_at: None }, secret))
    }

    /// What a caller with this token may do.
    pub fn permission(&self) -> Permission {
        Permission { role: self.role, scope: self.scope.clone(), sensitive: self.sensitive }
    }

    /// Whether it is valid at an instant.
    pub fn is_valid(&self, now: DateTime<Utc>) -> bool {
        self.revoked_at.is_none() && self.expires_at.is_none_or(|end| now < end)
    }

    /// `valid`, `expired` or `revoked`.
    pub fn state(&self, now: DateTime<Utc>) -> &'static str {
        match (self.revoked_at, self.is_valid(now)) {
            (Some(_), _) => "revoked",
            (None, true) => "valid",
            (None, false) => "expired",
        }
    }
}

/// Whether a role and a scope make sense together; says what is missing.
pub fn check_scope(role: Role, scope: &Scope) -> Result<(), String> {
    match role {
        Role::Insurer if scope.insurers.is_empty() => Err("a token of role insurer needs --insurer CODE".to_owned()),
        Role::Reporter if scope.feeds.is_empty() => Err("a token of role reporter needs --feed ID".to_owned()),
        Role::Admin | Role::Public if *scope != Scope::default() => {
            Err(format!("a token of role {} takes no region, sector, insurer or feed", role.as_str()))
        }
        Role::Official | Role::Analyst | Role::Insurer if !scope.feeds.is_empty() => {
            Err("--feed is for tokens of role reporter".to_owned())
        }
        _ => Ok(()),
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn roles_that_need_a_scope_are_refused_without() {
        assert!(check_scope(Role::Insurer, &Scope::default()).is_err());
        assert!(check_scope(Role::Reporter, &Scope::default()).is_err());
        assert!(check_scope(Role::Official, &Scope::default()).is_ok());
        let one = Scope { insurers: vec!["PICC".into()], ..Scope::default() };
        assert!(check_scope(Role::Insurer, &one).is_ok());
        assert!(check_scope(Role::Admin, &one).is_err());
    }
}
