//! Lists the metrics, marts, leads and schemes, so that adding one touches no Rust.
#![allow(clippy::disallowed_methods, reason = "cargo speaks to build scripts by the environment")]

use std::fmt::Write as _;
use std::path::{Path, PathBuf};
use std::{env, fs};

fn main() {
    let out = env::var("OUT_DIR").expect("cargo sets OUT_DIR for build scripts");
    let mut code = String::new();
    for (folder, name) in [("metrics", "METRICS"), ("marts", "MARTS"), ("leads", "LEADS"), ("schemes", "SCHEMES")] {
        println!("cargo::rerun-if-changed={folder}");
        list(&mut code, folder, name);
    }
    fs::write(Path::new(&out).join("embedded.rs"), code).expect("OUT_DIR is writable");
}

fn list(code: &mut String, folder: &str, name: &str) {
    let root = env::var("CARGO_MANIFEST_DIR").expect("cargo sets CARGO_MANIFEST_DIR");
    let mut files: Vec<PathBuf> = fs::read_dir(Path::new(&root).join(folder))
        .map(|entries| entries.filter_map(|entry| entry.ok().map(|e| e.path())).collect())
        .unwrap_or_default();
    files.retain(|path| path.extension().is_some_and(|ending| ending == "sql" || ending == "toml"));
    files.sort();
    let _ = writeln!(code, "pub(crate) const {name}: &[(&str, &str)] = &[");
    for path in files {
        let file = path.file_name().unwrap_or_default().to_string_lossy().into_owned();
        // Of a test only its being there counts at run time.
        let text = match file.ends_with(".test.toml") {
            true => "\"\"".to_owned(),
            // Found from the crate when it is compiled: a clone elsewhere may share the target folder.
            false => format!("include_str!(concat!(env!(\"CARGO_MANIFEST_DIR\"), {:?}))", format!("/{folder}/{file}")),
        };
        let _ = writeln!(code, "    ({file:?}, {text}),");
    }
    let _ = writeln!(code, "];");
}
