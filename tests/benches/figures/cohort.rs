//! Rows a second of the cohort world over sealed data, against a loop over plain Parquet.

use anyhow::{Context as _, ensure};
use parquet::basic::{Compression, ZstdLevel};
use parquet::file::properties::{EnabledStatistics, WriterProperties};
use sekisho_proto::v1::cell::Value;

use crate::Extent;
use crate::native::{self, Site};
use crate::report::{Figure, Turns, note, seconds};
use crate::run::{Guest, Ran, Run, cells};
use crate::scale::{Rows, SITES};
use crate::sealed::Sealed;

const WANTED: &str = "at most 1.5";

pub(crate) fn measure(extent: Extent) -> anyhow::Result<Vec<Figure>> {
    let sealed = Sealed::make(extent.cohort, Rows::Varying)?;
    let (rows, patients) = (sealed.rows, sealed.patients);
    note(&format!("cohort: {rows} rows of {patients} patients, by {SITES} sites"));
    let run = Run::new(&Guest::named("by-site"), &sealed)?;
    let as_sealed = sealed.plain("as-sealed.parquet", as_sealed()?)?;
    let usual = sealed.plain("usual.parquet", WriterProperties::default())?;
    compare(&run.once()?, &native::by_site(&as_sealed, SITES as usize)?, &sealed)?;
    let loop_over = |file| Ok(seconds(|| native::by_site(file, SITES as usize))?.0);
    let ours = || Ok(run.once()?.seconds);
    let layout = Turns::take("cohort, same layout", extent.rounds, ours, || loop_over(&as_sealed))?;
    let plain = Turns::take("cohort, usual file", extent.rounds, ours, || loop_over(&usual))?;
    let query = Run::new(&Guest::named("by-site-query"), &sealed)?;
    compare(&query.once()?, &native::by_site(&as_sealed, SITES as usize)?, &sealed)?;
    let asked = || Ok(query.once()?.seconds);
    let asked = Turns::take("cohort, by a query", extent.rounds, asked, || loop_over(&as_sealed))?;
    let start = start(extent)?;
    note(&format!("cohort: process, jail, compilation and end take {:.1} ms", start * 1e3));
    let speed = |seconds: f64| format!("{:.1} M rows/s", rows as f64 / seconds / 1e6);
    let figure = |what: &str, turns: &Turns, wanted| Figure {
        what: what.to_owned(),
        ours: speed(turns.ours()),
        against: speed(turns.other()),
        ratio: Some(turns.ratio()),
        wanted,
    };
    let scan = layout.ours() - start;
    Ok(vec![
        figure("cohort run, whole, against a loop over the same file unencrypted", &layout, ""),
        figure("the same against a loop over an uncompressed file", &plain, ""),
        figure("the same asked in SQL, against a loop over the same file", &asked, ""),
        Figure {
            what: "its scan and aggregate (without start and compilation), same file unencrypted"
                .to_owned(),
            ours: speed(scan),
            against: speed(layout.other()),
            ratio: Some(scan / layout.other()),
            wanted: WANTED,
        },
    ])
}

/// What a run takes over next to nothing: process, jail, compilation, first pages, end.
fn start(extent: Extent) -> anyhow::Result<f64> {
    let sealed = Sealed::make(20, Rows::Exactly(1))?;
    let run = Run::new(&Guest::named("by-site"), &sealed)?;
    let times: Vec<f64> =
        (0..=extent.rounds).map(|_| Ok(run.once()?.seconds)).collect::<anyhow::Result<_>>()?;
    Ok(crate::report::median(times.get(1..).unwrap_or_default()))
}

/// How sealed files are written, encryption aside.
pub(crate) fn as_sealed() -> anyhow::Result<WriterProperties> {
    Ok(WriterProperties::builder()
        .set_compression(Compression::ZSTD(ZstdLevel::try_new(1)?))
        .set_statistics_enabled(EnabledStatistics::None)
        .set_offset_index_disabled(true)
        .set_max_row_group_row_count(Some(131_072))
        .build())
}

/// Both sides must have found the same, or nothing was measured.
fn compare(ran: &Ran, native: &[Site], sealed: &Sealed) -> anyhow::Result<()> {
    ensure!(ran.usage.rows_read == sealed.rows, "{} rows read", ran.usage.rows_read);
    ensure!(ran.usage.patients == sealed.patients, "{} patients", ran.usage.patients);
    let table = cells(ran)?;
    ensure!(table.len() == native.len(), "{} sites", table.len());
    for (row, site) in table.iter().zip(native) {
        let [Some(Value::Label(name)), Some(Value::Count(patients)), weight] = &row[..] else {
            anyhow::bail!("a row of another shape: {row:?}");
        };
        ensure!(*patients == site.patients, "{name}: {patients} and {}", site.patients);
        match (weight, site.weight()) {
            (Some(Value::Number(ours)), Some(theirs)) => {
                let near = (ours - theirs).abs() <= 1e-3 * theirs.abs();
                ensure!(near, "{name}: {ours} and {theirs}");
            }
            (None, None) => {}
            other => Err(anyhow::anyhow!("{name}: {other:?}")).context("one side has no mean")?,
        }
    }
    Ok(())
}
