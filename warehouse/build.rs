//! Lists the contract files and the shipped reference data, so that adding one touches no Rust.

#![allow(clippy::disallowed_methods, reason = "cargo speaks to build scripts through the environment")]

use std::fmt::Write as _;
use std::path::Path;
use std::{env, fs};

fn main() {
    let out = env::var("OUT_DIR").expect("cargo sets OUT_DIR for build scripts");
    let mut code = String::new();
    for (folder, ending, name) in
        [("tables", "toml", "TABLES"), ("system", "toml", "SYSTEM"), ("reference", "csv", "REFERENCE")]
    {
        println!("cargo::rerun-if-changed={folder}");
        list(&mut code, folder, ending, name);
    }
    fs::write(Path::new(&out).join("embedded.rs"), code).expect("OUT_DIR is writable");
}

fn list(code: &mut String, folder: &str, ending: &str, name: &str) {
    let root = env::var("CARGO_MANIFEST_DIR").expect("cargo sets CARGO_MANIFEST_DIR");
    let mut files: Vec<_> = fs::read_dir(Path::new(&root).join(folder))
        .map(|entries| entries.filter_map(|entry| entry.ok().map(|e| e.path())).collect())
        .unwrap_or_default();
    files.retain(|path: &std::path::PathBuf| path.extension().is_some_and(|e| e == ending));
    files.sort();
    let _ = writeln!(code, "pub(crate) const {name}: &[(&str, &str)] = &[");
    for path in files {
        let stem = path.file_stem().unwrap_or_default().to_string_lossy().into_owned();
        // Found from the crate when it is compiled: a clone elsewhere may share the target folder.
        let place = format!("/{folder}/{stem}.{ending}");
        let _ = writeln!(code, "    ({stem:?}, include_str!(concat!(env!(\"CARGO_MANIFEST_DIR\"), {place:?}))),");
    }
    let _ = writeln!(code, "];");
}
