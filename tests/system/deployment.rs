//! A deployment in a temporary folder, and the real `anze` working on it.

use std::fs;
use std::path::{Path, PathBuf};
use std::process::{Command, Output, Stdio};

use serde_json::Value;
use tempfile::TempDir;

/// A deployment that goes away with its test.
pub struct Deployment {
    folder: TempDir,
}

/// What one command said and how it ended.
#[derive(Debug)]
pub struct Answer {
    /// Exit code; none where a signal ended it.
    pub code: Option<i32>,
    pub stdout: Vec<u8>,
    /// For people, and for the message of a test that fails.
    pub stderr: String,
}

impl Deployment {
    /// As `anze init` writes it.
    pub fn new() -> Self {
        let deployment = Self { folder: tempfile::tempdir().unwrap() };
        let init = finish(anze().arg("init").arg(deployment.path()));
        assert_eq!(init.code, Some(0), "{init:?}");
        deployment
    }

    /// The same with other settings.
    pub fn in_folder(settings: &str) -> Self {
        let deployment = Self::new();
        deployment.write("anze.toml", settings);
        deployment
    }

    /// Its folder.
    pub fn path(&self) -> &Path {
        self.folder.path()
    }

    /// Writes a file of the deployment, with its folders.
    pub fn write(&self, name: &str, bytes: impl AsRef<[u8]>) {
        let path = self.path().join(name);
        fs::create_dir_all(path.parent().unwrap()).unwrap();
        // Renamed into place, as a sender does.
        let half = path.with_extension("part");
        fs::write(&half, bytes).unwrap();
        fs::rename(half, path).unwrap();
    }

    /// A command that works here, not started yet.
    pub fn command(&self, args: &[&str]) -> Command {
        let mut command = anze();
        command.arg("-C").arg(self.path()).args(args);
        command
    }

    /// Runs a command to its end.
    pub fn run(&self, args: &[&str]) -> Answer {
        finish(&mut self.command(args))
    }

    /// Takes in what every feed has.
    pub fn ingest(&self) -> Answer {
        self.run(&["ingest", "run", "--all", "--format", "json"])
    }

    /// The rows of a statement.
    pub fn sql(&self, statement: &str) -> Vec<Value> {
        let answer = self.run(&["sql", "--format", "json", statement]);
        assert_eq!(answer.code, Some(0), "{statement}: {answer:?}");
        answer.json()["rows"].as_array().unwrap().clone()
    }

    /// The rows of a statement as text, header first.
    pub fn csv(&self, statement: &str) -> String {
        let answer = self.run(&["sql", "--format", "csv", statement]);
        assert_eq!(answer.code, Some(0), "{statement}: {answer:?}");
        answer.text()
    }

    /// The published releases, as the command line lists them.
    pub fn releases(&self) -> Value {
        let answer = self.run(&["releases", "list", "--format", "json"]);
        assert_eq!(answer.code, Some(0), "{answer:?}");
        answer.json()
    }
}

impl Answer {
    fn of(output: Output) -> Self {
        let stderr = String::from_utf8_lossy(&output.stderr).into_owned();
        Self { code: output.status.code(), stdout: output.stdout, stderr }
    }

    /// What it printed.
    pub fn text(&self) -> String {
        String::from_utf8(self.stdout.clone()).unwrap()
    }

    /// What it printed, as JSON.
    pub fn json(&self) -> Value {
        serde_json::from_slice(&self.stdout).unwrap_or_else(|error| panic!("{error}: {self:?}"))
    }
}

/// Runs a command to its end, with nothing on its standard input.
pub fn finish(command: &mut Command) -> Answer {
    Answer::of(command.stdin(Stdio::null()).output().unwrap())
}

/// The program under test: `ANZE_BIN`, or what the same build put beside this test.
fn anze() -> Command {
    let built = || {
        let test = std::env::current_exe().unwrap();
        test.parent().and_then(Path::parent).unwrap().join("anze")
    };
    let program = setting("ANZE_BIN").map_or_else(built, PathBuf::from);
    assert!(program.is_file(), "{} is not there: build the binary `anze` or set ANZE_BIN", program.display());
    Command::new(program)
}

/// A setting of the tests.
#[allow(clippy::disallowed_methods, reason = "only the product has one place that reads its environment")]
pub fn setting(name: &str) -> Option<std::ffi::OsString> {
    std::env::var_os(name)
}
