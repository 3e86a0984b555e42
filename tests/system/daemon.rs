//! A server of somebody else's, started for one test and ended with it.

use std::fs::{self, File};
use std::net::{Ipv4Addr, TcpListener};
use std::os::unix::fs::chown;
use std::os::unix::process::CommandExt;
use std::path::{Path, PathBuf};
use std::process::{Child, Command, Output, Stdio};
use std::thread::park_timeout;
use std::time::{Duration, Instant};

use tempfile::TempDir;

/// How long a server may take to start or to stop on a busy machine.
const PATIENCE: Duration = Duration::from_secs(90);

/// Where Debian puts programs that are not for everybody.
const FOLDERS: [&str; 4] = ["/usr/local/bin", "/usr/bin", "/usr/sbin", "/usr/local/sbin"];

/// A server in a folder of its own.
pub struct Daemon {
    process: Child,
    folder: TempDir,
}

impl Daemon {
    /// Starts a server whose standard output and error go to `log` in its folder.
    pub fn start(folder: TempDir, command: &mut Command) -> Self {
        let log = File::create(folder.path().join("log")).unwrap();
        command.stdin(Stdio::null()).stdout(log.try_clone().unwrap()).stderr(log);
        let process = command.spawn().unwrap_or_else(|error| panic!("{command:?}: {error}; tests/run installs it"));
        Self { process, folder }
    }

    /// Its folder.
    pub fn path(&self) -> &Path {
        self.folder.path()
    }

    /// What it has written so far.
    pub fn log(&self) -> String {
        fs::read_to_string(self.path().join("log")).unwrap()
    }

    /// Waits until something is so.
    pub fn until<T>(&mut self, what: &str, mut look: impl FnMut(&Self) -> Option<T>) -> T {
        let deadline = Instant::now() + PATIENCE;
        loop {
            if let Some(found) = look(self) {
                return found;
            }
            let ended = self.process.try_wait().unwrap();
            assert!(ended.is_none() && Instant::now() < deadline, "not {what} ({ended:?}): {}", self.log());
            park_timeout(Duration::from_millis(50));
        }
    }
}

impl Drop for Daemon {
    fn drop(&mut self) {
        // Asked first: a server killed outright leaves its children and shared memory behind.
        let _ = Command::new("kill").arg("-TERM").arg(self.process.id().to_string()).status();
        let deadline = Instant::now() + PATIENCE;
        while matches!(self.process.try_wait(), Ok(None)) && Instant::now() < deadline {
            park_timeout(Duration::from_millis(20));
        }
        let _ = self.process.kill();
        let _ = self.process.wait();
    }
}

/// A folder that a server may use: its own if it may not run as root.
pub fn folder() -> TempDir {
    let folder = tempfile::tempdir().unwrap();
    if let Some((user, group)) = nobody() {
        chown(folder.path(), Some(user), Some(group)).unwrap();
    }
    folder
}

/// A program, run as somebody without rights where we are root, because database servers refuse root.
pub fn unprivileged(program: &str, folder: &Path) -> Command {
    let mut command = Command::new(installed(program));
    command.current_dir(folder);
    if let Some((user, group)) = nobody() {
        command.gid(group).uid(user);
    }
    command
}

/// Who has no rights, where we are root.
fn nobody() -> Option<(u32, u32)> {
    let id = |args: &[&str]| {
        let output = Command::new("id").args(args).output().unwrap();
        String::from_utf8(output.stdout).unwrap().trim().parse::<u32>().unwrap()
    };
    (id(&["-u"]) == 0).then(|| (id(&["-u", "nobody"]), id(&["-g", "nobody"])))
}

/// The path of an installed program.
pub fn installed(program: &str) -> PathBuf {
    let versions =
        fs::read_dir("/usr/lib/postgresql").into_iter().flatten().flatten().map(|entry| entry.path().join("bin"));
    let folders = FOLDERS.iter().map(PathBuf::from).chain(versions);
    let found = folders.map(|folder| folder.join(program)).find(|path| path.is_file());
    found.unwrap_or_else(|| panic!("{program} is not installed; tests/run installs what the tests need"))
}

/// Runs a program that must succeed.
pub fn succeed(command: &mut Command) -> Output {
    let output = command.stdin(Stdio::null()).output().unwrap();
    assert!(output.status.success(), "{command:?}: {}", String::from_utf8_lossy(&output.stderr));
    output
}

/// A port that was free just now, for servers that cannot choose one themselves.
pub fn free_port() -> u16 {
    TcpListener::bind((Ipv4Addr::LOCALHOST, 0)).unwrap().local_addr().unwrap().port()
}
