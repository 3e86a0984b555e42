//! The bytes of a frozen assessment: its content, and the SHA-256 over exactly those bytes.
//!
//! `{"content":…,"sha256":"…"}` and a line end, without any other space: every byte is either under the
//! digest, or the digest, or of this frame.

use sha2::{Digest, Sha256};

use super::document::Assessment;
use crate::error::{Error, ErrorKind, Result};

const BEFORE: &str = "{\"content\":";
const BETWEEN: &str = ",\"sha256\":\"";
const AFTER: &str = "\"}\n";
const DIGITS: usize = 64;

/// What the first frozen assessment names as the one before it.
pub(super) const NONE_BEFORE: &str = "0000000000000000000000000000000000000000000000000000000000000000";

/// The bytes of a frozen assessment, and its digest.
pub(super) fn seal(assessment: &Assessment) -> Result<(Vec<u8>, String)> {
    let content = serde_json::to_string(assessment)
        .map_err(|error| Error::new(ErrorKind::Internal, "an assessment cannot be written").because(error))?;
    let digest = sha256(content.as_bytes());
    Ok((format!("{BEFORE}{content}{BETWEEN}{digest}{AFTER}").into_bytes(), digest))
}

/// What was found in the bytes of a frozen assessment.
pub(super) struct Opened {
    /// The digest that stands in the file.
    pub(super) sha256: String,
    /// The content, as far as it can still be read.
    pub(super) assessment: Option<Assessment>,
    /// What is wrong with the bytes.
    pub(super) fault: Option<String>,
}

/// Opens the bytes of a frozen assessment.
pub(super) fn open(bytes: &[u8]) -> Opened {
    let torn = |fault: &str| Opened { sha256: String::new(), assessment: None, fault: Some(fault.to_owned()) };
    let Some(content) = bytes.strip_prefix(BEFORE.as_bytes()) else { return torn("it does not begin as one does") };
    let Some(rest) = content.len().checked_sub(BETWEEN.len() + DIGITS + AFTER.len()) else {
        return torn("it is cut off");
    };
    let (content, end) = content.split_at(rest);
    let digest = end.strip_prefix(BETWEEN.as_bytes()).and_then(|end| end.strip_suffix(AFTER.as_bytes()));
    let Some(digest) = digest.and_then(|digest| std::str::from_utf8(digest).ok()) else {
        return torn("it does not end as one does");
    };
    let computed = sha256(content);
    let assessment = serde_json::from_slice(content);
    let fault = match (&assessment, computed == digest) {
        (_, false) => Some(format!("its content has the SHA-256 {computed}, and {digest} stands in it")),
        (Err(error), true) => Some(format!("it cannot be read: {error}")),
        (Ok(_), true) => None,
    };
    Opened { sha256: digest.to_owned(), assessment: assessment.ok(), fault }
}

/// SHA-256 as 64 hexadecimal digits.
pub(super) fn sha256(bytes: &[u8]) -> String {
    hex(&Sha256::digest(bytes))
}

/// Bytes as hexadecimal digits.
pub(super) fn hex(bytes: &[u8]) -> String {
    bytes.iter().map(|byte| format!("{byte:02x}")).collect()
}
