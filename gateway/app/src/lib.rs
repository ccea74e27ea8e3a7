//! sekisho-app
