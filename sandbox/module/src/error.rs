use std::fmt;

/// One thing wrong with a manifest.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct ManifestError {
    /// Stable code, for example `unknown_key`.
    pub code: &'static str,
    /// Where, for example `outputs.by_sex.keys`.
    pub at: String,
    /// What is wrong and what would be right.
    pub message: String,
}

impl fmt::Display for ManifestError {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        write!(f, "{}: {} [{}]", self.at, self.message, self.code)
    }
}

/// Everything wrong with a manifest, in the order of the file's sections.
#[derive(Clone, Debug, PartialEq, Eq, thiserror::Error)]
#[error("the manifest is refused:{}", .0.iter().map(|e| format!("\n  {e}")).collect::<String>())]
pub struct ManifestErrors(pub Vec<ManifestError>);

/// A parameter of a run that does not fit its declaration.
#[derive(Clone, Debug, PartialEq, Eq, thiserror::Error)]
pub enum ParameterError {
    /// The manifest declares no such parameter.
    #[error("parameter {name} is not declared")]
    Unknown {
        /// The name given.
        name: String,
    },
    /// The same parameter was given twice.
    #[error("parameter {name} is given twice")]
    Twice {
        /// The name given.
        name: String,
    },
    /// The value has another type.
    #[error("parameter {name} must be {expected}")]
    WrongType {
        /// The name given.
        name: String,
        /// The declared type.
        expected: &'static str,
    },
    /// The value is outside the declared range or choices.
    #[error("parameter {name} must be {allowed}")]
    OutOfRange {
        /// The name given.
        name: String,
        /// The declared range or choices.
        allowed: String,
    },
}

impl ParameterError {
    /// Stable code for clients.
    #[must_use]
    pub fn code(&self) -> &'static str {
        match self {
            Self::Unknown { .. } => "parameter_unknown",
            Self::Twice { .. } => "parameter_twice",
            Self::WrongType { .. } => "parameter_type",
            Self::OutOfRange { .. } => "parameter_range",
        }
    }
}

/// Why a component cannot be taken in.
#[derive(Clone, Debug, PartialEq, Eq, thiserror::Error)]
pub enum Refusal {
    /// The bytes are no WebAssembly at all.
    #[error("this is not a WebAssembly binary: it must start with the bytes 00 61 73 6d")]
    NotWasm,
    /// A core module instead of a component.
    #[error(
        "this is a core module, not a component: build it for wasm32-unknown-unknown with the \
         sekisho-analysis crate, then run `componentize in.wasm out.wasm`"
    )]
    CoreModule,
    /// Bytes that do not validate, or that use a feature which is switched off.
    #[error("the component does not validate or uses a feature that is switched off: {0}")]
    Invalid(String),
    /// Imports outside the allow-list of the declared world.
    #[error(
        "imports are not allowed: {}; the {world} world offers {}, nothing else",
        .imports.join(", "), .allowed.join(", ")
    )]
    ImportNotAllowed {
        /// The refused imports, all of them.
        imports: Vec<String>,
        /// The declared world.
        world: &'static str,
        /// What that world offers.
        allowed: Vec<&'static str>,
    },
    /// The export the world asks for is missing.
    #[error("the {world} world asks for an exported function `{export}`, which is missing")]
    ExportMissing {
        /// The declared world.
        world: &'static str,
        /// The missing function.
        export: &'static str,
    },
    /// A size limit is passed.
    #[error("{what}: {found} is more than the {limit} allowed")]
    TooLarge {
        /// What is too large.
        what: &'static str,
        /// What was found.
        found: u64,
        /// The limit.
        limit: u64,
    },
}

impl Refusal {
    /// Stable code for clients.
    #[must_use]
    pub fn code(&self) -> &'static str {
        match self {
            Self::NotWasm => "not_wasm",
            Self::CoreModule => "core_module",
            Self::Invalid(_) => "invalid_component",
            Self::ImportNotAllowed { .. } => "import_not_allowed",
            Self::ExportMissing { .. } => "export_missing",
            Self::TooLarge { .. } => "too_large",
        }
    }
}
