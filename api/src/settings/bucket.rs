//! `[bucket]` and `[backup]`: how a bucket is reached and who may use it.

use std::path::PathBuf;

use anze_ingest::secret::SecretRef;
use anze_ingest::source::{endpoint_fault, key_pair};
use serde::Deserialize;

/// How a bucket is reached. Its name stands in `s3://bucket/prefix`.
#[derive(Debug, Clone, PartialEq, Deserialize)]
#[serde(default, deny_unknown_fields)]
pub struct BucketSettings {
    /// Address of a compatible store; none: Amazon's own, by region.
    pub endpoint: Option<String>,
    /// Region.
    pub region: String,
    /// Environment variable with the access key; without keys the machine's role is used.
    pub access_key_env: Option<String>,
    /// File with the access key, relative to the deployment.
    pub access_key_file: Option<PathBuf>,
    /// Environment variable with the secret key.
    pub secret_key_env: Option<String>,
    /// File with the secret key, relative to the deployment.
    pub secret_key_file: Option<PathBuf>,
    /// Allows `http://`, of an endpoint on this machine only.
    pub allow_http: bool,
}

impl Default for BucketSettings {
    fn default() -> Self {
        Self {
            endpoint: None,
            region: "us-east-1".to_owned(),
            access_key_env: None,
            access_key_file: None,
            secret_key_env: None,
            secret_key_file: None,
            allow_http: false,
        }
    }
}

impl BucketSettings {
    /// The key that cannot work, and why.
    pub(super) fn fault(&self) -> Option<(&'static str, String)> {
        let endpoint = self.endpoint.as_deref().and_then(|endpoint| endpoint_fault(endpoint, self.allow_http));
        let keys = || self.keys().err().map(|fault| ("access_key_env", fault));
        endpoint.map(|fault| ("endpoint", fault)).or_else(keys)
    }

    /// Where access key and secret key are kept; `None`: the machine's role is used.
    ///
    /// # Errors
    /// What is wrong with the keys that name them, in words.
    pub fn keys(&self) -> Result<Option<(SecretRef, SecretRef)>, String> {
        let access = (self.access_key_env.as_ref(), self.access_key_file.as_ref());
        let secret = (self.secret_key_env.as_ref(), self.secret_key_file.as_ref());
        key_pair(access, secret)
    }
}
