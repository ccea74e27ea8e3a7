use std::sync::Arc;

use arrow::array::{
    ArrayRef, Date32Builder, Float64Builder, Int64Builder, RecordBatch, StringBuilder,
    UInt64Builder,
};
use sekisho_dataset::{DatasetError, Profile, source_schema};

use super::labs::{Lab, LabResult};
use super::person::Person;
use crate::IngestError;

/// Rows of the four tables on their way to the writer.
pub(super) struct Rows<'p> {
    profile: &'p Profile,
    patients: (UInt64Builder, Int64Builder, StringBuilder),
    conditions: (UInt64Builder, StringBuilder, Date32Builder),
    labs: LabRows,
    prescriptions: (UInt64Builder, StringBuilder, Date32Builder, Int64Builder),
}

#[derive(Default)]
struct LabRows {
    patient: UInt64Builder,
    item: StringBuilder,
    date: Date32Builder,
    value: Float64Builder,
    unit: StringBuilder,
    result: StringBuilder,
}

impl<'p> Rows<'p> {
    pub(super) fn new(profile: &'p Profile) -> Self {
        Self {
            profile,
            patients: Default::default(),
            conditions: Default::default(),
            labs: LabRows::default(),
            prescriptions: Default::default(),
        }
    }

    pub(super) fn patient(&mut self, token: u64, person: &Person) {
        self.patients.0.append_value(token);
        self.patients.1.append_value(person.birth_year);
        self.patients.2.append_value(if person.male { "1" } else { "2" });
        for (code, onset) in &person.conditions {
            self.conditions.0.append_value(token);
            self.conditions.1.append_value(code);
            self.conditions.2.append_value(*onset as i32);
        }
    }

    pub(super) fn prescription(&mut self, token: u64, drug: &str, start: i64, days: i64) {
        self.prescriptions.0.append_value(token);
        self.prescriptions.1.append_value(drug);
        self.prescriptions.2.append_value(start as i32);
        self.prescriptions.3.append_value(days);
    }

    pub(super) fn lab(&mut self, token: u64, lab: &Lab<'_>) {
        let labs = &mut self.labs;
        labs.patient.append_value(token);
        labs.item.append_value(lab.item);
        labs.date.append_value(lab.day as i32);
        let (value, unit, finding) = match lab.result {
            LabResult::Number(value, unit) => (Some(value), Some(unit), None),
            LabResult::Finding(finding) => (None, None, Some(finding)),
        };
        labs.value.append_option(value);
        labs.unit.append_option(unit);
        labs.result.append_option(finding);
    }

    /// Hands all rows on and starts anew.
    pub(super) fn hand_on(
        &mut self,
        sink: &mut dyn FnMut(&str, RecordBatch) -> Result<(), IngestError>,
    ) -> Result<(), IngestError> {
        let (patient, birth_year, sex) = &mut self.patients;
        let patients: Vec<ArrayRef> =
            vec![Arc::new(patient.finish()), Arc::new(birth_year.finish()), Arc::new(sex.finish())];
        let (patient, code, onset) = &mut self.conditions;
        let conditions: Vec<ArrayRef> =
            vec![Arc::new(patient.finish()), Arc::new(code.finish()), Arc::new(onset.finish())];
        let (patient, drug, start, days) = &mut self.prescriptions;
        let prescriptions: Vec<ArrayRef> = vec![
            Arc::new(patient.finish()),
            Arc::new(drug.finish()),
            Arc::new(start.finish()),
            Arc::new(days.finish()),
        ];
        let tables = [
            ("patients", patients),
            ("conditions", conditions),
            ("labs", self.labs.finish()),
            ("prescriptions", prescriptions),
        ];
        for (name, arrays) in tables {
            let unknown = || DatasetError::Unknown(format!("table {name}"));
            let schema = source_schema(self.profile.table(name).ok_or_else(unknown)?);
            let batch = RecordBatch::try_new(schema, arrays).map_err(DatasetError::Arrow)?;
            sink(name, batch)?;
        }
        Ok(())
    }
}

impl LabRows {
    fn finish(&mut self) -> Vec<ArrayRef> {
        vec![
            Arc::new(self.patient.finish()),
            Arc::new(self.item.finish()),
            Arc::new(self.date.finish()),
            Arc::new(self.value.finish()),
            Arc::new(self.unit.finish()),
            Arc::new(self.result.finish()),
        ]
    }
}
