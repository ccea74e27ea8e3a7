//! A column of numbers whose meaning depends on a code of the same row, such as laboratory
//! results in one column.

use std::collections::BTreeMap;

use super::dummy_spec::{self, Drawing};
use super::toml_reader::TableReader;
use super::{Draw, DummySpec, Kind};

/// What a number means by the code of an earlier column.
#[derive(Clone, Debug, Default, PartialEq)]
pub struct Items {
    /// The earlier code column.
    pub of: String,
    /// Its codes that have a number; with any other code the number is missing.
    pub by_code: BTreeMap<String, Item>,
}

/// What the number of one code is.
#[derive(Clone, Debug, Default, PartialEq)]
pub struct Item {
    /// Its unit, empty when there is none. Where units stand in a column
    /// ([`ColumnSpec::unit_in`](super::ColumnSpec::unit_in)), the unit that `range` is given in.
    pub unit: String,
    /// Smallest and largest number that can be right.
    pub range: Option<(f64, f64)>,
}

/// Reads `items` and how their dummy values are drawn. A share of `missing` beside
/// them applies to all.
pub(super) fn read(
    column: &TableReader<'_, '_>,
    kind: Kind,
    nullable: bool,
) -> Option<(Items, DummySpec)> {
    let table = column.optional_table("items")?;
    if !matches!(kind, Kind::Int | Kind::Float) || !nullable {
        column.bad("items", "only numbers that may be missing have items".to_owned());
    }
    let (mut items, mut cases) =
        (Items { of: table.text("of"), ..Items::default() }, BTreeMap::new());
    if let Some(list) = table.optional_table("by_code") {
        for (code, value) in list.entries() {
            let Some(reader) = list.as_table(&code, value) else { continue };
            let range = super::parse::range(&reader, kind);
            let drawing = Drawing { kind, nullable, range, ..Drawing::default() };
            cases.extend(dummy_spec::simple(&reader, &drawing).map(|draw| (code.clone(), draw)));
            let unit = reader.optional_text("unit").unwrap_or_default();
            reader.refuse_unknown();
            items.by_code.insert(code, Item { unit, range });
        }
    }
    let missing = dummy_spec::missing(&table, nullable);
    table.refuse_unknown();
    let draw = Draw::PerCode { of: items.of.clone(), cases, otherwise: None };
    Some((items, DummySpec { draw, missing }))
}
