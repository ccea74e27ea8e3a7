use sekisho_proto::v1::cell::Value;
use sekisho_proto::v1::contingency_stratum::Result as Shown;
use sekisho_proto::v1::{Contingency, ContingencyStratum};

use crate::rules::{Findings, Judged, judge};
use crate::withhold::derivable;

pub(crate) fn check(tables: &Contingency, least: u64, findings: &mut Findings) {
    for (at, stratum) in tables.strata.iter().enumerate() {
        check_stratum(stratum, &format!("table {}", at + 1), least, findings);
    }
}

fn check_stratum(stratum: &ContingencyStratum, table: &str, least: u64, findings: &mut Findings) {
    let mut withheld = Vec::new();
    let mut small = false;
    for (row, cells) in stratum.rows.iter().enumerate() {
        for (column, cell) in cells.cells.iter().enumerate() {
            let place = || format!("{table}, row {}, column {}", row + 1, column + 1);
            match cell.value {
                Some(Value::Suppressed(_)) => withheld.push((row, column)),
                Some(Value::Count(count)) => match judge(count.unsigned_abs(), least) {
                    Judged::Zero => findings.add("zero_cell", place()),
                    Judged::Small => {
                        small = true;
                        findings.add("small_cell", place());
                    }
                    Judged::Enough => {}
                },
                _ => {}
            }
        }
    }
    if derivable(&withheld) {
        findings.add("differencing", table);
    }
    let statistics = matches!(stratum.result, Some(Shown::Association(_)));
    if statistics && (small || !withheld.is_empty()) {
        findings.add("small_statistic", table);
    }
}
