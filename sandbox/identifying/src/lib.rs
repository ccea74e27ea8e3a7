//! What may name a person, found by its looks: patterns for values in free text and in
//! tables, and words in the names of columns.
//!
//! Start at [`TEXT`] and [`DAYS`] (free text, whose matches are replaced), [`value`] (one field of a table),
//! [`column`] (the name of a column) and [`explanation`] (what is said about one).
//!
//! Invariants
//! - Linear time whatever the text: no backtracking.
//! - Nothing here repeats what was found; callers learn which pattern it was.
//! - A pattern finds looks, not meaning: what it lets through is not thereby anonymous.
//!
//! Must never depend on: any other crate of ours.

mod column;
mod letter;
mod pattern;
mod text;
mod value;

pub use column::{column, explanation};
pub use letter::is_unseen;
pub use pattern::Pattern;
pub use text::{DAYS, TEXT};
pub use value::{DATE, value};
