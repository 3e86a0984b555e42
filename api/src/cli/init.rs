//! `anze init`: a commented deployment.

use std::fs::{self, OpenOptions};
use std::io::Write;
use std::path::{Path, PathBuf};

use anyhow::Context;
use clap::Args;

use super::Desk;
use crate::exit::{Misuse, Outcome};

/// Folders and files of a new deployment; files are templates inside the binary.
const FOLDERS: [&str; 4] = ["feeds", "inbox", "metrics", "schemes"];
const FILES: [(&str, &str); 3] = [
    ("anze.toml", include_str!("../../assets/init/anze.toml")),
    ("feeds/example.toml.sample", include_str!("../../assets/init/example.toml.sample")),
    ("metrics/README.md", include_str!("../../assets/init/metrics.md")),
];

/// Write a commented deployment
#[derive(Debug, Args)]
pub struct Init {
    /// The folder; it must be empty or not exist yet
    dir: PathBuf,
}

impl Init {
    pub(super) fn run(self, desk: &Desk) -> anyhow::Result<Outcome> {
        let dir = desk.dir.join(&self.dir);
        write(&dir)?;
        // As a command line in this folder would name it: `-C` moved us before the folder was named.
        let shown = if desk.dir == Path::new(".") { self.dir.clone() } else { dir };
        let shown = shown.display();
        desk.terminal.say(&format!(
            "{shown} 已就绪 is ready\n\
             1. copy {shown}/feeds/example.toml.sample to a .toml beside it and make it yours\n\
             2. anze -C {shown} check\n\
             3. anze -C {shown} ingest run --all, or anze -C {shown} serve"
        ));
        Ok(Outcome::Done)
    }
}

fn write(dir: &Path) -> anyhow::Result<()> {
    let explain = || format!("cannot write into {}", dir.display());
    fs::create_dir_all(dir).with_context(explain)?;
    if fs::read_dir(dir).with_context(explain)?.next().is_some() {
        let message = format!("{} is not empty; nothing was written: name a new folder", dir.display());
        return Err(Misuse::new(message).into());
    }
    for folder in FOLDERS {
        fs::create_dir(dir.join(folder)).with_context(explain)?;
    }
    for (name, text) in FILES {
        let mut file = OpenOptions::new().write(true).create_new(true).open(dir.join(name)).with_context(explain)?;
        file.write_all(text.as_bytes()).with_context(explain)?;
    }
    Ok(())
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::permission::Role;
    use crate::settings::Settings;

    #[test]
    fn what_is_written_is_sound() {
        let parent = tempfile::tempdir().unwrap();
        let dir = parent.path().join("new");
        write(&dir).unwrap();
        let settings = Settings::load(&dir).unwrap();
        assert_eq!(settings.server.loopback_role, Role::Admin);
        fs::rename(dir.join("feeds/example.toml.sample"), dir.join("feeds/example.toml")).unwrap();
        let feeds = anze_ingest::feed::Feeds::load(&dir).unwrap();
        assert!(feeds.get("example").is_some());
    }

    #[test]
    fn a_commented_line_of_the_settings_can_be_uncommented() {
        let text = FILES[0].1;
        let is_setting = |line: &&str| {
            let name = line.split(" = ").next().unwrap_or_default();
            line.contains(" = ") && name.bytes().all(|byte| byte.is_ascii_lowercase() || byte == b'_')
        };
        let uncommented = |line: &'static str| line.strip_prefix("# ").filter(is_setting).unwrap_or(line);
        let all: String = text.lines().map(|line| uncommented(line).to_owned() + "\n").collect();
        let dir = tempfile::tempdir().unwrap();
        fs::write(dir.path().join("anze.toml"), all).unwrap();
        let read = Settings::load(dir.path()).unwrap();
        let mut defaults = Settings::default();
        defaults.server.loopback_role = Role::Admin;
        defaults.server.hosts = vec!["anze.example.gov.cn".to_owned()];
        assert_eq!(read, defaults);
    }

    #[test]
    fn a_folder_with_something_in_it_is_left_alone() {
        let dir = tempfile::tempdir().unwrap();
        fs::write(dir.path().join("mine"), "x").unwrap();
        assert!(write(dir.path()).unwrap_err().to_string().contains("not empty"));
        assert_eq!(fs::read_dir(dir.path()).unwrap().count(), 1);
    }
}
