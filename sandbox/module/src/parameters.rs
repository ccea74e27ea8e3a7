use crate::error::ParameterError;

/// A declared parameter.
#[derive(Clone, Debug, PartialEq)]
pub struct ParameterSpec {
    /// Unique name.
    pub name: String,
    /// Title shown to people; may be empty.
    pub title: String,
    /// Type, range and default.
    pub kind: ParameterKind,
}

/// Type, range and default of a parameter.
#[derive(Clone, Debug, PartialEq)]
pub enum ParameterKind {
    /// Real number in a closed range.
    Number {
        /// Least value.
        min: f64,
        /// Greatest value.
        max: f64,
        /// Used when none is given.
        default: f64,
    },
    /// Whole number in a closed range.
    Integer {
        /// Least value.
        min: i64,
        /// Greatest value.
        max: i64,
        /// Used when none is given.
        default: i64,
    },
    /// One of the declared words.
    Text {
        /// The words.
        choices: Vec<String>,
        /// Used when none is given.
        default: String,
    },
    /// Yes or no.
    Flag {
        /// Used when none is given.
        default: bool,
    },
}

/// The value of a parameter.
#[derive(Clone, Debug, PartialEq)]
pub enum Value {
    /// Real number.
    Number(f64),
    /// Whole number.
    Integer(i64),
    /// Word.
    Text(String),
    /// Yes or no.
    Flag(bool),
}

pub(crate) fn bind(
    specs: &[ParameterSpec],
    given: &[(String, Value)],
) -> Result<Vec<Value>, Vec<ParameterError>> {
    let mut errors = Vec::new();
    for (position, (name, _)) in given.iter().enumerate() {
        if !specs.iter().any(|s| &s.name == name) {
            errors.push(ParameterError::Unknown { name: name.clone() });
        }
        if given.iter().take(position).any(|(other, _)| other == name) {
            errors.push(ParameterError::Twice { name: name.clone() });
        }
    }
    let mut values = Vec::with_capacity(specs.len());
    for spec in specs {
        match given.iter().find(|(name, _)| name == &spec.name) {
            None => values.push(spec.kind.default_value()),
            Some((name, value)) => match spec.kind.accept(name, value) {
                Ok(value) => values.push(value),
                Err(error) => errors.push(error),
            },
        }
    }
    if errors.is_empty() { Ok(values) } else { Err(errors) }
}

impl ParameterKind {
    /// The type's name in manifests.
    #[must_use]
    pub fn name(&self) -> &'static str {
        match self {
            Self::Number { .. } => "number",
            Self::Integer { .. } => "integer",
            Self::Text { .. } => "text",
            Self::Flag { .. } => "flag",
        }
    }

    /// The value used when none is given.
    #[must_use]
    pub fn default_value(&self) -> Value {
        match self {
            Self::Number { default, .. } => Value::Number(*default),
            Self::Integer { default, .. } => Value::Integer(*default),
            Self::Text { default, .. } => Value::Text(default.clone()),
            Self::Flag { default } => Value::Flag(*default),
        }
    }

    fn accept(&self, name: &str, value: &Value) -> Result<Value, ParameterError> {
        let refuse =
            |allowed: String| ParameterError::OutOfRange { name: name.to_owned(), allowed };
        match (self, value) {
            (Self::Number { min, max, .. }, Value::Number(v)) => {
                if (*min..=*max).contains(v) {
                    Ok(value.clone())
                } else {
                    Err(refuse(format!("from {min} to {max}")))
                }
            }
            (Self::Integer { min, max, .. }, Value::Integer(v)) => {
                if (*min..=*max).contains(v) {
                    Ok(value.clone())
                } else {
                    Err(refuse(format!("from {min} to {max}")))
                }
            }
            (Self::Text { choices, .. }, Value::Text(v)) => {
                if choices.contains(v) {
                    Ok(value.clone())
                } else {
                    Err(refuse(format!("one of {}", choices.join(", "))))
                }
            }
            (Self::Flag { .. }, Value::Flag(_)) => Ok(value.clone()),
            _ => Err(ParameterError::WrongType { name: name.to_owned(), expected: self.name() }),
        }
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    fn specs() -> Vec<ParameterSpec> {
        let spec =
            |name: &str, kind| ParameterSpec { name: name.to_owned(), title: String::new(), kind };
        vec![
            spec("from", ParameterKind::Integer { min: 0, max: 10, default: 3 }),
            spec("rate", ParameterKind::Number { min: 0.0, max: 1.0, default: 0.5 }),
            spec(
                "arm",
                ParameterKind::Text { choices: vec!["a".into(), "b".into()], default: "a".into() },
            ),
        ]
    }

    fn codes(given: &[(&str, Value)]) -> Vec<&'static str> {
        let given: Vec<_> = given.iter().map(|(n, v)| ((*n).to_owned(), v.clone())).collect();
        match bind(&specs(), &given) {
            Ok(_) => Vec::new(),
            Err(errors) => errors.iter().map(ParameterError::code).collect(),
        }
    }

    #[test]
    fn defaults_fill_what_is_not_given() {
        let bound = bind(&specs(), &[("rate".into(), Value::Number(0.25))]).unwrap();
        let expected = [Value::Integer(3), Value::Number(0.25), Value::Text("a".into())];
        assert_eq!(bound, expected);
    }

    #[test]
    fn every_misfit_is_reported_at_once() {
        let all = codes(&[
            ("from", Value::Integer(11)),
            ("rate", Value::Integer(1)),
            ("arm", Value::Text("c".into())),
            ("other", Value::Flag(true)),
            ("from", Value::Integer(1)),
        ]);
        assert_eq!(
            all,
            [
                "parameter_unknown",
                "parameter_twice",
                "parameter_range",
                "parameter_type",
                "parameter_range"
            ]
        );
    }

    #[test]
    fn nan_is_outside_every_range() {
        assert_eq!(codes(&[("rate", Value::Number(f64::NAN))]), ["parameter_range"]);
    }
}
