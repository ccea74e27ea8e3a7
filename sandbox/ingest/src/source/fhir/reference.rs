//! References from a resource to a patient (FHIR R4, 2.3.0.1).

/// Longest id, characters (FHIR R4, 2.24.0.1).
const MAX_ID: usize = 64;

/// The id of the patient that a literal reference names: `Patient/id`, alone or behind the
/// address of a server, of any version. `None` for whatever else: if the rest of a reference
/// became part of an id, or another resource's id one of a patient, a person would have a
/// second token, which no list of those who stay out knows (OP-1).
pub(super) fn patient(reference: &str) -> Option<&str> {
    let whole = match reference.rsplit_once("/_history/") {
        Some((whole, version)) => is_id(version).then_some(whole)?,
        None => reference,
    };
    let (place, id) = whole.rsplit_once('/')?;
    let base = place.strip_suffix("Patient")?;
    (is_id(id) && (base.is_empty() || is_base(base))).then_some(id)
}

/// The address of a server, up to a slash.
fn is_base(base: &str) -> bool {
    let rest = base.strip_prefix("https://").or_else(|| base.strip_prefix("http://"));
    let host = rest.and_then(|rest| rest.strip_suffix('/'));
    host.is_some_and(|host| {
        !host.is_empty() && !host.contains(|c: char| matches!(c, '?' | '#') || c.is_whitespace())
    })
}

fn is_id(id: &str) -> bool {
    let plain = |byte: u8| byte.is_ascii_alphanumeric() || matches!(byte, b'-' | b'.');
    (1..=MAX_ID).contains(&id.len()) && id.bytes().all(plain)
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn op_1_a_patient_has_one_id_however_they_are_referred_to() {
        for reference in [
            "Patient/p.1-A",
            "Patient/p.1-A/_history/2",
            "https://ehr.example/fhir/Patient/p.1-A",
            "http://ehr.example:8080/Patient/p.1-A/_history/v.3",
        ] {
            assert_eq!(patient(reference), Some("p.1-A"), "{reference}");
        }
        let long = "x".repeat(MAX_ID);
        assert_eq!(patient(&format!("Patient/{long}")), Some(long.as_str()));
    }

    #[test]
    fn op_1_what_names_no_patient_names_nobody() {
        let long = format!("Patient/{}", "x".repeat(MAX_ID + 1));
        for reference in [
            "",
            "p1",
            "#p1",
            "Patient/",
            "Patient",
            "/Patient/p1",
            "patient/p1",
            "Group/g1",
            "RelatedPatient/p1",
            "https://ehr.example/Group/g1",
            "https:///Patient/p1",
            "ftp://ehr.example/Patient/p1",
            "https://ehr.example/x?y=/Patient/p1",
            "Patient/p1?x=1",
            "Patient/p1#x",
            "Patient/p1/",
            "Patient/p1/_history",
            "Patient/p1/_history/",
            "Patient/p1/_history/2/3",
            "Patient/p1/_history/2/_history/3",
            "Patient/p 1",
            " Patient/p1",
            "Patient/p1_2",
            "Patient/Ｐ１",
            "Patient?identifier=urn:local|1",
            "urn:uuid:61ebe359-bfdc-4613-8bf2-c5e300945f0a",
            "urn:oid:1.2.3",
            &long,
        ] {
            assert_eq!(patient(reference), None, "{reference}");
        }
    }
}
