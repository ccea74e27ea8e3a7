//! A long-running process of the site, its output in a log file.

use std::{
    fs::{File, OpenOptions},
    io::{self, BufRead as _, BufReader, Write as _},
    path::{Path, PathBuf},
    process::{Child, ChildStdout, Command, ExitStatus, Stdio},
    sync::mpsc,
    thread,
    time::{Duration, Instant},
};

use rustix::process::{Pid, kill_process};
use serde_json::Value;

use super::SiteError;

/// How to end a process.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum Signal {
    /// SIGTERM: it may finish what it is doing.
    Terminate,
    /// SIGKILL: it may not.
    Kill,
}

const END: Duration = Duration::from_secs(20);
const TICK: Duration = Duration::from_millis(5);

/// A process; killed when dropped.
pub struct Process {
    name: String,
    child: Child,
    log: PathBuf,
    first_line: mpsc::Receiver<String>,
}

impl Process {
    /// Starts `command` with its output appended to `<logs>/<name>.log`.
    ///
    /// # Errors
    /// [`SiteError::Io`].
    pub fn start(command: &mut Command, name: &str, logs: &Path) -> Result<Self, SiteError> {
        let log = logs.join(format!("{name}.log"));
        let file = OpenOptions::new().create(true).append(true).open(&log)?;
        let mut child = command
            .stdin(Stdio::null())
            .stdout(Stdio::piped())
            .stderr(file.try_clone()?)
            .spawn()?;
        let (sender, first_line) = mpsc::channel();
        if let Some(stdout) = child.stdout.take() {
            thread::spawn(move || copy(stdout, file, &sender));
        }
        Ok(Self { name: name.to_owned(), child, log, first_line })
    }

    /// Waits for the ready line, `{"listening": "ADDRESS"}`, and returns the address.
    ///
    /// # Errors
    /// [`SiteError::NotReady`] with the end of the log.
    pub fn wait_ready(&mut self, patience: Duration) -> Result<String, SiteError> {
        let line = self.first_line.recv_timeout(patience);
        let ready: Option<Value> = line.ok().and_then(|line| serde_json::from_str(&line).ok());
        let address = ready.as_ref().and_then(|ready| ready.get("listening")?.as_str());
        match address {
            Some(address) => Ok(address.to_owned()),
            None => Err(SiteError::NotReady { name: self.name.clone(), why: self.last_words() }),
        }
    }

    /// Its process id.
    #[must_use]
    pub fn id(&self) -> u32 {
        self.child.id()
    }

    /// Its exit status, if it has ended.
    ///
    /// # Errors
    /// [`SiteError::Io`].
    pub fn ended(&mut self) -> Result<Option<ExitStatus>, SiteError> {
        Ok(self.child.try_wait()?)
    }

    /// Sends the signal and waits for the end.
    ///
    /// # Errors
    /// [`SiteError::NotEnded`] after 20 s.
    pub fn end(&mut self, signal: Signal) -> Result<(), SiteError> {
        if self.child.try_wait()?.is_some() {
            return Ok(());
        }
        let signal = match signal {
            Signal::Terminate => rustix::process::Signal::TERM,
            Signal::Kill => rustix::process::Signal::KILL,
        };
        kill_process(Pid::from_child(&self.child), signal).map_err(io::Error::from)?;
        let deadline = Instant::now() + END;
        while Instant::now() < deadline {
            if self.child.try_wait()?.is_some() {
                return Ok(());
            }
            thread::sleep(TICK);
        }
        Err(SiteError::NotEnded(self.name.clone()))
    }

    /// The last lines of its log.
    #[must_use]
    pub fn last_words(&self) -> String {
        let text = std::fs::read_to_string(&self.log).unwrap_or_default();
        let lines: Vec<&str> = text.lines().rev().take(12).collect();
        lines.into_iter().rev().collect::<Vec<_>>().join("\n")
    }
}

impl Drop for Process {
    fn drop(&mut self) {
        // Already ended is fine; nothing else can be done here.
        let _ = self.child.kill();
        let _ = self.child.wait();
    }
}

fn copy(stdout: ChildStdout, mut log: File, first: &mpsc::Sender<String>) {
    for line in BufReader::new(stdout).lines() {
        let Ok(line) = line else { return };
        let _ = writeln!(log, "{line}");
        // Nobody listens after the first.
        let _ = first.send(line);
    }
}
