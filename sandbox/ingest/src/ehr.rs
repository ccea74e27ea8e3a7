//! Invented patients: a synthetic electronic health record whose numbers hang together
//! (diabetes raises HbA1c, age brings conditions, conditions bring drugs), from nothing but
//! a seed. Same seed, same records, on every machine.
//!
//! The code lists, laboratory items and their usual values are those of
//! `policies/profiles/ehr.toml`; this module adds what depends on the person.

mod labs;
mod person;
mod rows;

use arrow::array::RecordBatch;
use sekisho_dataset::{Profile, ProfileErrors};

use crate::{IngestError, PatientTokens};
use labs::LabItems;
use person::Person;
use rows::Rows;

/// The profile the records are made for.
pub const PROFILE: &str = include_str!("../../../policies/profiles/ehr.toml");

/// Patients of a batch handed on.
const BATCH_PATIENTS: u32 = 2000;

/// The profile, parsed.
pub fn profile() -> Result<Profile, ProfileErrors> {
    Profile::parse(PROFILE)
}

/// Makes this many patients and hands their rows on, table by table. `step` is told the
/// patients made so far.
pub fn generate(
    profile: &Profile,
    patients: u32,
    seed: u64,
    tokens: &mut PatientTokens,
    step: &mut dyn FnMut(u64),
    sink: &mut dyn FnMut(&str, RecordBatch) -> Result<(), IngestError>,
) -> Result<(), IngestError> {
    let items = LabItems::of(profile);
    let mut rows = Rows::new(profile);
    for number in 1..=patients {
        let (person, mut stream) = Person::invent(seed, number);
        // An id as a hospital would have it, so that it takes the path any id takes.
        let token = tokens.token(format!("P{number:08}").as_bytes())?;
        rows.patient(token, &person);
        person.prescriptions(&mut stream, |drug, start, days| {
            rows.prescription(token, drug, start, days);
        });
        items.draw(&person, &mut stream, |lab| rows.lab(token, &lab));
        if number % BATCH_PATIENTS == 0 || number == patients {
            rows.hand_on(sink)?;
            step(u64::from(number));
        }
    }
    Ok(())
}

#[cfg(test)]
mod tests;
