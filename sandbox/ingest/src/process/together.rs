use std::collections::BTreeMap;

use sekisho_dataset::{ColumnSpec, TableSpec};

use super::FieldError;
use super::value::Value;

/// What the values of one row must be to one another.
pub(super) struct Together {
    orders: Vec<Order>,
    units: Vec<Units>,
    items: Vec<Items>,
}

/// Two dates that have an order.
struct Order {
    first: usize,
    then: usize,
    source: String,
}

/// Numbers whose units stand in a column.
struct Units {
    number: usize,
    unit: usize,
    source: String,
}

/// Numbers whose range depends on a code.
struct Items {
    code: usize,
    number: usize,
    /// Where units stand in a column, its place.
    unit: Option<usize>,
    source: String,
    ranges: BTreeMap<String, Range>,
}

/// In which range a number in this unit can be right.
struct Range {
    unit: String,
    low: f64,
    high: f64,
}

impl Together {
    pub(super) fn of(table: &TableSpec) -> Self {
        let place = |name: &str| table.columns.iter().position(|column| column.name == name);
        let columns = || table.columns.iter().enumerate();
        let order = |(then, column): (usize, &ColumnSpec)| {
            let first = place(column.not_before.as_deref()?)?;
            Some(Order { first, then, source: column.source().to_owned() })
        };
        let unit = |column: &ColumnSpec| place(column.unit_in.as_deref()?);
        let units = |(number, column): (usize, &ColumnSpec)| {
            Some(Units { number, unit: unit(column)?, source: column.source().to_owned() })
        };
        let items = |(number, column): (usize, &ColumnSpec)| {
            let items = column.items.as_ref()?;
            let ranges = items.by_code.iter().filter_map(|(code, item)| {
                let (low, high) = item.range?;
                // Held against what the rule left of the number.
                let (low, high) = (column.rule.coarser(low), column.rule.coarser(high));
                Some((code.clone(), Range { unit: item.unit.clone(), low, high }))
            });
            let (code, source) = (place(&items.of)?, column.source().to_owned());
            Some(Items { code, number, unit: unit(column), source, ranges: ranges.collect() })
        };
        Self {
            orders: columns().filter_map(order).collect(),
            units: columns().filter_map(units).collect(),
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
        let missing = |place: usize| values.get(place).is_none_or(Value::is_missing);
        let wrong = |units: &&Units| !missing(units.number) && missing(units.unit);
        errors.extend(self.units.iter().filter(wrong).map(|units| FieldError {
            code: "source.missing_unit",
            column: units.source.clone(),
            reason: "a number needs its unit".to_owned(),
        }));
        let wrong = |items: &&Items| items.number_out_of_range(values);
        errors.extend(self.items.iter().filter(wrong).map(|items| FieldError {
            code: "source.out_of_range",
            column: items.source.clone(),
            reason: "outside the range the profile gives for its item".to_owned(),
        }));
    }
}

impl Items {
    /// A number in another unit than the range's is not held against it.
    fn number_out_of_range(&self, values: &[Value]) -> bool {
        let code = |place: usize| match values.get(place) {
            Some(Value::Code(code)) => code.as_deref(),
            _ => None,
        };
        let range = code(self.code).and_then(|code| self.ranges.get(code));
        let number = values.get(self.number).and_then(Value::number);
        let Some((number, range)) = number.zip(range) else { return false };
        let unit = self.unit.and_then(code);
        unit.is_none_or(|unit| unit == range.unit) && (number < range.low || number > range.high)
    }
}
