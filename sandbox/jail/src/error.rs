use std::path::PathBuf;

use crate::Control;

/// Why a process could not be confined. None of these leaves a process that may go on.
#[derive(Debug, thiserror::Error)]
pub enum JailError {
    /// The host does not give a required control.
    #[error("this host cannot give the required control \"{control}\": {reason}")]
    Missing {
        /// The control.
        control: Control,
        /// What the host said.
        reason: String,
    },
    /// The process already has more than one thread, so some would stay outside.
    #[error("the process has {0} threads; only a single thread can enter the jail")]
    Threads(usize),
    /// Whoever started this process is gone already.
    #[error("the supervising process is gone")]
    Orphan,
    /// A readable folder is not an absolute path to a folder.
    #[error("{path}: not an absolute path to a folder")]
    Folder {
        /// The path given.
        path: PathBuf,
    },
    /// A setting that every Linux host has was refused.
    #[error("{doing} was refused by the kernel")]
    Kernel {
        /// What was being done.
        doing: &'static str,
        /// Why it failed.
        source: std::io::Error,
    },
}

impl JailError {
    /// Stable code for scripts and records.
    #[must_use]
    pub fn code(&self) -> &'static str {
        match self {
            Self::Missing { control: Control::Network, .. } => "jail.missing_network",
            Self::Missing { control: Control::Files, .. } => "jail.missing_files",
            Self::Missing { control: Control::SystemCalls, .. } => "jail.missing_system_calls",
            Self::Threads(_) => "jail.threads",
            Self::Orphan => "jail.orphan",
            Self::Folder { .. } => "jail.folder",
            Self::Kernel { .. } => "jail.kernel",
        }
    }

    pub(crate) fn kernel(doing: &'static str) -> impl FnOnce(rustix::io::Errno) -> Self {
        move |errno| Self::Kernel { doing, source: errno.into() }
    }
}
