//! Real `pocketsync` processes.
#![allow(dead_code, reason = "each test program uses its part")]

use std::fs::File;
use std::io::{BufRead, BufReader};
use std::path::{Path, PathBuf};
use std::process::{Child, Command, ExitStatus, Output, Stdio};
use std::time::{Duration, Instant};

/// The program, with an environment that says nothing to it.
pub(crate) fn pocketsync() -> Command {
    let mut command = Command::new(env!("CARGO_BIN_EXE_pocketsync"));
    command.env_remove("RUST_LOG").env_remove("POCKETSYNC_TOKEN").env_remove("NO_COLOR");
    command
}

/// Runs the program to its end.
pub(crate) fn run<'a>(arguments: impl IntoIterator<Item = &'a str>) -> Output {
    pocketsync().args(arguments).stdin(Stdio::null()).output().expect("the program starts")
}

pub(crate) fn stdout(output: &Output) -> String {
    String::from_utf8(output.stdout.clone()).expect("stdout is UTF-8")
}

pub(crate) fn stderr(output: &Output) -> String {
    String::from_utf8(output.stderr.clone()).expect("stderr is UTF-8")
}

/// Runs the program, and panics with what it said unless it exits with `code`.
pub(crate) fn expect<'a>(code: i32, arguments: impl IntoIterator<Item = &'a str>) -> Output {
    let arguments: Vec<&str> = arguments.into_iter().collect();
    let output = run(arguments.iter().copied());
    assert_eq!(
        output.status.code(),
        Some(code),
        "pocketsync {}\nstdout: {}\nstderr: {}",
        arguments.join(" "),
        stdout(&output),
        stderr(&output)
    );
    output
}

pub(crate) fn text(path: &Path) -> &str {
    path.to_str().expect("test paths are UTF-8")
}

/// A process that is killed when the test is over, and whose log is shown when the test failed.
pub(crate) struct Process {
    child: Option<Child>,
    log: PathBuf,
}

impl Process {
    fn spawn(mut command: Command, log: PathBuf) -> (Self, Child) {
        let file = File::options().create(true).append(true).open(&log).expect("a log file");
        let child = command
            .args(["-v"])
            .stdin(Stdio::null())
            .stderr(file)
            .stdout(Stdio::piped())
            .spawn()
            .expect("the program starts");
        (Process { child: None, log }, child)
    }

    /// Ends it without asking.
    pub(crate) fn kill(&mut self) {
        if let Some(mut child) = self.child.take() {
            child.kill().expect("SIGKILL");
            child.wait().expect("it ended");
        }
    }

    /// Asks it to end, and waits until it has.
    pub(crate) fn terminate(&mut self, signal: &str) -> ExitStatus {
        let mut child = self.child.take().expect("it runs");
        let sent = Command::new("kill").args([signal, &child.id().to_string()]).status().expect("kill(1)");
        assert!(sent.success());
        let since = Instant::now();
        loop {
            if let Some(status) = child.try_wait().expect("it can be waited for") {
                return status;
            }
            assert!(since.elapsed() < Duration::from_secs(20), "{signal} did not end it; {}", self.log());
            std::thread::sleep(Duration::from_millis(5));
        }
    }

    /// Its number.
    pub(crate) fn id(&self) -> u32 {
        self.child.as_ref().expect("it runs").id()
    }

    /// Whether it still runs.
    pub(crate) fn runs(&mut self) -> bool {
        self.child.as_mut().is_some_and(|child| child.try_wait().is_ok_and(|status| status.is_none()))
    }

    pub(crate) fn log(&self) -> String {
        std::fs::read_to_string(&self.log).unwrap_or_default()
    }
}

impl Drop for Process {
    fn drop(&mut self) {
        self.kill();
        if std::thread::panicking() {
            eprintln!("--- {}\n{}", self.log.display(), self.log());
        }
    }
}

/// A hub in its own process.
pub(crate) struct Hub {
    pub(crate) process: Process,
    pub(crate) url: String,
}

impl Hub {
    /// Starts a hub; `listen` is `127.0.0.1:0`, or where a hub was before.
    pub(crate) fn start(data: &Path, listen: &str, more: &[&str]) -> Self {
        let mut command = pocketsync();
        command.args(["hub", "--listen", listen, "--data", text(data)]).args(more);
        let (mut process, mut child) = Process::spawn(command, data.with_extension("log"));
        let mut line = String::new();
        BufReader::new(child.stdout.take().expect("it is piped"))
            .read_line(&mut line)
            .expect("the first line");
        process.child = Some(child);
        let url = line
            .trim_end()
            .strip_prefix("listening on ")
            .unwrap_or_else(|| panic!("the hub said `{line}`; {}", process.log()))
            .to_owned();
        Hub { process, url }
    }

    /// Where it listens.
    pub(crate) fn address(&self) -> &str {
        self.url.split_once("://").expect("a URL").1
    }
}

/// Starts a sidecar that keeps a file in sync.
pub(crate) fn sidecar(file: &Path, hub: &str, scope: &str) -> Process {
    sidecar_with(file, hub, scope, &[])
}

/// The same with more to say.
pub(crate) fn sidecar_with(file: &Path, hub: &str, scope: &str, more: &[&str]) -> Process {
    let mut command = pocketsync();
    command.args(["sync", text(file), "--hub", hub, "--scope", scope, "--watch"]).args(more);
    let (mut process, child) = Process::spawn(command, file.with_extension("log"));
    process.child = Some(child);
    process
}

/// Waits until something holds.
pub(crate) fn wait_until(what: &str, within: Duration, mut holds: impl FnMut() -> bool) -> Duration {
    let since = Instant::now();
    while !holds() {
        assert!(since.elapsed() < within, "still not after {within:?}: {what}");
        std::thread::sleep(Duration::from_millis(100));
    }
    since.elapsed()
}
