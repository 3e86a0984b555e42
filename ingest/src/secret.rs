//! Secrets by reference: configuration names a variable of the environment or a file; the secret
//! itself is read when it is used, and never shown.

use std::fmt;
use std::path::{Path, PathBuf};

use crate::error::{Error, ErrorKind, Result};

/// How a variable of the environment is looked up; the binary passes its own.
pub type Environment = fn(&str) -> Option<String>;

/// The environment of whoever passes none.
pub fn no_environment(_: &str) -> Option<String> {
    None
}

/// A secret in hand.
#[derive(Clone, PartialEq, Eq)]
pub struct Secret(String);

impl Secret {
    /// The secret itself, for the one call that sends it.
    pub fn reveal(&self) -> &str {
        &self.0
    }
}

impl fmt::Debug for Secret {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.write_str("Secret(…)")
    }
}

/// Where a secret is kept.
#[derive(Debug, Clone, PartialEq, Eq)]
pub enum SecretRef {
    /// In a variable of the environment.
    Env(String),
    /// In a file, relative to the deployment.
    File(PathBuf),
}

impl SecretRef {
    /// The reference in a pair of keys `<name>_env` and `<name>_file`, of which one stands.
    ///
    /// # Errors
    /// What is wrong with the pair, in words.
    pub fn of(name: &str, env: Option<&String>, file: Option<&PathBuf>) -> Result<Self, String> {
        match (env, file) {
            (Some(env), None) if !env.is_empty() => Ok(Self::Env(env.clone())),
            (None, Some(file)) if !file.as_os_str().is_empty() => Ok(Self::File(file.clone())),
            (Some(_), Some(_)) => Err(format!("name the secret once: either {name}_env or {name}_file")),
            _ => Err(format!("name where the secret is kept: {name}_env (a variable) or {name}_file (a file)")),
        }
    }

    /// Reads the secret; white space around it is not part of it.
    ///
    /// # Errors
    /// Refused, naming the variable or file that is missing or empty, never what it holds.
    pub fn read(&self, deployment: &Path, environment: Environment) -> Result<Secret> {
        let text = match self {
            Self::Env(name) => environment(name).ok_or_else(|| {
                let what = format!("the environment variable {name}, which is named for a secret, is not set");
                Error::new(ErrorKind::Refused, what)
            })?,
            Self::File(path) => std::fs::read_to_string(deployment.join(path)).map_err(|error| {
                let what = format!("{}, which is named for a secret, cannot be read", path.display());
                Error::caused(ErrorKind::Refused, what, error)
            })?,
        };
        match text.trim() {
            "" => Err(Error::new(ErrorKind::Refused, format!("{self}, which is named for a secret, is empty"))),
            secret => Ok(Secret(secret.to_owned())),
        }
    }
}

impl fmt::Display for SecretRef {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        match self {
            Self::Env(name) => write!(f, "the environment variable {name}"),
            Self::File(path) => write!(f, "{}", path.display()),
        }
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    fn environment(name: &str) -> Option<String> {
        match name {
            "TOKEN" => Some(" s3cret\n".to_owned()),
            "EMPTY" => Some("\n".to_owned()),
            _ => None,
        }
    }

    #[test]
    fn a_secret_is_read_from_where_it_is_named_and_never_shown() {
        let folder = tempfile::tempdir().unwrap();
        std::fs::write(folder.path().join("token"), "s3cret\n").unwrap();
        for place in [SecretRef::Env("TOKEN".into()), SecretRef::File("token".into())] {
            let secret = place.read(folder.path(), environment).unwrap();
            assert_eq!(secret.reveal(), "s3cret");
            assert_eq!(format!("{secret:?}"), "Secret(…)");
        }
    }

    #[test]
    fn a_missing_or_empty_secret_is_refused_by_the_name_of_its_place() {
        let folder = tempfile::tempdir().unwrap();
        for (place, name) in [
            (SecretRef::Env("MISSING".into()), "MISSING"),
            (SecretRef::Env("EMPTY".into()), "EMPTY"),
            (SecretRef::File("secrets/none".into()), "secrets/none"),
        ] {
            let error = place.read(folder.path(), environment).unwrap_err();
            assert_eq!(error.kind(), ErrorKind::Refused);
            assert!(error.to_string().contains(name), "{error}");
        }
    }

    #[test]
    fn a_secret_is_named_exactly_once() {
        let (env, file) = ("TOKEN".to_owned(), PathBuf::from("token"));
        assert_eq!(SecretRef::of("bearer", Some(&env), None), Ok(SecretRef::Env("TOKEN".into())));
        assert_eq!(SecretRef::of("bearer", None, Some(&file)), Ok(SecretRef::File("token".into())));
        assert!(SecretRef::of("bearer", Some(&env), Some(&file)).unwrap_err().contains("bearer_env or bearer_file"));
        assert!(SecretRef::of("bearer", None, None).is_err());
    }
}
