//! How long it takes to end a project and everything in it.

use sekisho_demo::site::StageName;

use crate::desk::Desk;
use crate::report::{Figure, seconds};

/// Ends the desk's project, whose runs have been measured.
pub(crate) fn measure(desk: &Desk, runs: usize) -> anyhow::Result<Figure> {
    let words = ["steward", "project", "close", &desk.project, "--reason", "measured"];
    let close = || Ok(desk.site.person(StageName::Steward).args(words).succeed()?);
    let (closed, _) = seconds(close)?;
    Ok(Figure {
        what: format!("close-out of a project with {runs} runs, against recording its agreement"),
        ours: format!("{:.0} ms", closed * 1e3),
        against: format!("{:.0} ms", desk.recorded * 1e3),
        ratio: Some(closed / desk.recorded),
        wanted: "",
    })
}
