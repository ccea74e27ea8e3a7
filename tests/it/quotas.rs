//! What an agreement allows (SV-4): how much one run may take, and how many a day; and what of
//! a run's figures is told to whom.

use std::time::Duration;

use sekisho_demo::site::{AgreementFile, QuotaTable, Site, StageName};

use crate::support::{
    desk::{self, REFUSED, RESEARCHER, example, refusal, text},
    log,
};

const PATIENCE: Duration = Duration::from_secs(120);
/// Patients, and rows, of the data set `lung`.
const ROWS: u64 = 228;
/// Fuel agreed for each of them, below the engine's default.
const FUEL: u64 = 19_000_000;

#[test]
fn sv_4_a_run_takes_no_more_and_a_project_asks_no_more_than_agreed() {
    let (site, staff) = Site::staffed().unwrap();
    let agreement = |name: &str, run_quota: QuotaTable| {
        let project_name = name.to_owned();
        AgreementFile { project_name, run_quota, ..AgreementFile::for_lung(&staff) }
    };
    let unset = QuotaTable::default;
    for quota in [
        QuotaTable { memory_bytes: 1 << 40, ..unset() },
        QuotaTable { output_cells: 1_000_000, ..unset() },
    ] {
        assert_eq!(desk::not_recorded(&site, &agreement("Wide", quota)), "ABOVE_SITE_LIMIT");
    }
    let small = QuotaTable { memory_bytes: 1, ..unset() };
    assert_eq!(desk::not_recorded(&site, &agreement("Small", small)), "OUT_OF_RANGE");

    let enough = QuotaTable { rows: ROWS, fuel: FUEL, memory_bytes: 256 << 20, ..unset() };
    let file = AgreementFile { runs_per_day: 1, ..agreement("Enough", enough) };
    let project = desk::open_project(&site, &file);
    let module = desk::bring_in(&site, &example("km-by-sex"), &project);
    let run = desk::succeeded(&site, &project, &module, &[]);
    coarse(&site, &run);
    full_figures(&site, &run);
    no_more_today(&site, &project, &module);
    shown(&site, &project);

    let project =
        desk::open_project(&site, &agreement("Too few", QuotaTable { rows: ROWS - 1, ..unset() }));
    let module = desk::bring_in(&site, &example("km-by-sex"), &project);
    let run = desk::start(&site, &project, &module, &[]);
    let ended = desk::finished(&site, &run, PATIENCE);
    assert_eq!(ended["state"], "RUN_STATE_FAILED", "{ended}");
    assert_eq!(ended["failure_class"], "FAILURE_CLASS_LIMIT_EXCEEDED");
    log::verified(&site);
}

/// What the researcher is told says no more of how long it took than the minute; ids carry
/// the time they were made at.
fn coarse(site: &Site, run: &str) {
    let told = desk::run_of(site, run);
    assert!(text(&told, "ended_at").ends_with(":00Z"), "{told}");
    let outputs = site.person(RESEARCHER).args(["output", "list", run]).json().unwrap();
    for output in desk::list(&outputs) {
        let id = text(output, "output_id");
        let id: uuid::Uuid = id.trim_start_matches("output_").parse().unwrap();
        let (seconds, nanos) = id.get_timestamp().unwrap().to_unix();
        assert_eq!((seconds % 60, nanos), (0, 0), "{output}");
        let mut fields: Vec<_> = output.as_object().unwrap().keys().collect();
        fields.sort();
        assert_eq!(fields, ["kind", "name", "output_id", "released", "run_id"]);
    }
    assert!(!desk::list(&outputs).is_empty());
}

/// The log, which the watch reads, has what was given and allowed.
fn full_figures(site: &Site, run: &str) {
    let entries = log::entries(site);
    let ended = entries.iter().find(|entry| entry.is("run_completed", "run_id", run)).unwrap();
    let figure = |name: &str| desk::number(&ended.event()["usage"][name]);
    assert_eq!((figure("patients"), figure("rows_read")), (ROWS, ROWS));
    assert_eq!(figure("fuel_used"), ROWS * FUEL);
    assert!(figure("peak_memory_bytes") > 0 && figure("wall_millis") > 0);
}

/// The second run of the day is refused, with its rule and with when there is another.
fn no_more_today(site: &Site, project: &str, module: &str) {
    let order = || desk::run_order(site, project, module, &[]);
    let (status, reason, rule) = refusal(order());
    assert_eq!((status, reason.as_str(), rule.as_str()), (REFUSED, "RUNS_PER_DAY", "SV-4"));
    let error = order().arg("--json").run().unwrap().error().unwrap();
    let until: jiff::Timestamp = text(&error, "not_before").parse().unwrap();
    let midnight = jiff::tz::offset(9).to_datetime(until).time();
    assert_eq!(midnight, jiff::civil::Time::midnight(), "{until}");
    assert!(until > jiff::Timestamp::now());
}

fn shown(site: &Site, project: &str) {
    let show = ["project", "show", project];
    let seen = site.person(RESEARCHER).args(show).json().unwrap();
    let agreement = &seen["agreement"];
    assert_eq!(desk::number(&agreement["runs_per_day"]), 1);
    assert_eq!(desk::number(&agreement["run_quota"]["rows"]), ROWS);
    let told = site.person(StageName::Steward).args(show).succeed().unwrap().stdout;
    let line = told.lines().find(|line| line.contains("rows per run")).unwrap();
    assert!(line.contains(&ROWS.to_string()), "{line}");
}
