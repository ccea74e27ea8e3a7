//! How the story is told: headings, explanations, commands as typed with what they
//! printed, and the claims that were checked.

use std::{
    env,
    io::{self, IsTerminal as _, Write as _},
    time::Instant,
};

use sekisho_demo::site::StageName;

/// Lines shown of a long output: at its beginning, and at its end.
const HEAD: usize = 58;
const TAIL: usize = 14;

/// The terminal.
pub(crate) struct Stage {
    colour: bool,
    started: Instant,
    claims: u32,
}

impl Stage {
    pub(crate) fn new() -> Self {
        let plain = env::var_os("NO_COLOR").is_some_and(|value| !value.is_empty());
        Self { colour: io::stdout().is_terminal() && !plain, started: Instant::now(), claims: 0 }
    }

    /// Begins a step.
    pub(crate) fn step(&self, number: u8, title: &str) {
        let line = format!("{number}. {title}");
        self.print(&format!("\n{}", self.paint("1;36", &line)));
        self.print(&self.paint("36", &"─".repeat(line.chars().count())));
    }

    /// Explains what comes next.
    pub(crate) fn say(&self, text: &str) {
        self.print(text);
    }

    /// Shows a command as this person typed it, before it is run.
    pub(crate) fn types(&self, who: StageName, line: &str) {
        let prompt = format!("{}$", who.text());
        self.print(&format!("{} {}", self.paint("1;32", &prompt), self.paint("1", line)));
    }

    /// Shows what a command printed; of something long, its beginning and its end.
    pub(crate) fn printed(&self, text: &str) {
        let lines: Vec<&str> = text.trim_end().lines().collect();
        let hidden = lines.len().saturating_sub(HEAD + TAIL);
        for (index, line) in lines.iter().enumerate() {
            if hidden > 0 && index == HEAD {
                self.print(&format!("  … {hidden} more lines …"));
            }
            if hidden == 0 || index < HEAD || index >= HEAD + hidden {
                self.print(format!("  {line}").trim_end());
            }
        }
    }

    /// Says that something was compared and is so.
    pub(crate) fn checked(&mut self, claim: &str) {
        self.claims += 1;
        self.print(&format!("{} {claim}", self.paint("1;32", "✓")));
    }

    /// The last words of a demo that went well.
    pub(crate) fn finished(&self) {
        let seconds = self.started.elapsed().as_secs_f64();
        let claims = self.claims;
        let line = format!("Done: {claims} claims checked in {seconds:.0} seconds.");
        self.print(&format!("\n{}", self.paint("1;36", &line)));
    }

    /// The last words of one that did not.
    pub(crate) fn failed(&self, error: &anyhow::Error) {
        let _ = writeln!(io::stderr(), "\n{} {error:#}", self.paint("1;31", "FAILED"));
    }

    fn paint(&self, code: &str, text: &str) -> String {
        if self.colour { format!("\u{1b}[{code}m{text}\u{1b}[0m") } else { text.to_owned() }
    }

    fn print(&self, text: &str) {
        let mut out = io::stdout().lock();
        // A reader that hung up ends the story at its next command anyway.
        let _ = writeln!(out, "{text}").and_then(|()| out.flush());
    }
}
