//! Pages of a listing: a size, and a token that names where to go on.

use serde::{Deserialize, Serialize};

/// Most rows one page may hold.
pub const MAX_PAGE: u32 = 100;
/// Rows of a page when the caller asks for none in particular.
pub const DEFAULT_PAGE: u32 = 50;

/// Which page is wanted.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct PageRequest {
    /// Rows wanted, 1 to [`MAX_PAGE`].
    pub size: u32,
    /// Key of the last row of the page before; `None` for the first page.
    pub after: Option<String>,
}

impl PageRequest {
    /// From what a caller sent; 0 and an empty token mean the defaults.
    #[must_use]
    pub fn new(size: u32, token: &str) -> Self {
        let size = if size == 0 { DEFAULT_PAGE } else { size.min(MAX_PAGE) };
        let after = (!token.is_empty()).then(|| token.to_owned());
        Self { size, after }
    }
}

/// One page of rows.
#[derive(Debug, Clone, PartialEq, Eq, Serialize, Deserialize)]
pub struct Page<T> {
    /// The rows.
    pub items: Vec<T>,
    /// Token of the next page; `None` when this is the last.
    pub next: Option<String>,
}
