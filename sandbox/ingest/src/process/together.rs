use std::collections::BTreeMap;

use sekisho_dataset::{ColumnSpec, Item, TableSpec};

use super::FieldError;
use super::value::Value;

/// What the values of one row must be to one another.
pub(super) struct Together {
    orders: Vec<Order>,
    items: Vec<Items>,
}

/// Two dates that have an order.
struct Order {
    first: usize,
    then: usize,
    source: String,
}

/// Numbers whose range depends on a code.
struct Items {
    code: usize,
    number: usize,
    source: String,
    ranges: BTreeMap<String, (f64, f64)>,
}

impl Together {
    pub(super) fn of(table: &TableSpec) -> Self {
        let place = |name: &str| table.columns.iter().position(|column| column.name == name);
        let columns = || table.columns.iter().enumerate();
        let order = |(then, column): (usize, &ColumnSpec)| {
            let first = place(column.not_before.as_deref()?)?;
            Some(Order { first, then, source: column.source().to_owned() })
        };
        let items = |(number, column): (usize, &ColumnSpec)| {
            let items = column.items.as_ref()?;
            // Held against what the rule left of the number.
            let left = |(low, high)| (column.rule.coarser(low), column.rule.coarser(high));
            let range =
                |(code, item): (&String, &Item)| Some((code.clone(), item.range.map(left)?));
            let ranges = items.by_code.iter().filter_map(range).collect();
            let (code, source) = (place(&items.of)?, column.source().to_owned());
            Some(Items { code, number, source, ranges })
        };
        Self {
            orders: columns().filter_map(order).collect(),
            items: columns().filter_map(items).collect(),
        }
    }

    /// Says what does not fit.
    pub(super) fn check(&self, values: &[Value], errors: &mut Vec<FieldError>) {
        let wrong = |order: &&Order| match (values.get(order.first), values.get(order.then)) {
            (Some(Value::Date(Some(first))), Some(Value::Date(Some(then)))) => then < first,
            _ => false,
        };
        errors.extend(self.orders.iter().filter(wrong).map(|order| FieldError {
            code: "source.out_of_order",
            column: order.source.clone(),
            reason: "before the date it must not be before".to_owned(),
        }));
        let wrong = |items: &&Items| {
            let Some(Value::Code(Some(code))) = values.get(items.code) else { return false };
            let number = values.get(items.number).and_then(Value::number);
            let range = items.ranges.get(code);
            number.zip(range).is_some_and(|(number, (low, high))| number < *low || number > *high)
        };
        errors.extend(self.items.iter().filter(wrong).map(|items| FieldError {
            code: "source.out_of_range",
            column: items.source.clone(),
            reason: "outside the range the profile gives for its item".to_owned(),
        }));
    }
}
