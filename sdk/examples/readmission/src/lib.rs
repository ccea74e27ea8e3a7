//! Patients who come back to hospital: one query with a window, a join and groups.

use sekisho_analysis::Value;

sekisho_analysis::analysis!("analysis.toml");

/// A stay's days since the end of the one before; the least is taken of the ends that are known.
const SQL: &str = r#"
    WITH stays AS (
        SELECT patient, CAST(start AS INT) - CAST(max("end") OVER (
            PARTITION BY patient ORDER BY start
            ROWS BETWEEN UNBOUNDED PRECEDING AND 1 PRECEDING
        ) AS INT) AS days
        FROM encounters WHERE class = 'IMP'
    )
    SELECT sex, count(DISTINCT patient) AS stayed,
        count(DISTINCT CASE WHEN days BETWEEN 0 AND $1 THEN patient END) AS returned
    FROM stays JOIN patients USING (patient)
    WHERE sex IS NOT NULL
    GROUP BY sex"#;

fn run(view: &View, parameters: &Parameters, out: &mut Outputs) -> Result<(), String> {
    for rows in view.query(SQL, &[parameters.within.into()])? {
        let (sex, stayed) = (rows.codes("sex")?, rows.ints("stayed")?);
        let returned = rows.ints("returned")?;
        for row in 0..rows.rows {
            let counted = (sex.get(row), stayed.get(row), returned.get(row));
            let (Some(sex), Some(stayed), Some(returned)) = counted else { continue };
            out.readmission.push(one(sex, stayed, returned, parameters.suppress_below));
        }
    }
    Ok(())
}

fn one(sex: u32, stayed: i64, returned: i64, least: i64) -> ReadmissionRow {
    // Who did not come back is a group of patients as well.
    let few = |patients: i64| patients > 0 && patients < least;
    let withheld = few(stayed) || few(returned) || few(stayed - returned);
    let share = 100.0 * returned as f64 / stayed as f64;
    ReadmissionRow {
        sex,
        stayed: if few(stayed) { Value::Suppressed } else { stayed.into() },
        returned: if withheld { Value::Suppressed } else { returned.into() },
        share: if withheld { Value::Suppressed } else { share.into() },
    }
}

#[cfg(test)]
mod tests {
    use super::*;
    use sekisho_analysis::{Rows, Told, Values};

    #[test]
    fn small_groups_are_withheld_on_either_side() {
        let columns = vec![
            ("sex".to_owned(), Values::Codes(vec![Some(0), Some(1)].into())),
            ("stayed".to_owned(), Values::Ints(vec![Some(80), Some(64)].into())),
            ("returned".to_owned(), Values::Ints(vec![Some(20), Some(60)].into())),
        ];
        let told = Told { rows: Rows { rows: 2, columns }, texts: Default::default() };
        let view = View { answers: vec![(SQL.to_owned(), told)], ..View::default() };
        let mut out = Outputs::default();
        run(&view, &Parameters::default(), &mut out).unwrap();
        let row = |at: usize| (out.readmission[at].stayed, out.readmission[at].share);
        assert_eq!(row(0), (Value::Given(80), Value::Given(25.0)));
        assert_eq!(row(1), (Value::Given(64), Value::Suppressed));
    }
}
