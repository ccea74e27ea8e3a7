//! What depends on how many persons there are, and on who of them is sealed.

use super::*;

/// Wards of few persons are merged, rows of an undeclared sex left out.
fn with_rules() -> String {
    let rare = r#"nullable = true, rule = { rare_below = 10, other = "elsewhere" },"#;
    let sex = r#"name = "sex", kind = "code","#;
    let row = r#"name = "sex", kind = "code", rule = { undeclared = "row" },"#;
    PROFILE.replacen("nullable = true,", rare, 1).replace(sex, row)
}

fn one_row_a_person(profile: &str) -> String {
    profile.replace("name = \"visits\"", "name = \"visits\"\none_row_a_person = true")
}

fn of(person: &str, ward: &str) -> String {
    GOOD.replace("P1", person).replace("west", ward)
}

fn nine_in_the_west() -> String {
    (1..=9).map(|number| of(&format!("P{number}"), "west")).collect()
}

/// The wards that are sealed, each once, when wrong rows are rejected.
fn sealed_wards(profile: &str, rows: &str, gate: &mut Gate) -> Vec<String> {
    let zone = tempfile::tempdir().unwrap();
    let mut rejects =
        Rejects::create(zone.path(), Key::generate().unwrap(), "small", "v1").unwrap();
    let content = format!("{HEADER}{rows}");
    let (read, batches) = taken(profile, content.as_bytes(), gate, Some(&mut rejects)).unwrap();
    assert!(read.totals.balance(), "{:?}", read.totals);
    let column = |batch: &RecordBatch| batch.column_by_name("ward").unwrap().clone();
    let wards = batches.iter().flat_map(|batch| {
        let wards = column(batch);
        let wards = wards.as_string::<i32>().iter().flatten().map(str::to_owned);
        wards.collect::<Vec<_>>()
    });
    let mut wards: Vec<_> = wards.collect();
    wards.sort();
    wards.dedup();
    wards
}

#[test]
fn dp_1_a_code_stays_when_ten_sealed_persons_have_it() {
    let rows = nine_in_the_west() + &of("P10", "west");
    assert_eq!(sealed_wards(&with_rules(), &rows, &mut Gate::default()), ["west"]);
    let far = of("P11", "north");
    let wards = sealed_wards(&with_rules(), &(rows + &far), &mut Gate::default());
    assert_eq!(wards, ["elsewhere", "west"]);
}

#[test]
fn dp_1_persons_who_are_not_sealed_make_no_code_frequent() {
    let tenth = of("P10", "west");
    let token = |person: &str| tokens().token(person.as_bytes()).unwrap();
    let [mut opted_out, mut not_told, mut deleted] = std::array::from_fn(|_| Gate::default());
    opted_out.opted_out.insert(token("P10"));
    not_told.notified = Some((1..=9).map(|number| token(&format!("P{number}"))).collect());
    deleted.deletions.insert(token("P10"), vec!["D-1".to_owned()]);
    for (what, row, mut gate) in [
        ("one of the nine again", of("P9", "west"), Gate::default()),
        ("opted out", tenth.clone(), opted_out),
        ("not told", tenth.clone(), not_told),
        ("deleted", tenth.clone(), deleted),
        ("a wrong number", tenth.replace("41", "old"), Gate::default()),
        ("a wrong date", tenth.replace("02-29", "02-30"), Gate::default()),
        ("a field too few", tenth.replace(",x", ""), Gate::default()),
        ("left out by another rule", tenth.replace(",f,", ",d,"), Gate::default()),
    ] {
        let rows = nine_in_the_west() + &row;
        assert_eq!(sealed_wards(&with_rules(), &rows, &mut gate), ["elsewhere"], "{what}");
    }
    // The tenth has a row already, under another code: this one is rejected.
    let rows = nine_in_the_west() + &of("P10", "north") + &tenth;
    let profile = one_row_a_person(&with_rules());
    assert_eq!(sealed_wards(&profile, &rows, &mut Gate::default()), ["elsewhere"]);
}

/// What a progress bar shows: each step with how much there is, and how often it moved.
#[derive(Default)]
struct Steps(Vec<(String, u64, Vec<u64>)>);

impl Progress for Steps {
    fn start(&mut self, what: &str, total: u64) {
        self.0.push((what.to_owned(), total, Vec::new()));
    }

    fn at(&mut self, done: u64) {
        self.0.last_mut().unwrap().2.push(done);
    }
}

#[test]
fn a_table_that_is_read_twice_shows_how_far_it_is_both_times() {
    let content = format!("{HEADER}{}", GOOD.repeat(20_000));
    let mut steps = Steps::default();
    let profile = with_rules();
    told(&profile, content.as_bytes(), &mut Gate::default(), None, &mut steps).unwrap();
    let names: Vec<_> = steps.0.iter().map(|(what, ..)| what.as_str()).collect();
    assert_eq!(names, ["counting visits", "reading visits"]);
    for (what, total, at) in &steps.0 {
        assert!(at.len() == 3 && at.is_sorted_by(|one, next| one < next), "{what}: {at:?}");
        assert_eq!((*total, at[2]), (content.len() as u64, *total), "{what}");
    }
}

#[test]
fn a_second_row_of_a_person_is_wrong_in_a_table_of_one_a_person() {
    let profile = one_row_a_person(PROFILE);
    let content = [HEADER, GOOD, &of("P2", "west"), &of(" P1 ", "east")].concat();
    let refused = taken(&profile, content.as_bytes(), &mut Gate::default(), None).unwrap_err();
    let IngestError::Source { errors, .. } = &refused else { panic!("{refused:?}") };
    let [error] = errors.as_slice() else { panic!("{errors:?}") };
    assert_eq!(
        (error.code, error.line, error.column.as_str()),
        ("source.duplicate_person", 4, "pid")
    );
    let (zone, key) = (tempfile::tempdir().unwrap(), Key::generate().unwrap());
    let mut rejects = Rejects::create(zone.path(), key, "small", "v1").unwrap();
    let gate = &mut Gate::default();
    let (read, _) = taken(&profile, content.as_bytes(), gate, Some(&mut rejects)).unwrap();
    assert_eq!((read.totals.sealed, read.totals.rejected, rejects.rows), (2, 1, 1));
    assert!(read.totals.balance());
}

/// Rare codes are counted in one pass and replaced in another: over one and the same file.
#[test]
fn a_file_that_changes_between_two_passes_is_refused() {
    let dir = tempfile::tempdir().unwrap();
    let file = dir.path().join("visits.csv");
    let profile = Profile::parse(&with_rules()).unwrap();
    let taken = |second: &str| {
        let passes = std::cell::RefCell::new(vec![nine_in_the_west(), second.to_owned()]);
        let open = || -> Result<Box<dyn Rows>, IngestError> {
            let rows = passes.borrow_mut().remove(0);
            fs::write(&file, format!("{HEADER}{rows}")).unwrap();
            Ok(Box::new(CsvRows::open(&file, Encoding::Utf8)?))
        };
        let (mut tokens, mut gate) = (tokens(), Gate::default());
        let mut intake =
            TableIntake { profile: &profile, tokens: &mut tokens, gate: &mut gate, rejects: None };
        let table = profile.table("visits").unwrap();
        let source = TableSource { file: &file, size: 0, open: &open };
        intake.read(table, &source, &mut Silent, &mut |_| Ok(())).map(|read| read.totals)
    };
    assert_eq!(taken(&nine_in_the_west()).unwrap().sealed, 9);
    let swapped = taken(&nine_in_the_west().replace("P9", "P8")).unwrap_err();
    assert_eq!(swapped.code(), "source.changed");
}
