//! `live/tokens.json` of the warehouse: written whole and atomically; read again whenever it changed, so that a
//! revoked token is refused at once, in a bucket within a second.

use std::sync::{Arc, Mutex, PoisonError};

use anyhow::Context;
use anze_warehouse::store::{Document, Store};
use bytes::Bytes;
use chrono::{DateTime, SubsecRound, Utc};
use serde::{Deserialize, Serialize};

use super::{Secret, Token};

#[derive(Debug, Clone, Default, Serialize, Deserialize)]
#[serde(deny_unknown_fields)]
struct Kept {
    tokens: Vec<Token>,
}

/// The file of tokens, with what was last read of it.
#[derive(Debug)]
pub struct TokenFile {
    document: Document,
    read: Mutex<(Option<Bytes>, Arc<Vec<Token>>)>,
}

impl TokenFile {
    /// The tokens of a warehouse; there need not be any yet.
    pub fn of(store: &Store) -> Self {
        Self { document: Document::new(store, "live/tokens.json"), read: Mutex::default() }
    }

    /// All tokens, revoked and expired ones too.
    pub fn tokens(&self) -> anyhow::Result<Arc<Vec<Token>>> {
        let now = self.document.read().with_context(|| self.what("read"))?;
        let mut read = self.read.lock().unwrap_or_else(PoisonError::into_inner);
        if read.0 != now {
            let tokens = parse(now.as_deref()).with_context(|| self.what("read"))?.tokens;
            *read = (now, Arc::new(tokens));
        }
        Ok(Arc::clone(&read.1))
    }

    /// The valid token behind a text that a caller sent.
    pub fn authenticate(&self, secret: &Secret, now: DateTime<Utc>) -> anyhow::Result<Option<Token>> {
        let Some(id) = secret.id() else { return Ok(None) };
        let tokens = self.tokens()?;
        let known = tokens.iter().find(|token| token.id == id);
        Ok(known.filter(|token| secret.matches(&token.sha256) && token.is_valid(now)).cloned())
    }

    /// Adds a token.
    pub fn add(&self, token: &Token) -> anyhow::Result<()> {
        self.change(|tokens| {
            tokens.push(token.clone());
            Ok(())
        })
    }

    /// Revokes a token; revoking twice keeps the first time.
    pub fn revoke(&self, id: &str, now: DateTime<Utc>) -> anyhow::Result<Token> {
        self.change(|tokens| {
            let token = tokens
                .iter_mut()
                .find(|token| token.id == id)
                .with_context(|| format!("there is no token `{id}`; anze token list shows them"))?;
            token.revoked_at.get_or_insert(now.trunc_subsecs(0));
            Ok(token.clone())
        })
    }

    /// Reads, changes and writes, so that two commands at once lose nothing.
    fn change<T>(&self, mut change: impl FnMut(&mut Vec<Token>) -> anyhow::Result<T>) -> anyhow::Result<T> {
        let changed = self.document.change(|before| {
            let mut kept = parse(before).with_context(|| self.what("read"))?;
            let done = change(&mut kept.tokens)?;
            anyhow::Ok((serde_json::to_vec_pretty(&kept)?, done))
        });
        // What is wrong with the change itself needs no place.
        changed.map_err(|error| match error.is::<anze_warehouse::Error>() {
            true => error.context(self.what("change")),
            false => error,
        })
    }

    fn what(&self, act: &str) -> String {
        format!("cannot {act} the tokens in {}", self.document.place())
    }
}

fn parse(text: Option<&[u8]>) -> anyhow::Result<Kept> {
    let Some(text) = text else { return Ok(Kept::default()) };
    serde_json::from_slice(text).context("it is damaged; restore it from a backup, or delete it and create new tokens")
}

#[cfg(test)]
mod tests {
    use std::fs;
    use std::path::Path;

    use super::*;
    use crate::permission::{Role, Scope, Sensitive};

    fn file(folder: &Path) -> TokenFile {
        TokenFile::of(&Store::folder(folder).unwrap())
    }

    fn now() -> DateTime<Utc> {
        "2026-06-30T00:00:00Z".parse().unwrap()
    }

    fn token(role: Role) -> (Secret, Token) {
        let (id, secret) = Secret::generate().unwrap();
        let sha256 = secret.sha256();
        let token = Token {
            id,
            sha256,
            role,
            scope: Scope::default(),
            sensitive: Sensitive::Masked,
            created_at: now(),
            expires_at: None,
            revoked_at: None,
        };
        (secret, token)
    }

    #[test]
    fn a_revoked_token_is_refused_at_once_by_a_reader_that_knew_it() {
        let folder = tempfile::tempdir().unwrap();
        let server = file(folder.path());
        let command = file(folder.path());
        let (secret, token) = token(Role::Admin);
        assert!(server.authenticate(&secret, now()).unwrap().is_none());
        command.add(&token).unwrap();
        assert_eq!(server.authenticate(&secret, now()).unwrap(), Some(token.clone()));
        command.revoke(&token.id, now()).unwrap();
        assert!(server.authenticate(&secret, now()).unwrap().is_none());
    }

    #[test]
    fn an_expired_token_is_refused_from_its_last_instant_on() {
        let folder = tempfile::tempdir().unwrap();
        let file = file(folder.path());
        let (secret, token) = token(Role::Official);
        let end = now() + chrono::TimeDelta::seconds(1);
        file.add(&Token { expires_at: Some(end), ..token }).unwrap();
        assert!(file.authenticate(&secret, now()).unwrap().is_some());
        assert!(file.authenticate(&secret, end).unwrap().is_none());
    }

    #[test]
    fn the_file_holds_no_secret_and_is_for_its_owner_only() {
        use std::os::unix::fs::PermissionsExt;
        let folder = tempfile::tempdir().unwrap();
        let file = file(folder.path());
        let (secret, token) = token(Role::Admin);
        file.add(&token).unwrap();
        let path = folder.path().join("live/tokens.json");
        let text = fs::read_to_string(&path).unwrap();
        assert!(!text.contains(secret.reveal()) && text.contains(&secret.sha256()));
        assert_eq!(fs::metadata(&path).unwrap().permissions().mode() & 0o777, 0o600);
    }

    #[test]
    fn the_right_id_with_another_secret_is_refused() {
        let folder = tempfile::tempdir().unwrap();
        let file = file(folder.path());
        let (_, token) = token(Role::Admin);
        let forged = Secret::received(&format!("anze_{}_{}", token.id, "0".repeat(64)));
        file.add(&token).unwrap();
        assert!(file.authenticate(&forged, now()).unwrap().is_none());
    }

    #[test]
    fn a_damaged_file_lets_nobody_in_and_says_so() {
        let folder = tempfile::tempdir().unwrap();
        fs::create_dir(folder.path().join("live")).unwrap();
        fs::write(folder.path().join("live/tokens.json"), "{").unwrap();
        let file = file(folder.path());
        let error = file.authenticate(&Secret::received("anze_a_b"), now()).unwrap_err();
        assert!(format!("{error:#}").contains("damaged"), "{error:#}");
    }

    #[test]
    fn revoking_an_unknown_token_says_where_to_look() {
        let folder = tempfile::tempdir().unwrap();
        let error = file(folder.path()).revoke("nobody", now()).unwrap_err();
        assert!(error.to_string().contains("anze token list"));
    }
}
