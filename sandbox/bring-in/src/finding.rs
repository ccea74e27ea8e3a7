use std::fmt;

/// Findings that are kept; of more, only the number.
pub const MAX_FINDINGS: usize = 50;

/// One reason why a table is refused.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct Finding {
    /// Stable code.
    pub code: &'static str,
    /// Line of the file that it is about, from 1.
    pub line: Option<u64>,
    /// Column that it is about.
    pub column: Option<String>,
    /// What is wrong, in a sentence that does not repeat the value.
    pub message: String,
}

impl fmt::Display for Finding {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        if let Some(line) = self.line {
            write!(f, "line {line}: ")?;
        }
        if let Some(column) = &self.column {
            write!(f, "column `{column}`: ")?;
        }
        write!(f, "{} ({})", self.message, self.code)
    }
}

/// A table that is not read.
#[derive(Clone, Debug, PartialEq, Eq, thiserror::Error)]
pub struct Refused {
    /// At least one, at most [`MAX_FINDINGS`], in the order of the description and the file.
    pub findings: Vec<Finding>,
    /// How many more there are.
    pub more: u64,
    /// Whether one of them, kept or not, is that a person might be told (RI-1).
    pub identifying: bool,
}

impl fmt::Display for Refused {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        for (position, finding) in self.findings.iter().enumerate() {
            if position > 0 {
                writeln!(f)?;
            }
            write!(f, "{finding}")?;
        }
        if self.more > 0 {
            write!(f, "\nand {} more", self.more)?;
        }
        Ok(())
    }
}

/// Collects findings.
#[derive(Default)]
pub(crate) struct Findings {
    kept: Vec<Finding>,
    more: u64,
    identifying: bool,
}

impl Findings {
    pub(crate) fn add(
        &mut self,
        code: &'static str,
        line: Option<u64>,
        column: Option<&str>,
        message: impl Into<String>,
    ) {
        if self.kept.len() == MAX_FINDINGS {
            self.more += 1;
            return;
        }
        let (column, message) = (column.map(str::to_owned), message.into());
        self.kept.push(Finding { code, line, column, message });
    }

    /// Adds one by which a person might be told (RI-1).
    pub(crate) fn add_identifying(
        &mut self,
        code: &'static str,
        line: Option<u64>,
        column: Option<&str>,
        message: impl Into<String>,
    ) {
        self.identifying = true;
        self.add(code, line, column, message);
    }

    /// What was made, if nothing was found.
    pub(crate) fn or<T>(self, made: T) -> Result<T, Refused> {
        if self.kept.is_empty() { Ok(made) } else { Err(self.refused()) }
    }

    pub(crate) fn refused(self) -> Refused {
        Refused { findings: self.kept, more: self.more, identifying: self.identifying }
    }
}

/// A refusal for one reason.
pub(crate) fn refused(
    code: &'static str,
    line: Option<u64>,
    message: impl Into<String>,
) -> Refused {
    let mut findings = Findings::default();
    findings.add(code, line, None, message);
    findings.refused()
}
