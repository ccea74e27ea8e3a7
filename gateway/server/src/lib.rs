//! sekisho-server
