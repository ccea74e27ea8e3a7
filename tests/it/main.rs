//! The one integration binary. Each module is one promise.

mod direction;
mod generated_docs;
mod requirements;
