use std::collections::{BTreeSet, HashMap};
use std::hash::{DefaultHasher, Hash, Hasher as _};

use arrow::array::{Array, Date32Array, Float64Array, Int64Array, PrimitiveArray, UInt32Array};
use arrow::datatypes::ArrowPrimitiveType;
use arrow::record_batch::RecordBatch;

use super::tokens;
use crate::{TableSpec, UniquenessNote};

/// Classes that are held at most: some 40 MB.
const MOST_CLASSES: usize = 1 << 20;
/// Combinations of one person that are held at most.
const MOST_COMBINATIONS: usize = 1 << 12;

/// How many persons share their quasi-identifiers: the k of k-anonymity (Sweeney 2002).
///
/// Counted are persons, not rows. A person's class is the set of combinations that their rows
/// show: others are taken to know all of them. Rows pass by token, so memory holds the
/// combinations of one person and a number for each class; persons beyond the limits above
/// count as unique, never as less.
pub(super) struct Uniqueness {
    /// Places of the quasi-identifiers.
    quasi: Vec<usize>,
    most_classes: usize,
    /// Whose rows pass, and hashes of their combinations so far.
    person: Option<(u64, BTreeSet<u64>)>,
    persons: u64,
    /// Persons of each class, by its hash.
    classes: HashMap<u64, u64>,
    /// Persons beyond the limits.
    beyond: u64,
}

impl Uniqueness {
    /// `None` when the table has no quasi-identifier.
    pub(super) fn of(spec: &TableSpec) -> Option<Self> {
        let columns = spec.columns.iter().enumerate();
        let quasi = columns.filter(|(_, column)| column.quasi_identifier).map(|(place, _)| place);
        Self::new(quasi.collect(), MOST_CLASSES)
    }

    fn new(quasi: Vec<usize>, most_classes: usize) -> Option<Self> {
        (!quasi.is_empty()).then(|| Self {
            quasi,
            most_classes,
            person: None,
            persons: 0,
            classes: HashMap::new(),
            beyond: 0,
        })
    }

    /// Counts rows as they are sealed, by token.
    pub(super) fn add(&mut self, batch: &RecordBatch) {
        let Some(tokens) = tokens(batch) else { return };
        let quasi = self.quasi.iter().filter_map(|place| batch.columns().get(*place));
        let quasi: Vec<&dyn Array> = quasi.map(AsRef::as_ref).collect();
        for (row, token) in tokens.values().iter().enumerate() {
            let mut combination = DefaultHasher::new();
            for column in &quasi {
                hash(*column, row, &mut combination);
            }
            self.row(*token, combination.finish());
        }
    }

    fn row(&mut self, token: u64, combination: u64) {
        if self.person.as_ref().is_none_or(|(present, _)| *present != token) {
            self.end_person();
            self.person = Some((token, BTreeSet::new()));
        }
        if let Some((_, combinations)) = &mut self.person
            && combinations.len() <= MOST_COMBINATIONS
        {
            combinations.insert(combination);
        }
    }

    /// Puts the person whose rows have passed into their class.
    fn end_person(&mut self) {
        let Some((_, combinations)) = self.person.take() else { return };
        self.persons += 1;
        let mut class = DefaultHasher::new();
        combinations.hash(&mut class);
        let class = class.finish();
        let full = self.classes.len() >= self.most_classes && !self.classes.contains_key(&class);
        if full || combinations.len() > MOST_COMBINATIONS {
            self.beyond += 1;
        } else {
            *self.classes.entry(class).or_default() += 1;
        }
    }

    /// What the manifest says of it.
    pub(super) fn finish(mut self, min_cell: u32) -> UniquenessNote {
        self.end_person();
        let in_classes = |size: &dyn Fn(u64) -> bool| {
            self.classes.values().filter(|persons| size(**persons)).sum::<u64>()
        };
        let smallest = self.classes.values().min().copied().unwrap_or_default();
        UniquenessNote {
            persons: self.persons,
            classes: self.classes.len() as u64 + self.beyond,
            smallest_class: if self.beyond > 0 { 1 } else { smallest },
            unique_persons: in_classes(&|persons| persons == 1) + self.beyond,
            persons_below_min_cell: in_classes(&|persons| persons < u64::from(min_cell))
                + self.beyond,
        }
    }
}

fn hash(column: &dyn Array, row: usize, state: &mut DefaultHasher) {
    fn value<T: ArrowPrimitiveType>(column: &dyn Array, row: usize) -> Option<T::Native> {
        let column = column.as_any().downcast_ref::<PrimitiveArray<T>>()?;
        (row < column.len() && column.is_valid(row)).then(|| column.value(row))
    }
    let any = column.as_any();
    if any.is::<UInt32Array>() {
        value::<arrow::datatypes::UInt32Type>(column, row).hash(state);
    } else if any.is::<Int64Array>() {
        value::<arrow::datatypes::Int64Type>(column, row).hash(state);
    } else if any.is::<Date32Array>() {
        value::<arrow::datatypes::Date32Type>(column, row).hash(state);
    } else if any.is::<Float64Array>() {
        value::<arrow::datatypes::Float64Type>(column, row).map(f64::to_bits).hash(state);
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    /// Counts rows of `(token, combination)`, which stand by token.
    fn counted(rows: &[(u64, u64)], most_classes: usize) -> UniquenessNote {
        let mut counter = Uniqueness::new(vec![1], most_classes).unwrap();
        rows.iter().for_each(|(token, combination)| counter.row(*token, *combination));
        counter.finish(3)
    }

    #[test]
    fn persons_are_counted_and_not_rows() {
        let note = counted(&[(1, 7), (1, 7), (1, 7), (2, 7), (3, 8)], 100);
        assert_eq!((note.persons, note.classes), (3, 2));
        assert_eq!((note.smallest_class, note.unique_persons), (1, 1));
        assert_eq!(note.persons_below_min_cell, 3);
    }

    #[test]
    fn a_class_is_the_set_of_a_persons_combinations_in_any_order() {
        let note = counted(&[(1, 7), (1, 8), (2, 8), (2, 7), (2, 8), (3, 7)], 100);
        assert_eq!((note.persons, note.classes, note.unique_persons), (3, 2, 1));
    }

    #[test]
    fn whoever_is_beyond_the_limits_counts_as_unique() {
        let rows: Vec<_> = (0..10).flat_map(|token| [(token, token / 2)]).collect();
        let exact = counted(&rows, 100);
        assert_eq!((exact.classes, exact.smallest_class, exact.unique_persons), (5, 2, 0));
        let note = counted(&rows, 2);
        assert_eq!((note.persons, note.classes, note.smallest_class), (10, 2 + 6, 1));
        assert_eq!((note.unique_persons, note.persons_below_min_cell), (6, 10));
        let many: Vec<_> = (0..=MOST_COMBINATIONS as u64 + 5).map(|day| (1, day)).collect();
        assert_eq!(counted(&many, 100).unique_persons, 1);
    }

    #[test]
    fn nobody_is_no_class() {
        assert_eq!(counted(&[], 100).smallest_class, 0);
    }
}
