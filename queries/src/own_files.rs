//! The files of a deployment's own folder, beside those inside the binary.

use std::collections::BTreeMap;
use std::path::Path;
use std::{fs, io};

use crate::error::{Error, Result};

/// The texts of the files with one of some endings, by name; none where there is no such folder.
///
/// # Errors
/// Catalogue, where the folder or a file cannot be read.
pub(crate) fn own_files(folder: &Path, endings: &[&str]) -> Result<BTreeMap<String, String>> {
    let unreadable =
        |path: &Path, error: io::Error| Error::catalogue(format!("{} cannot be read: {error}", path.display()));
    let entries = match fs::read_dir(folder) {
        Ok(entries) => entries,
        Err(error) if error.kind() == io::ErrorKind::NotFound => return Ok(BTreeMap::new()),
        Err(error) => return Err(unreadable(folder, error)),
    };
    let mut files = BTreeMap::new();
    for entry in entries {
        let path = entry.map_err(|error| unreadable(folder, error))?.path();
        let Some(name) = path.file_name().and_then(|name| name.to_str()) else { continue };
        if endings.iter().any(|ending| name.ends_with(ending)) {
            let text = fs::read_to_string(&path).map_err(|error| unreadable(&path, error))?;
            files.insert(name.to_owned(), text);
        }
    }
    Ok(files)
}
