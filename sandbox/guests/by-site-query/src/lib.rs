//! What the guest `by-site` counts, asked of the host.

sekisho_analysis::analysis!("analysis.toml");

const SQL: &str = "SELECT site, count(DISTINCT patient) AS patients, avg(weight) AS weight \
                   FROM visits WHERE site IS NOT NULL GROUP BY site";

fn run(view: &View, _: &Parameters, out: &mut Outputs) -> Result<(), String> {
    for rows in view.query(SQL, &[])? {
        let (site, patients) = (rows.codes("site")?, rows.ints("patients")?);
        let weight = rows.floats("weight")?;
        for row in 0..rows.rows {
            let (Some(site), Some(patients)) = (site.get(row), patients.get(row)) else { continue };
            let weight = weight.get(row).map(Into::into).unwrap_or_default();
            out.by_site.push(BySiteRow { site, patients: patients.into(), weight });
        }
    }
    Ok(())
}

#[cfg(test)]
mod tests {
    use super::*;
    use sekisho_analysis::{Rows, Told, Value, Values};

    #[test]
    fn what_the_query_finds_is_given() {
        let columns = vec![
            ("site".to_owned(), Values::Codes(vec![Some(1)].into())),
            ("patients".to_owned(), Values::Ints(vec![Some(2)].into())),
            ("weight".to_owned(), Values::Floats(vec![None].into())),
        ];
        let told = Told { rows: Rows { rows: 1, columns }, texts: Default::default() };
        let view = View { answers: vec![(SQL.to_owned(), told)], ..View::default() };
        let mut out = Outputs::default();
        run(&view, &Parameters::default(), &mut out).unwrap();
        let row = BySiteRow { site: 1, patients: 2.into(), weight: Value::Missing };
        assert_eq!(out.by_site, [row]);
    }
}
