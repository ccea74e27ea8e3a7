//! What an agreement narrows the limits of a run to (SV-4): looked at when it is recorded, and
//! put on every run's ticket. It never widens what the site allows.

use sekisho_domain::{Agreement, RunQuota};
use sekisho_proto::v1;

use crate::AppError;

/// The site's limits as far as the agreement leaves them.
pub(crate) fn narrowed(site: v1::RunLimits, agreement: &Agreement) -> v1::RunLimits {
    let RunQuota { rows, fuel, memory_bytes, output_cells } = agreement.run_quota;
    v1::RunLimits {
        memory_bytes: lower(site.memory_bytes, memory_bytes),
        output_cells: lower(site.output_cells, output_cells),
        rows: lower(site.rows, rows),
        fuel_quota: fuel,
        min_cell: agreement.min_cell,
        cohort_floor: agreement.cohort_floor,
        ..site
    }
}

/// The lower of two limits, of which 0 is none.
fn lower<T: Ord + Default>(one: T, other: T) -> T {
    let none = T::default();
    if one == none {
        other
    } else if other == none {
        one
    } else {
        one.min(other)
    }
}

/// Whether an agreement promises no more than the site gives.
///
/// # Errors
/// [`AppError::Invalid`] `ABOVE_SITE_LIMIT` naming the first that is higher.
pub(crate) fn check(site: v1::RunLimits, quota: &RunQuota) -> Result<(), AppError> {
    for (name, asked, allowed) in [
        ("fuel", quota.fuel, site.fuel),
        ("memory_bytes", quota.memory_bytes, site.memory_bytes),
        ("output_cells", quota.output_cells.into(), site.output_cells.into()),
    ] {
        if allowed > 0 && asked > allowed {
            let field = format!("agreement.run_quota.{name}");
            let why = format!("an agreement can only narrow the site's limit, {allowed}");
            return Err(AppError::invalid("ABOVE_SITE_LIMIT", &field, why));
        }
    }
    Ok(())
}

#[cfg(test)]
mod tests {
    use super::*;

    const SITE: v1::RunLimits = v1::RunLimits {
        memory_bytes: 1 << 30,
        wall_seconds: 900,
        fuel: 0,
        output_bytes: 1 << 20,
        output_cells: 20_000,
        min_cell: 0,
        cohort_floor: 0,
        rows: 0,
        fuel_quota: 0,
    };

    #[test]
    fn sv_4_the_lower_limit_holds_and_none_leaves_the_other() {
        for (site, quota, holds) in [(0, 0, 0), (5, 0, 5), (0, 7, 7), (5, 7, 5), (9, 7, 7)] {
            assert_eq!(lower(site, quota), holds, "{site} {quota}");
        }
    }

    #[test]
    fn sv_4_an_agreement_cannot_widen_what_the_site_allows() {
        let unset = RunQuota::default();
        for (site, quota, field) in [
            (SITE, RunQuota { memory_bytes: (1 << 30) + 1, ..unset }, Some("memory_bytes")),
            (SITE, RunQuota { output_cells: 20_001, ..unset }, Some("output_cells")),
            (v1::RunLimits { fuel: 10, ..SITE }, RunQuota { fuel: 11, ..unset }, Some("fuel")),
            (v1::RunLimits { fuel: 10, ..SITE }, RunQuota { fuel: 10, ..unset }, None),
            (SITE, RunQuota { fuel: 11, rows: u64::MAX, ..unset }, None),
            (SITE, RunQuota { memory_bytes: 1 << 30, output_cells: 20_000, ..unset }, None),
        ] {
            match (check(site, &quota), field) {
                (Ok(()), None) => {}
                (Err(AppError::Invalid { code: "ABOVE_SITE_LIMIT", field, .. }), Some(name)) => {
                    assert_eq!(field, format!("agreement.run_quota.{name}"));
                }
                other => panic!("{quota:?}: {other:?}"),
            }
        }
    }
}
