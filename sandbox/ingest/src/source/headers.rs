use std::collections::HashSet;

/// Most columns of one source: what memory and time a row of it may take.
pub(super) const MAX_COLUMNS: usize = 4_096;

/// The names of a source's columns, each once.
#[derive(Default)]
pub(super) struct Headers {
    names: Vec<String>,
    seen: HashSet<String>,
}

impl Headers {
    /// Takes the next name, or gives code and reason why it cannot be one.
    pub(super) fn add(&mut self, name: String) -> Result<(), (&'static str, String)> {
        if self.names.len() == MAX_COLUMNS {
            let reason = format!("more than {MAX_COLUMNS} columns");
            return Err(("source.too_many_columns", reason));
        }
        if !self.seen.insert(name.clone()) {
            return Err(("source.duplicate_column", "the column stands twice".to_owned()));
        }
        self.names.push(name);
        Ok(())
    }

    pub(super) fn into_names(self) -> Vec<String> {
        self.names
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn a_source_has_so_many_columns_and_no_more_and_none_twice() {
        let mut headers = Headers::default();
        for number in 0..MAX_COLUMNS {
            headers.add(number.to_string()).unwrap();
        }
        assert_eq!(headers.add("one more".to_owned()).unwrap_err().0, "source.too_many_columns");
        assert_eq!(headers.into_names().len(), MAX_COLUMNS);
        let mut headers = Headers::default();
        headers.add("day".to_owned()).unwrap();
        assert_eq!(headers.add("day".to_owned()).unwrap_err().0, "source.duplicate_column");
    }
}
