//! `name=value` as typed, fitted to the types that the manifest declares.

use sekisho_module::{Manifest, ParameterKind, ParameterSpec, Value};
use sekisho_proto::v1::{Parameter, parameter};

use crate::error::CliError;

/// Reads every `name=value` under the manifest's declarations; ranges are checked by
/// whoever runs the module.
///
/// # Errors
/// Fails on a missing `=`, a name that is not declared, or a value of another type.
pub(crate) fn read(
    manifest: &Manifest,
    typed: &[String],
) -> Result<Vec<(String, Value)>, CliError> {
    typed
        .iter()
        .map(|text| {
            let (name, value) = text
                .split_once('=')
                .ok_or_else(|| CliError::Input(format!("{text}: expected NAME=VALUE")))?;
            let spec = manifest
                .parameters
                .iter()
                .find(|spec| spec.name == name)
                .ok_or_else(|| undeclared(manifest, name))?;
            Ok((name.to_owned(), value_of(spec, value)?))
        })
        .collect()
}

/// The same values as the contract's messages.
#[must_use]
pub(crate) fn to_proto(values: &[(String, Value)]) -> Vec<Parameter> {
    values
        .iter()
        .map(|(name, value)| Parameter {
            name: name.clone(),
            value: Some(match value {
                Value::Number(number) => parameter::Value::Number(*number),
                Value::Integer(integer) => parameter::Value::Integer(*integer),
                Value::Text(text) => parameter::Value::Text(text.clone()),
                Value::Flag(flag) => parameter::Value::Flag(*flag),
            }),
        })
        .collect()
}

fn value_of(spec: &ParameterSpec, text: &str) -> Result<Value, CliError> {
    let read = match &spec.kind {
        ParameterKind::Number { .. } => text.parse().ok().map(Value::Number),
        ParameterKind::Integer { .. } => text.parse().ok().map(Value::Integer),
        ParameterKind::Text { .. } => Some(Value::Text(text.to_owned())),
        ParameterKind::Flag { .. } => match text {
            "true" | "yes" => Some(Value::Flag(true)),
            "false" | "no" => Some(Value::Flag(false)),
            _ => None,
        },
    };
    let kind = spec.kind.name();
    read.ok_or_else(|| CliError::Input(format!("{}={text}: expected a {kind}", spec.name)))
}

fn undeclared(manifest: &Manifest, name: &str) -> CliError {
    let names: Vec<&str> = manifest.parameters.iter().map(|spec| spec.name.as_str()).collect();
    let known = match names.is_empty() {
        true => "it declares none".to_owned(),
        false => format!("it declares {}", names.join(", ")),
    };
    CliError::Input(format!("the module declares no parameter {name}; {known}"))
}

#[cfg(test)]
mod tests {
    use super::*;

    fn spec(name: &str, kind: ParameterKind) -> ParameterSpec {
        ParameterSpec { name: name.to_owned(), title: String::new(), kind }
    }

    fn manifest() -> Manifest {
        Manifest {
            name: "m".to_owned(),
            title: String::new(),
            description: String::new(),
            world: sekisho_module::World::Cohort,
            tables: Vec::new(),
            parameters: vec![
                spec("days", ParameterKind::Integer { min: 0, max: 9, default: 1 }),
                spec("rate", ParameterKind::Number { min: 0.0, max: 1.0, default: 0.5 }),
                spec("all", ParameterKind::Flag { default: false }),
            ],
            rounds: 0,
            totals: Vec::new(),
            outputs: Vec::new(),
        }
    }

    #[test]
    fn values_take_the_declared_type() {
        let typed = ["days=3", "rate=1", "all=yes"].map(str::to_owned);
        let values = read(&manifest(), &typed).expect("read");
        assert_eq!(values[0].1, Value::Integer(3));
        assert_eq!(values[1].1, Value::Number(1.0));
        assert_eq!(values[2].1, Value::Flag(true));
        assert_eq!(to_proto(&values)[1].value, Some(parameter::Value::Number(1.0)));
    }

    #[test]
    fn misfits_are_usage_errors() {
        for typed in ["days", "days=x", "other=1", "all=maybe"] {
            let error = read(&manifest(), &[typed.to_owned()]).expect_err(typed);
            assert_eq!(error.reason(), "INPUT_INVALID", "{typed}");
        }
    }
}
