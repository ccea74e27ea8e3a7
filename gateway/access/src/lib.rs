//! sekisho-access
