//! Age band x sex x condition: distinct patients, and the mean HbA1c of those who have one.

use sekisho_analysis::Value;

sekisho_analysis::analysis!("analysis.toml");

/// Upper ends of the age bands but the last; as many bands as the manifest has labels.
const BANDS: [i64; 3] = [40, 65, 75];
const HBA1C: &str = "HbA1c-NGSP";

/// What is known of one patient, by the number the host gave.
#[derive(Clone, Copy, Default)]
struct Person {
    band_and_sex: Option<(u32, u32)>,
    hba1c_sum: f64,
    hba1c_count: u32,
}

#[derive(Clone, Copy, Default)]
struct Cell {
    patients: i64,
    measured: i64,
    sum: f64,
}

fn run(view: &View, parameters: &Parameters, out: &mut Outputs) -> Result<(), String> {
    let sexes = view.patients_sex_codes().len();
    let conditions = view.conditions_code_codes().len();
    let mut people = Vec::new();
    read_patients(view, parameters.reference_year, &mut people);
    read_hba1c(view, &mut people);
    let cells = count(view, &people, sexes, conditions);
    out.crosstab = rows(&cells, sexes, conditions, parameters.suppress_below);
    Ok(())
}

fn person(people: &mut Vec<Person>, number: u32) -> &mut Person {
    let at = number as usize;
    if people.len() <= at {
        people.resize(at + 1, Person::default());
    }
    &mut people[at]
}

fn read_patients(view: &View, year: i64, people: &mut Vec<Person>) {
    for batch in view.patients() {
        for (row, &patient) in batch.patient.iter().enumerate() {
            let (Some(born), Some(sex)) = (batch.birth_year.get(row), batch.sex.get(row)) else {
                continue;
            };
            let age = year - born;
            let band = BANDS.iter().take_while(|end| age >= **end).count() as u32;
            person(people, patient).band_and_sex = Some((band, sex));
        }
    }
}

fn read_hba1c(view: &View, people: &mut Vec<Person>) {
    let Some(wanted) = view.labs_item_codes().iter().position(|code| code == HBA1C) else { return };
    for batch in view.labs() {
        for (row, &patient) in batch.patient.iter().enumerate() {
            if batch.item.get(row) == Some(wanted as u32)
                && let Some(value) = batch.value.get(row)
            {
                let person = person(people, patient);
                person.hba1c_sum += value;
                person.hba1c_count += 1;
            }
        }
    }
}

/// A patient counts once for each condition, however often it was recorded.
fn count(view: &View, people: &[Person], sexes: usize, conditions: usize) -> Vec<Cell> {
    let bands = BANDS.len() + 1;
    let mut cells = vec![Cell::default(); bands * sexes * conditions];
    let mut counted = vec![false; people.len() * conditions];
    for batch in view.conditions() {
        for (row, &patient) in batch.patient.iter().enumerate() {
            let Some(person) = people.get(patient as usize) else { continue };
            let (Some((band, sex)), Some(code)) = (person.band_and_sex, batch.code.get(row)) else {
                continue;
            };
            let seen = &mut counted[patient as usize * conditions + code as usize];
            if std::mem::replace(seen, true) {
                continue;
            }
            let cell =
                &mut cells[(band as usize * sexes + sex as usize) * conditions + code as usize];
            cell.patients += 1;
            if person.hba1c_count > 0 {
                cell.measured += 1;
                cell.sum += person.hba1c_sum / f64::from(person.hba1c_count);
            }
        }
    }
    cells
}

fn rows(cells: &[Cell], sexes: usize, conditions: usize, below: i64) -> Vec<CrosstabRow> {
    let small = |n: i64| n > 0 && n < below;
    let shown = |n: i64| if small(n) { Value::Suppressed } else { Value::Given(n) };
    let row = |(at, cell): (usize, &Cell)| CrosstabRow {
        age_band: (at / (sexes * conditions)) as u32,
        sex: (at / conditions % sexes) as u32,
        condition: (at % conditions) as u32,
        patients: shown(cell.patients),
        measured: shown(cell.measured),
        mean_hba1c: match cell.measured {
            0 => Value::Missing,
            n if small(n) || small(cell.patients) => Value::Suppressed,
            // The host rounds: a sum's last bit hangs on the order of patients, and would tip a
            // mean that is half-way between two numbers to either side.
            n => Value::Given(cell.sum / n as f64),
        },
    };
    cells.iter().enumerate().map(row).collect()
}

#[cfg(test)]
mod tests {
    use super::*;
    use sekisho_analysis::Column;

    /// Patient 0: born 1950, sex 0, condition 1 twice, HbA1c 6 and 7. Patient 1: born 1990,
    /// sex 1, conditions 0 and 1, another laboratory item.
    fn view() -> View {
        View {
            patients_batches: vec![Patients {
                rows: 2,
                patient: vec![0, 1],
                birth_year: Column::from(vec![Some(1950), Some(1990)]),
                sex: Column::from(vec![Some(0), Some(1)]),
            }],
            patients_sex_codes: vec!["1".into(), "2".into()],
            conditions_batches: vec![Conditions {
                rows: 4,
                patient: vec![0, 0, 1, 1],
                code: Column::from(vec![Some(1), Some(1), Some(0), Some(1)]),
            }],
            conditions_code_codes: vec!["E11".into(), "I10".into()],
            labs_batches: vec![Labs {
                rows: 3,
                patient: vec![0, 0, 1],
                item: Column::from(vec![Some(1), Some(1), Some(0)]),
                value: Column::from(vec![Some(6.0), Some(7.0), Some(4.1)]),
            }],
            labs_item_codes: vec!["ALB".into(), HBA1C.into()],
            ..View::default()
        }
    }

    fn table(suppress_below: i64) -> Vec<CrosstabRow> {
        let mut out = Outputs::default();
        let parameters = Parameters { suppress_below, ..Parameters::default() };
        run(&view(), &parameters, &mut out).unwrap();
        out.crosstab
    }

    fn find(table: &[CrosstabRow], band: u32, sex: u32, condition: u32) -> CrosstabRow {
        let key =
            |row: &&CrosstabRow| (row.age_band, row.sex, row.condition) == (band, sex, condition);
        table.iter().find(key).unwrap().clone()
    }

    #[test]
    fn patients_count_once_and_means_are_over_patients() {
        let table = table(0);
        assert_eq!(table.len(), 4 * 2 * 2);
        let row = find(&table, 2, 0, 1);
        assert_eq!((row.patients, row.measured), (Value::Given(1), Value::Given(1)));
        assert_eq!(row.mean_hba1c, Value::Given(6.5));
        let young = find(&table, 0, 1, 0);
        assert_eq!((young.patients, young.measured), (Value::Given(1), Value::Given(0)));
        assert_eq!(young.mean_hba1c, Value::Missing);
    }

    #[test]
    fn small_counts_are_withheld_with_their_mean_and_zero_stays() {
        let table = table(10);
        let row = find(&table, 2, 0, 1);
        assert_eq!((row.patients, row.mean_hba1c), (Value::Suppressed, Value::Suppressed));
        assert_eq!(find(&table, 3, 0, 0).patients, Value::Given(0));
    }
}
