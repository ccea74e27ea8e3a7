//! Patients a second of the per-patient world: a fresh instance for each.

use anyhow::ensure;
use parquet::file::properties::WriterProperties;

use crate::Extent;
use crate::native;
use crate::report::{Figure, Turns, note, seconds};
use crate::run::{Guest, Run};
use crate::scale::{COLUMNS, Rows};
use crate::sealed::Sealed;

const ROWS: u64 = 30;

pub(crate) fn measure(extent: Extent) -> anyhow::Result<Vec<Figure>> {
    let sealed = Sealed::make(extent.patients, Rows::Exactly(ROWS))?;
    let patients = sealed.patients;
    let columns = COLUMNS.len();
    note(&format!("per-patient: {patients} patients, {ROWS} rows, {columns} columns each"));
    let run = Run::new(&Guest::named("four-columns"), &sealed)?;
    let plain = sealed.plain("usual.parquet", WriterProperties::default())?;
    let ran = run.once()?;
    let (found, _) = native::means(&plain)?;
    ensure!(ran.usage.patients == patients, "{} patients", ran.usage.patients);
    let evidence = ran.outputs.first().and_then(|checked| checked.evidence.as_ref());
    let counted = evidence.map(|evidence| evidence.patients);
    ensure!(counted == Some(found), "{counted:?} patients contributed, {found} have a weight");
    let turns = Turns::take(
        "per-patient",
        extent.rounds,
        || Ok(run.once()?.seconds),
        || Ok(seconds(|| native::means(&plain))?.0),
    )?;
    let speed = |seconds: f64| {
        let each = seconds / patients as f64 * 1e6;
        format!("{:.0} patients/s ({each:.2} us each)", patients as f64 / seconds)
    };
    Ok(vec![Figure {
        what: format!(
            "per-patient run, whole, {ROWS} rows x {columns} columns a patient, against a loop in one process"
        ),
        ours: speed(turns.ours()),
        against: speed(turns.other()),
        ratio: Some(turns.ratio()),
        wanted: "",
    }])
}
