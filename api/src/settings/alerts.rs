//! `[alerts]`: who is told when a feed is overdue, held or failing.

use std::fmt;

use serde::Deserialize;

/// Where alerts are told.
#[derive(Clone, PartialEq, Default, Deserialize)]
#[serde(default, deny_unknown_fields)]
pub struct AlertSettings {
    /// Address that takes one JSON document by POST for each feed whose alert changed.
    pub webhook: Option<String>,
    /// Name of the environment variable that holds the address, where the address is a secret.
    pub webhook_env: Option<String>,
}

impl AlertSettings {
    /// The key that cannot work, and why.
    pub(super) fn fault(&self) -> Option<(&'static str, &'static str)> {
        match (&self.webhook, &self.webhook_env) {
            (Some(_), Some(_)) => Some(("webhook_env", "is a second address beside `webhook`; keep one of them")),
            (Some(address), None) if !(address.starts_with("https://") || address.starts_with("http://")) => {
                Some(("webhook", "is no web address; an example is \"https://hooks.example.gov.cn/anze\""))
            }
            (None, Some(name)) if name.is_empty() => Some(("webhook_env", "names no environment variable")),
            _ => None,
        }
    }
}

/// Without the address: many webhooks carry their key in it.
impl fmt::Debug for AlertSettings {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.debug_struct("AlertSettings")
            .field("webhook", &self.webhook.as_ref().map(|_| "…"))
            .field("webhook_env", &self.webhook_env)
            .finish()
    }
}
