//! How a deployment reads its releases: what its sessions may use together, and which province is its own.

use crate::session::Limits;

/// How releases are read.
#[derive(Debug, Clone)]
pub struct Reading {
    /// What its sessions may use together.
    pub limits: Limits,
    /// Code of the province, six digits: figures without a place are judged by its rules.
    pub province: String,
}

impl Default for Reading {
    fn default() -> Self {
        // Zhejiang, whose notice the metrics follow.
        Self { limits: Limits::default(), province: "330000".to_owned() }
    }
}
