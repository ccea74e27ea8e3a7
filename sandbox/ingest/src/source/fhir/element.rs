//! From an element of a resource to the text of a source column.

use serde_json::Value;

use super::reference;
use crate::process::FieldError;

/// Where an element stands in its resource, as a JSON pointer (RFC 6901).
#[derive(Clone, Copy)]
pub(super) enum Place {
    /// A value by itself.
    Plain(&'static str),
    /// A CodeableConcept: codings of one meaning in several code systems, in any order.
    Concept(&'static str),
    /// One Coding; or a Quantity, which names its unit as one.
    Coding(&'static str),
}

/// One flattened element: its name as a source column, and the places where it may stand, of
/// which the first that holds something counts.
pub(super) type Element = (&'static str, &'static [Place]);

/// Elements that hold a date or an instant, of which the day is taken.
const DATES: [&str; 6] = ["birthDate", "start", "end", "onset", "effective", "authoredOn"];

/// The element's text, empty when it is absent. Of codings only one of `systems` is taken; of
/// any when there are none.
pub(super) fn text(
    resource: &Value,
    (name, places): &Element,
    systems: &[String],
) -> Result<String, FieldError> {
    for place in *places {
        let found = match place {
            Place::Plain(at) => resource.pointer(at).and_then(plain),
            Place::Concept(at) => {
                let codings = resource.pointer(at).and_then(|concept| concept.get("coding"));
                let codings = codings.and_then(Value::as_array).map(Vec::as_slice);
                coded(name, codings.unwrap_or_default(), systems)?
            }
            Place::Coding(at) => {
                let coding = resource.pointer(at).map(std::slice::from_ref);
                coded(name, coding.unwrap_or_default(), systems)?
            }
        };
        if let Some(text) = found {
            return shortened(name, text);
        }
    }
    Ok(String::new())
}

fn plain(value: &Value) -> Option<String> {
    match value {
        Value::String(text) => Some(text.clone()),
        Value::Number(number) => Some(number.to_string()),
        Value::Bool(flag) => Some(flag.to_string()),
        _ => None,
    }
}

/// The code of the first coding that is of one of the systems; `None` when none has a code.
fn coded(name: &str, codings: &[Value], systems: &[String]) -> Result<Option<String>, FieldError> {
    let mut codes = codings.iter().filter_map(|coding| {
        let system = coding.get("system").and_then(Value::as_str).unwrap_or_default();
        Some((system, coding.get("code")?.as_str()?))
    });
    let fits = |system: &str| systems.is_empty() || systems.iter().any(|known| known == system);
    let any = codes.clone().next().is_some();
    match codes.find(|(system, _)| fits(system)) {
        Some((_, code)) => Ok(Some(code.to_owned())),
        None if any => Err(FieldError {
            code: "source.other_code_system",
            column: name.to_owned(),
            reason: "no coding is of a code system that the profile takes".to_owned(),
        }),
        None => Ok(None),
    }
}

fn shortened(name: &str, text: String) -> Result<String, FieldError> {
    if name == "subject" {
        return reference::patient(&text).map(str::to_owned).ok_or_else(|| FieldError {
            code: "source.bad_reference",
            column: name.to_owned(),
            reason: "wanted a reference to a patient: [base/]Patient/id[/_history/version]"
                .to_owned(),
        });
    }
    if DATES.contains(&name) {
        return Ok(text.split_once('T').map_or(text.clone(), |(day, _)| day.to_owned()));
    }
    Ok(text)
}

#[cfg(test)]
mod tests {
    use serde_json::json;

    use super::*;

    const CODE: Element = ("code", &[Place::Concept("/code"), Place::Plain("/code/text")]);
    const UNIT: Element = ("unit", &[Place::Coding("/quantity"), Place::Plain("/quantity/unit")]);

    fn of(element: &Element, resource: &Value, systems: &[&str]) -> Result<String, &'static str> {
        let systems: Vec<_> = systems.iter().map(|system| (*system).to_owned()).collect();
        text(resource, element, &systems).map_err(|wrong| wrong.code)
    }

    fn concept(codings: &[(&str, &str)]) -> Value {
        let coding = |(system, code): &(&str, &str)| json!({ "system": system, "code": code });
        json!({ "code": { "coding": codings.iter().map(coding).collect::<Vec<_>>(), "text": "x" } })
    }

    #[test]
    fn the_coding_is_chosen_by_its_system_whatever_the_order() {
        let (local, standard) = (("urn:local", "0815"), ("urn:icd", "E11"));
        for order in [[local, standard], [standard, local]] {
            assert_eq!(of(&CODE, &concept(&order), &["urn:icd"]).unwrap(), "E11");
            assert_eq!(of(&CODE, &concept(&order), &["urn:x", "urn:local"]).unwrap(), "0815");
            assert_eq!(of(&CODE, &concept(&order), &[]).unwrap(), order[0].1);
        }
    }

    #[test]
    fn codings_of_other_systems_are_refused_and_none_at_all_is_no_code() {
        let other = Err("source.other_code_system");
        assert_eq!(of(&CODE, &concept(&[("urn:local", "0815")]), &["urn:icd"]), other);
        let nameless = json!({ "code": { "coding": [{ "code": "E11" }], "text": "x" } });
        assert_eq!(of(&CODE, &nameless, &["urn:icd"]), other, "a system is never assumed");
        assert_eq!(of(&CODE, &concept(&[]), &["urn:icd"]).unwrap(), "x");
        assert_eq!(of(&CODE, &json!({}), &["urn:icd"]).unwrap(), "");
        let unreadable = json!({ "code": { "coding": { "code": "E11" } } });
        assert_eq!(of(&CODE, &unreadable, &[]).unwrap(), "");
    }

    #[test]
    fn op_1_a_reference_that_names_no_patient_is_no_person_of_its_own() {
        const SUBJECT: Element = ("subject", &[Place::Plain("/subject/reference")]);
        let of =
            |reference: &str| of(&SUBJECT, &json!({ "subject": { "reference": reference } }), &[]);
        assert_eq!(of("Patient/p1/_history/2").unwrap(), "p1");
        assert_eq!(of("Group/p1"), Err("source.bad_reference"));
        assert_eq!(super::text(&json!({}), &SUBJECT, &[]).unwrap(), "", "nobody is named");
    }

    #[test]
    fn a_unit_is_a_code_of_its_system_or_the_text_when_there_is_no_code() {
        let unit = |quantity: Value| of(&UNIT, &json!({ "quantity": quantity }), &["urn:ucum"]);
        let coded = json!({ "unit": "mg per dL", "system": "urn:ucum", "code": "mg/dL" });
        assert_eq!(unit(coded).unwrap(), "mg/dL");
        assert_eq!(unit(json!({ "unit": "mg/dL" })).unwrap(), "mg/dL");
        let other = json!({ "unit": "mg/dL", "system": "urn:other", "code": "5" });
        assert_eq!(unit(other), Err("source.other_code_system"));
        assert_eq!(unit(json!({ "value": 1 })).unwrap(), "");
    }
}
