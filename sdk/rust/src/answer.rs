use std::collections::BTreeMap;

use crate::Column;

/// The values of one column of an answer.
#[derive(Clone, Debug, PartialEq)]
pub enum Values {
    /// Positions among the column's [`texts`](Answer::texts).
    Codes(Column<u32>),
    /// Whole numbers; of a boolean, 0 or 1.
    Ints(Column<i64>),
    /// Numbers.
    Floats(Column<f64>),
    /// Days since 1970-01-01.
    Dates(Column<i32>),
    /// Numbers for patients, those of the batches of tables.
    Patients(Column<u32>),
}

/// What stands for `$1` and those after it in a query.
#[derive(Clone, Debug, PartialEq)]
pub enum Argument {
    /// A number.
    Number(f64),
    /// A whole number.
    Integer(i64),
    /// A text of at most 1000 bytes.
    Text(String),
    /// True or false.
    Flag(bool),
}

impl From<f64> for Argument {
    fn from(value: f64) -> Self {
        Self::Number(value)
    }
}

impl From<i64> for Argument {
    fn from(value: i64) -> Self {
        Self::Integer(value)
    }
}

impl From<&str> for Argument {
    fn from(value: &str) -> Self {
        Self::Text(value.to_owned())
    }
}

impl From<bool> for Argument {
    fn from(value: bool) -> Self {
        Self::Flag(value)
    }
}

/// Some rows of an answer. Columns are named as the query names them.
#[derive(Clone, Debug, PartialEq)]
pub struct Rows {
    /// Number of rows.
    pub rows: usize,
    /// Names and values in the order of the query.
    pub columns: Vec<(String, Values)>,
}

macro_rules! typed {
    ($(#[$doc:meta])* $name:ident, $case:ident, $kind:ty) => {
        $(#[$doc])*
        ///
        /// # Errors
        /// When there is no such column, or it is of another kind.
        pub fn $name(&self, name: &str) -> Result<&Column<$kind>, String> {
            match self.columns.iter().find(|(known, _)| known == name) {
                Some((_, Values::$case(values))) => Ok(values),
                Some(_) => Err(format!("column {name} is of another kind")),
                None => Err(format!("the query has no column {name}")),
            }
        }
    };
}

impl Rows {
    typed!(
        /// A column of codes, as positions among its texts.
        codes, Codes, u32
    );
    typed!(
        /// A column of whole numbers.
        ints, Ints, i64
    );
    typed!(
        /// A column of numbers.
        floats, Floats, f64
    );
    typed!(
        /// A column of dates, in days since 1970-01-01.
        dates, Dates, i32
    );
    typed!(
        /// A column of patients.
        patients, Patients, u32
    );
}

/// What a query finds: an iterator over its rows, some at a time.
pub struct Answer {
    names: Vec<String>,
    source: Box<dyn Pull>,
}

impl Answer {
    /// The names of the columns.
    #[must_use]
    pub fn names(&self) -> &[String] {
        &self.names
    }

    /// The texts of a column of codes: of a declared column that the query gives as it is, those
    /// of the table's column, so that its codes can be given as keys of outputs; of others, the
    /// texts of the rows so far.
    ///
    /// # Errors
    /// When there is no such column.
    pub fn texts(&self, name: &str) -> Result<Vec<String>, String> {
        let at = self.names.iter().position(|known| known == name);
        let at = at.and_then(|at| u32::try_from(at).ok());
        let at = at.ok_or_else(|| format!("the query has no column {name}"))?;
        Ok(self.source.texts(at))
    }

    #[doc(hidden)]
    #[must_use]
    pub fn over(names: Vec<String>, source: Box<dyn Pull>) -> Self {
        Self { names, source }
    }
}

impl Iterator for Answer {
    type Item = Rows;

    fn next(&mut self) -> Option<Rows> {
        let (rows, values) = self.source.next()?;
        Some(Rows { rows, columns: self.names.iter().cloned().zip(values).collect() })
    }
}

/// The host's side of an answer.
#[doc(hidden)]
pub trait Pull {
    fn next(&mut self) -> Option<(usize, Vec<Values>)>;
    fn texts(&self, column: u32) -> Vec<String>;
}

/// What a test says that a query finds.
#[derive(Clone, Debug, PartialEq)]
pub struct Told {
    /// All rows.
    pub rows: Rows,
    /// Texts by column of codes.
    pub texts: BTreeMap<String, Vec<String>>,
}

impl Told {
    #[doc(hidden)]
    #[must_use]
    pub fn answer(self) -> Answer {
        let names: Vec<_> = self.rows.columns.iter().map(|(name, _)| name.clone()).collect();
        let texts = names.iter().map(|name| self.texts.get(name).cloned().unwrap_or_default());
        let texts = texts.collect();
        Answer::over(names, Box::new(Once { rows: Some(self.rows), texts }))
    }
}

struct Once {
    rows: Option<Rows>,
    /// By column.
    texts: Vec<Vec<String>>,
}

impl Pull for Once {
    fn next(&mut self) -> Option<(usize, Vec<Values>)> {
        let Rows { rows, columns } = self.rows.take()?;
        Some((rows, columns.into_iter().map(|(_, values)| values).collect()))
    }

    fn texts(&self, column: u32) -> Vec<String> {
        self.texts.get(column as usize).cloned().unwrap_or_default()
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    fn told() -> Told {
        let site = Values::Codes(vec![Some(1), None].into());
        let patients = Values::Ints(vec![Some(12), Some(30)].into());
        let columns = vec![("site".to_owned(), site), ("patients".to_owned(), patients)];
        let texts = BTreeMap::from([("site".to_owned(), vec!["east".into(), "west".into()])]);
        Told { rows: Rows { rows: 2, columns }, texts }
    }

    #[test]
    fn columns_are_typed_and_named() {
        let mut answer = told().answer();
        assert_eq!(answer.names(), ["site", "patients"]);
        let rows = answer.next().unwrap();
        assert_eq!(rows.codes("site").unwrap().get(0), Some(1));
        assert_eq!(rows.ints("patients").unwrap().iter().flatten().sum::<i64>(), 42);
        assert!(rows.floats("patients").is_err() && rows.ints("age").is_err());
        assert_eq!(answer.texts("site").unwrap(), ["east", "west"]);
        assert!(answer.texts("age").is_err() && answer.next().is_none());
    }
}
