//! What is wrong with a request.

/// One field that cannot be read.
#[derive(Debug, Clone, PartialEq, Eq, thiserror::Error)]
#[error("{field}: {message}")]
pub struct Invalid {
    /// Stable code.
    pub code: &'static str,
    /// Field, as in the proto file; dots lead into messages.
    pub field: String,
    /// For people.
    pub message: String,
}

/// Shorthand.
pub(crate) fn invalid(
    code: &'static str,
    field: impl Into<String>,
    message: impl Into<String>,
) -> Invalid {
    Invalid { code, field: field.into(), message: message.into() }
}
