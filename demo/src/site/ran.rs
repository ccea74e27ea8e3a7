//! One command: prepared, run, and what came of it.

use std::{
    ffi::{OsStr, OsString},
    io::Read,
    path::Path,
    process::{Child, Command, Stdio},
    sync::mpsc,
    thread,
    time::{Duration, Instant},
};

use serde_json::Value;

use super::SiteError;

/// No command of the story takes longer, so none can hang it.
const PATIENCE: Duration = Duration::from_secs(180);
const TICK: Duration = Duration::from_millis(3);

/// A command about to be run.
pub struct Tool {
    command: Command,
    name: String,
    words: Vec<OsString>,
    show_progress: bool,
}

/// What a command did.
#[derive(Debug, Clone)]
pub struct Ran {
    /// The command as a person would type it.
    pub line: String,
    /// Its exit status; none when a signal ended it.
    pub status: Option<i32>,
    /// Standard output.
    pub stdout: String,
    /// Standard error; empty when it went to the terminal.
    pub stderr: String,
}

impl Tool {
    pub(super) fn new(command: Command, program: &Path) -> Self {
        let name = program.file_name().map(|name| name.to_string_lossy().into_owned());
        Self { command, name: name.unwrap_or_default(), words: Vec::new(), show_progress: false }
    }

    /// Adds an argument.
    #[must_use]
    pub fn arg(mut self, word: impl AsRef<OsStr>) -> Self {
        self.command.arg(word.as_ref());
        self.words.push(word.as_ref().to_owned());
        self
    }

    /// Adds arguments.
    #[must_use]
    pub fn args<S: AsRef<OsStr>>(self, words: impl IntoIterator<Item = S>) -> Self {
        words.into_iter().fold(self, Self::arg)
    }

    /// Sets a variable of its environment.
    #[must_use]
    pub fn env(mut self, name: &str, value: impl AsRef<OsStr>) -> Self {
        self.command.env(name, value);
        self
    }

    /// Lets standard error through to this process's, where progress bars are drawn.
    #[must_use]
    pub fn show_progress(mut self) -> Self {
        self.show_progress = true;
        self
    }

    /// The command as a person would type it.
    #[must_use]
    pub fn line(&self) -> String {
        let words = self.words.iter().map(|word| quoted(&word.to_string_lossy()));
        std::iter::once(self.name.clone()).chain(words).collect::<Vec<_>>().join(" ")
    }

    /// Runs it to its end.
    ///
    /// # Errors
    /// [`SiteError`] when it cannot be started or takes longer than three minutes.
    pub fn run(mut self) -> Result<Ran, SiteError> {
        let line = self.line();
        self.command.stdin(Stdio::null()).stdout(Stdio::piped());
        self.command.stderr(if self.show_progress { Stdio::inherit() } else { Stdio::piped() });
        let mut child = self.command.spawn()?;
        let stdout = collect(child.stdout.take());
        let stderr = collect(child.stderr.take());
        let status = wait(&mut child, &line)?;
        Ok(Ran {
            line,
            status,
            stdout: stdout.recv().unwrap_or_default(),
            stderr: stderr.recv().unwrap_or_default(),
        })
    }

    /// Runs it and expects exit status 0.
    ///
    /// # Errors
    /// [`SiteError::Unexpected`] otherwise.
    pub fn succeed(self) -> Result<Ran, SiteError> {
        self.end_with(0)
    }

    /// Runs it and expects this exit status.
    ///
    /// # Errors
    /// [`SiteError::Unexpected`] otherwise.
    pub fn end_with(self, expected: i32) -> Result<Ran, SiteError> {
        let ran = self.run()?;
        if ran.status == Some(expected) {
            return Ok(ran);
        }
        Err(SiteError::Unexpected {
            status: ran.status.map_or_else(|| "a signal".to_owned(), |status| status.to_string()),
            expected: expected.to_string(),
            output: format!("{}{}", ran.stdout, ran.stderr),
            line: ran.line,
        })
    }

    /// Runs it with `--json`, expects success and returns the answer.
    ///
    /// # Errors
    /// [`SiteError`].
    pub fn json(self) -> Result<Value, SiteError> {
        self.arg("--json").succeed()?.json()
    }

    /// Starts it and lets it run.
    ///
    /// # Errors
    /// [`SiteError::Io`].
    pub fn background(mut self) -> Result<Background, SiteError> {
        let line = self.line();
        self.command.stdin(Stdio::null()).stdout(Stdio::piped()).stderr(Stdio::null());
        let mut child = self.command.spawn()?;
        let stdout = collect(child.stdout.take());
        Ok(Background { line, child, stdout })
    }
}

/// A command that is still running; killed when dropped.
pub struct Background {
    line: String,
    child: Child,
    stdout: mpsc::Receiver<String>,
}

impl Background {
    /// Waits for its end.
    ///
    /// # Errors
    /// [`SiteError`] when it takes longer than three minutes.
    pub fn wait(mut self) -> Result<Ran, SiteError> {
        let status = wait(&mut self.child, &self.line)?;
        Ok(Ran {
            line: self.line.clone(),
            status,
            stdout: self.stdout.recv().unwrap_or_default(),
            stderr: String::new(),
        })
    }

    /// Whether it has ended.
    ///
    /// # Errors
    /// [`SiteError::Io`].
    pub fn has_ended(&mut self) -> Result<bool, SiteError> {
        Ok(self.child.try_wait()?.is_some())
    }
}

impl Drop for Background {
    fn drop(&mut self) {
        let _ = self.child.kill();
        let _ = self.child.wait();
    }
}

impl Ran {
    /// Standard output as JSON.
    ///
    /// # Errors
    /// [`SiteError::Unreadable`].
    pub fn json(&self) -> Result<Value, SiteError> {
        serde_json::from_str(&self.stdout).map_err(|_| self.unreadable("JSON"))
    }

    /// The JSON error of a refused command, from standard error.
    ///
    /// # Errors
    /// [`SiteError::Unreadable`].
    pub fn error(&self) -> Result<Value, SiteError> {
        let found = self.stderr.lines().rev().find_map(|line| {
            let value: Value = serde_json::from_str(line).ok()?;
            value.get("error").cloned()
        });
        found.ok_or_else(|| self.unreadable("JSON error"))
    }

    /// The value of a `name  value` line of the human form, on either stream.
    ///
    /// # Errors
    /// [`SiteError::Unreadable`] when there is no such line.
    pub fn field(&self, name: &str) -> Result<String, SiteError> {
        let value = |line: &str| {
            let rest = line.trim_start().strip_prefix(name)?;
            let value = rest.strip_prefix("  ")?.trim();
            (!value.is_empty()).then(|| value.to_owned())
        };
        let found = self.stdout.lines().chain(self.stderr.lines()).find_map(value);
        found.ok_or_else(|| self.unreadable(name))
    }

    fn unreadable(&self, what: &str) -> SiteError {
        SiteError::Unreadable {
            line: self.line.clone(),
            what: what.to_owned(),
            output: format!("{}{}", self.stdout, self.stderr),
        }
    }
}

fn wait(child: &mut Child, line: &str) -> Result<Option<i32>, SiteError> {
    let deadline = Instant::now() + PATIENCE;
    loop {
        if let Some(status) = child.try_wait()? {
            return Ok(status.code());
        }
        if Instant::now() > deadline {
            child.kill()?;
            child.wait()?;
            return Err(SiteError::NotEnded(line.to_owned()));
        }
        thread::sleep(TICK);
    }
}

/// Reads a stream on a thread, so that no pipe fills up.
fn collect(stream: Option<impl Read + Send + 'static>) -> mpsc::Receiver<String> {
    let (sender, receiver) = mpsc::channel();
    thread::spawn(move || {
        let mut bytes = Vec::new();
        if let Some(mut stream) = stream {
            let _ = stream.read_to_end(&mut bytes);
        }
        let _ = sender.send(String::from_utf8_lossy(&bytes).into_owned());
    });
    receiver
}

fn quoted(word: &str) -> String {
    let plain = |c: char| c.is_alphanumeric() || "-_=./:,@%+".contains(c);
    if !word.is_empty() && word.chars().all(plain) {
        word.to_owned()
    } else {
        format!("'{}'", word.replace('\'', r"'\''"))
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    fn tool(program: &str) -> Tool {
        Tool::new(Command::new(program), Path::new(program))
    }

    #[test]
    fn a_line_can_be_typed_again() {
        let line = tool("sekisho").args(["a", "two words", "it's", ""]).line();
        assert_eq!(line, r"sekisho a 'two words' 'it'\''s' ''");
    }

    #[test]
    fn an_unexpected_end_is_an_error_that_shows_the_output() {
        let error = tool("/bin/sh").args(["-c", "echo said; exit 3"]).succeed().unwrap_err();
        let text = error.to_string();
        assert!(text.contains("ended with 3") && text.contains("said"), "{text}");
        tool("/bin/sh").args(["-c", "exit 3"]).end_with(3).unwrap();
    }

    #[test]
    fn fields_and_errors_are_read_from_what_was_printed() {
        let ran = tool("/bin/sh")
            .args(["-c", r#"echo 'run    r-1'; echo noise >&2; echo '{"error":{"exit":3}}' >&2"#])
            .run()
            .unwrap();
        assert_eq!(ran.field("run").unwrap(), "r-1");
        assert!(ran.field("module").is_err());
        assert_eq!(ran.error().unwrap()["exit"], 3);
        assert!(ran.json().is_err());
    }
}
