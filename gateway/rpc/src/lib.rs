//! sekisho-rpc
