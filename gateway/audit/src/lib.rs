//! sekisho-audit
