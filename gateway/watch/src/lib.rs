//! sekisho-watch
