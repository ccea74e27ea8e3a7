use super::*;
use crate::manifest::{
    AggregateKind, CoefficientScale, ColumnKind, Lookup, OutputBody, TableRole, Ties, TotalKind,
};

const PER_PATIENT: &str = r#"
name = "km-by-sex"
title = "Survival"
world = "per-patient"

[[tables]]
name = "lung"
columns = [{ name = "time", kind = "int" }, { name = "sex", kind = "code", codes = ["1", "2"] }]

[[outputs]]
name = "by_sex"
title = "By sex"
kind = "survival"
unit = "day"
keys = [{ name = "sex", labels = ["male", "female"] }]
"#;

const COHORT: &str = r#"
name = "crosstab"
title = "Crosstab"
world = "cohort"

[[tables]]
name = "people"
columns = [{ name = "patient", kind = "patient" }, { name = "sex", kind = "code" }]

[[parameters]]
name = "least"
kind = "integer"
min = 0
max = 10
default = 0

[[outputs]]
name = "counts"
title = "Counts"
kind = "table"
columns = [
    { name = "sex", role = "key", codes_of = "people.sex" },
    { name = "patients", role = "patient_count" },
]
"#;

fn codes(text: &str) -> Vec<(&'static str, String)> {
    let Err(ManifestErrors(errors)) = parse(text) else { return Vec::new() };
    errors.into_iter().map(|e| (e.code, e.at)).collect()
}

/// The per-patient manifest with one piece replaced.
fn changed(from: &str, to: &str) -> Vec<(&'static str, String)> {
    assert!(PER_PATIENT.contains(from), "{from}");
    codes(&PER_PATIENT.replacen(from, to, 1))
}

fn cohort(from: &str, to: &str) -> Vec<(&'static str, String)> {
    assert!(COHORT.contains(from), "{from}");
    codes(&COHORT.replacen(from, to, 1))
}

#[test]
fn a_per_patient_manifest_is_read() {
    let manifest = parse(PER_PATIENT).unwrap();
    assert_eq!(manifest.world, World::PerPatient);
    assert_eq!(manifest.tables[0].columns[1].codes, ["1", "2"]);
    let OutputBody::Aggregate(made) = &manifest.outputs[0].body else { panic!() };
    assert_eq!(
        made.kind,
        AggregateKind::Survival { time_unit: "day".into(), causes: vec![], compare: false }
    );
    assert_eq!((made.cells(), made.arity(), made.max_contributions), (2, 2, 1));
}

#[test]
fn a_cohort_manifest_is_read() {
    let manifest = parse(COHORT).unwrap();
    assert_eq!(manifest.tables[0].columns[0].kind, ColumnKind::Patient);
    let OutputBody::Table(table) = &manifest.outputs[0].body else { panic!() };
    let expected = TableRole::Key(KeyDomain::CodesOf { table: 0, column: 1 });
    assert_eq!(table.columns[0].role, expected);
}

#[test]
fn unknown_keys_are_refused_everywhere_and_all_at_once() {
    let text = PER_PATIENT
        .replace("title = \"Survival\"", "title = \"Survival\"\ncolour = 1")
        .replace("name = \"lung\"", "name = \"lung\"\ncolour = 1")
        .replace("kind = \"int\"", "kind = \"int\", colour = 1")
        .replace("unit = \"day\"", "unit = \"day\"\ncolour = 1")
        .replace("labels =", "colour = 1, labels =");
    let found = codes(&text);
    let places: Vec<&str> = found.iter().map(|(_, at)| at.as_str()).collect();
    assert!(found.iter().all(|(code, _)| *code == "unknown_key"), "{found:?}");
    assert_eq!(
        places,
        [
            "analysis.toml",
            "tables.lung",
            "tables.lung.columns.time",
            "outputs.by_sex",
            "outputs.by_sex.keys.sex"
        ]
    );
}

#[test]
fn each_mistake_has_its_code() {
    let sum = "kind = \"sum\"\nclamp = [1.0, 1.0]";
    let cases: [(&str, &str, &str); 17] = [
        ("world = \"per-patient\"", "world = \"all\"", "world"),
        ("name = \"km-by-sex\"", "name = \"../etc\"", "name"),
        ("title = \"Survival\"", "title = \" \"", "text"),
        ("kind = \"int\"", "kind = \"text\"", "column_kind"),
        ("kind = \"int\"", "kind = \"patient\"", "column_kind"),
        ("kind = \"int\"", "kind = \"code\"", "codes"),
        ("kind = \"int\"", "kind = \"int\", codes = [\"1\"]", "codes"),
        ("codes = [\"1\", \"2\"]", "codes = [\"1\", \"1\"]", "duplicate"),
        ("name = \"time\"", "name = \"sex\"", "duplicate"),
        ("kind = \"survival\"", "kind = \"table\"", "output_kind"),
        ("kind = \"survival\"", sum, "clamp"),
        ("kind = \"survival\"", "kind = \"sum\"\nclamp = [0.0, 1e300]", "clamp"),
        ("kind = \"survival\"", "kind = \"histogram\"\nedges = [2.0, 1.0]", "edges"),
        ("unit = \"day\"", "max_contributions = 0", "max_contributions"),
        ("unit = \"day\"", "default = { keys = [2], values = [1.0, 1.0] }", "default"),
        ("unit = \"day\"", "suppress_small = true", "unknown_key"),
        ("labels = [\"male\", \"female\"]", "codes_of = \"lung.sex\"", "key_domain"),
    ];
    for (from, to, code) in cases {
        let found = changed(from, to);
        assert!(found.iter().any(|(c, _)| *c == code), "{to}: {found:?}");
    }
}

#[test]
fn cohort_mistakes_have_their_codes() {
    let cases: [(&str, &str, &str); 6] = [
        ("codes_of = \"people.sex\"", "codes_of = \"people.patient\"", "key_domain"),
        ("codes_of = \"people.sex\"", "labels = []", "key_domain"),
        ("role = \"patient_count\"", "role = \"total\"", "role"),
        ("role = \"patient_count\"", "role = \"count\", labels = [\"a\"]", "unknown_key"),
        ("default = 0", "default = 11", "parameter_range"),
        ("kind = \"integer\"", "kind = \"date\"", "parameter_kind"),
    ];
    for (from, to, code) in cases {
        let found = cohort(from, to);
        assert!(found.iter().any(|(c, _)| *c == code), "{to}: {found:?}");
    }
}

#[test]
fn what_only_some_aggregations_declare_has_its_codes() {
    let keys = "keys = [{ name = \"sex\", labels = [\"male\", \"female\"] }]";
    let quantile = "kind = \"quantile\"\nclamp = [0.0, 9.0]\n";
    let stratum = "stratum = { name = \"site\", labels = [\"a\", \"b\"] }";
    let two = "keys = [{ name = \"a\", labels = [\"x\", \"y\"] }, { name = \"b\", labels = [\"p\", \"q\"] }]";
    for (rest, code) in [
        (format!("{quantile}probabilities = [0.5]\n{keys}"), None),
        (format!("{quantile}probabilities = [0.025, 0.5, 0.975]\nsuppress_small = true"), None),
        (format!("{quantile}{keys}"), Some("probabilities")),
        (format!("{quantile}probabilities = [0.5, 0.25]"), Some("probabilities")),
        (format!("{quantile}probabilities = [0.0]"), Some("probabilities")),
        (format!("{quantile}probabilities = [0.0005]"), Some("probabilities")),
        ("kind = \"quantile\"\nprobabilities = [0.5]".to_owned(), Some("clamp")),
        (format!("kind = \"contingency\"\n{two}"), None),
        (format!("kind = \"contingency\"\n{two}\n{stratum}"), None),
        (format!("kind = \"contingency\"\n{keys}"), Some("contingency_keys")),
        (format!("kind = \"contingency\"\n{keys}\n{stratum}"), Some("contingency_keys")),
        (
            format!("kind = \"contingency\"\n{two}\nmax_contributions = 2"),
            Some("max_contributions"),
        ),
        (format!("kind = \"contingency\"\n{two}\ncompare = true"), Some("unknown_key")),
        (format!("kind = \"survival\"\ncompare = true\n{keys}\n{stratum}"), None),
        ("kind = \"survival\"\ncauses = [\"death\", \"transplant\"]".to_owned(), None),
        (format!("kind = \"survival\"\n{keys}\n{stratum}"), Some("stratum")),
        ("kind = \"survival\"\ncompare = true".to_owned(), Some("compare")),
        ("kind = \"survival\"\ncauses = [\"death\"]".to_owned(), Some("causes")),
        (
            format!("kind = \"survival\"\ncauses = [\"a\", \"b\"]\ncompare = true\n{keys}"),
            Some("compare"),
        ),
        (
            "kind = \"survival\"\ncauses = [\"a\", \"b\"]\ndefault = { values = [1.0, 3.0] }"
                .to_owned(),
            Some("default"),
        ),
    ] {
        let head = PER_PATIENT.split_once("[[outputs]]").unwrap().0;
        let text = format!("{head}[[outputs]]\nname = \"o\"\ntitle = \"O\"\n{rest}\n");
        let found = codes(&text);
        let found: Vec<&str> = found.iter().map(|(code, _)| *code).collect();
        assert_eq!(found, code.into_iter().collect::<Vec<_>>(), "{rest}");
    }
    let elsewhere = cohort("kind = \"table\"", "kind = \"quantile\"");
    assert!(elsewhere.iter().any(|(code, _)| *code == "output_kind"), "{elsewhere:?}");
}

#[test]
fn a_cohort_module_declares_survival_by_its_unit_and_keys() {
    let head = COHORT.split_once("[[outputs]]").unwrap().0;
    let of = |rest: &str| {
        parse(&format!(
            "{head}[[outputs]]\nname = \"s\"\ntitle = \"S\"\nkind = \"survival\"\n{rest}"
        ))
    };
    let manifest = of("unit = \"day\"\nkeys = [{ name = \"sex\", codes_of = \"people.sex\" }]");
    let OutputBody::Survival(spec) = &manifest.unwrap().outputs[0].body else { panic!() };
    assert_eq!((spec.time_unit.as_str(), spec.keys.len()), ("day", 1));
    let Err(ManifestErrors(errors)) = of("compare = true") else { panic!() };
    assert_eq!(errors[0].code, "unknown_key");
}

const MODEL: &str = "kind = \"coefficients\"\nmodel = \"Cox\"\nscale = \"log_hazard\"\n\
    terms = [\"age\", \"sex: female\"]\n";

fn model(from: &str, to: &str) -> String {
    assert!(MODEL.contains(from), "{from}");
    let head = COHORT.split_once("[[outputs]]").unwrap().0;
    format!("{head}[[outputs]]\nname = \"m\"\ntitle = \"M\"\n{}", MODEL.replace(from, to))
}

#[test]
fn a_regression_declares_its_terms_and_scale() {
    let manifest = parse(&model("", "")).unwrap();
    let OutputBody::Coefficients(spec) = &manifest.outputs[0].body else { panic!() };
    assert_eq!(spec.scale, CoefficientScale::LogHazard);
    assert_eq!(spec.terms, ["age", "sex: female"]);
    for (from, to, code) in [
        ("scale = \"log_hazard\"", "scale = \"log\"", "scale"),
        ("scale = \"log_hazard\"\n", "", "scale"),
        ("model = \"Cox\"\n", "", "text"),
        ("\"age\", \"sex: female\"", "", "missing"),
        ("\"age\"", "\"sex: female\"", "duplicate"),
        ("model", "unit = \"mg\"\nmodel", "unknown_key"),
    ] {
        let found = codes(&model(from, to));
        assert_eq!(found.iter().map(|(code, _)| *code).collect::<Vec<_>>(), [code], "{to}");
    }
    assert!(changed("unit = \"day\"", "terms = [\"age\"]")[0].0 == "unknown_key");
}

const ROUNDS: &str = r#"
name = "cox"
title = "Cox"
world = "rounds"
rounds = 30

[[tables]]
name = "lung"
columns = [{ name = "time", kind = "int" }, { name = "sex", kind = "code", codes = ["1", "2"] }]

[[totals]]
name = "risk"
kind = "cox"
covariates = 2
ties = "breslow"
clamp = [0.0, 120.0]
keys = [{ name = "sex", labels = ["male", "female"] }]

[[totals]]
name = "moments"
kind = "vector"
length = 3
clamp = [-1.0, 1.0]
keys = [{ name = "dead", labels = ["no", "yes"] }]
default = { keys = [0], values = [0.0, 0.0, 1.0] }

[[outputs]]
name = "hazards"
title = "Hazards"
kind = "coefficients"
model = "Cox"
scale = "log_hazard"
terms = ["age", "stage"]
of = "risk"
"#;

#[test]
fn a_manifest_of_rounds_is_read() {
    let manifest = parse(ROUNDS).unwrap();
    assert_eq!((manifest.world, manifest.rounds), (World::Rounds, 30));
    let [risk, moments] = &manifest.totals[..] else { panic!() };
    assert_eq!(risk.kind, TotalKind::Cox { covariates: 2, ties: Ties::Breslow });
    assert_eq!((risk.arity(), risk.cells(), risk.cell(&[1])), (5, 2, Some(1)));
    assert_eq!(moments.kind, TotalKind::Vector { length: 3 });
    assert!(moments.tells_events() && moments.default.is_some());
    let odds = ROUNDS.replace("log_hazard", "log_odds");
    let odds = odds.replace("of = \"risk\"", "of = \"moments\"");
    assert!(parse(&odds).is_ok());
    assert_eq!((parse(COHORT).unwrap().rounds, parse(COHORT).unwrap().totals), (0, Vec::new()));
}

#[test]
fn mistakes_in_rounds_have_their_codes() {
    for (from, to, code) in [
        ("rounds = 30", "", "rounds"),
        ("rounds = 30", "rounds = 51", "rounds"),
        ("kind = \"cox\"", "kind = \"risk\"", "total_kind"),
        ("covariates = 2", "covariates = 65", "covariates"),
        ("covariates = 2", "covariates = 2\nlength = 2", "unknown_key"),
        ("ties = \"breslow\"", "ties = \"exact\"", "ties"),
        ("clamp = [0.0, 120.0]", "", "clamp"),
        ("length = 3", "length = 0", "length"),
        ("length = 3", "", "length"),
        ("length = 3", "length = 3\ncolour = 1", "unknown_key"),
        ("name = \"moments\"", "name = \"risk\"", "duplicate"),
        ("values = [0.0, 0.0, 1.0]", "values = [0.0]", "default"),
        ("labels = [\"no\", \"yes\"]", "codes_of = \"lung.sex\"", "key_domain"),
        ("of = \"risk\"", "", "of"),
        ("of = \"risk\"", "of = \"moments\"", "of"),
        ("log_hazard", "log_odds", "of"),
        ("kind = \"coefficients\"", "kind = \"survival\"", "output_kind"),
        (
            "{ name = \"time\", kind = \"int\" }",
            "{ name = \"p\", kind = \"patient\" }",
            "column_kind",
        ),
    ] {
        assert!(ROUNDS.contains(from), "{from}");
        let found = codes(&ROUNDS.replacen(from, to, 1));
        assert!(found.iter().any(|(c, _)| *c == code), "{to}: {found:?}");
    }
    // What belongs to rounds is refused elsewhere.
    assert_eq!(cohort("world = \"cohort\"", "world = \"cohort\"\nrounds = 3")[0].0, "unknown_key");
    let totals = ROUNDS.split_once("[[totals]]").unwrap().1.split_once("[[outputs]]").unwrap().0;
    let found = codes(&format!("{PER_PATIENT}[[totals]]{totals}"));
    assert_eq!(found, [("unknown_key", "totals".to_owned())]);
    // A reducer is given no dictionary.
    let (head, _) = ROUNDS.split_once("[[outputs]]").unwrap();
    let table = "[[outputs]]\nname = \"t\"\ntitle = \"T\"\nkind = \"table\"\ncolumns = \
                 [{ name = \"sex\", role = \"key\", codes_of = \"lung.sex\" }]\n";
    assert_eq!(codes(&format!("{head}{table}"))[0].0, "key_domain");
}

/// The cohort manifest, which looks up a column by one that it does not declare.
fn looking_up(column: &str) -> String {
    let patient = "{ name = \"patient\", kind = \"patient\" },";
    assert!(COHORT.contains(patient));
    COHORT.replace(patient, &format!("{patient} {column},"))
}

#[test]
fn a_column_of_a_brought_in_table_is_looked_up_by_a_column_of_the_dataset() {
    let score = r#"{ name = "burden.score", kind = "float", by = "main" }"#;
    let manifest = parse(&looking_up(score)).unwrap();
    let table = &manifest.tables[0];
    let lookup = Lookup { table: "burden", column: "score", by: "main" };
    assert_eq!(table.columns[1].lookup(), Some(lookup));
    assert_eq!(table.columns[2].lookup(), None);
    assert_eq!(table.read(), ["patient", "sex", "main"]);
    assert_eq!(manifest.bring_ins().into_iter().collect::<Vec<_>>(), ["burden"]);
    // By a declared column, and as the domain of a key.
    let group = r#"{ name = "burden.group", kind = "code", by = "sex" }"#;
    let text = looking_up(group).replace("people.sex", "people.burden.group");
    let manifest = parse(&text).unwrap();
    assert_eq!(manifest.tables[0].read(), ["patient", "sex"]);
    let OutputBody::Table(table) = &manifest.outputs[0].body else { panic!() };
    let expected = TableRole::Key(KeyDomain::CodesOf { table: 0, column: 1 });
    assert_eq!(table.columns[0].role, expected);
    assert!(parse(COHORT).unwrap().bring_ins().is_empty());
}

#[test]
fn a_lookup_that_does_not_fit_has_its_code() {
    for (column, code) in [
        (r#"{ name = "burden.score", kind = "float" }"#, "lookup"),
        (r#"{ name = "score", kind = "float", by = "sex" }"#, "lookup"),
        (r#"{ name = "burden.score", kind = "float", by = "patient" }"#, "lookup"),
        (r#"{ name = "burden.score", kind = "date", by = "sex" }"#, "column_kind"),
        (r#"{ name = "burden.score", kind = "patient", by = "sex" }"#, "column_kind"),
        (r#"{ name = "burden.a.b", kind = "float", by = "sex" }"#, "name"),
        (r#"{ name = ".score", kind = "float", by = "sex" }"#, "name"),
        (r#"{ name = "burden.score", kind = "float", by = "a.b" }"#, "name"),
    ] {
        let found = codes(&looking_up(column));
        assert_eq!(found.iter().map(|(code, _)| *code).collect::<Vec<_>>(), [code], "{column}");
    }
    let many = (0..9).map(|n| format!(r#"{{ name = "t{n}.score", kind = "int", by = "sex" }}"#));
    let found = codes(&looking_up(&many.collect::<Vec<_>>().join(", ")));
    assert_eq!(found, [("too_many", "tables".to_owned())]);
}

#[test]
fn sizes_are_capped() {
    let many: String = (0..300).map(|i| format!("\"l{i}\",")).collect();
    let key = |name: &str| format!("{{ name = \"{name}\", labels = [{many}] }}");
    let keys = format!("keys = [{}, {}]", key("a"), key("b"));
    let found = changed("keys = [{ name = \"sex\", labels = [\"male\", \"female\"] }]", &keys);
    assert_eq!(found, [("too_many", "outputs.by_sex".to_owned())]);
    assert_eq!(codes(&" ".repeat(MAX_BYTES + 1))[0].0, "too_large");
}

#[test]
fn syntax_errors_say_where() {
    let Err(ManifestErrors(errors)) = parse("name = ") else { panic!() };
    assert_eq!(errors[0].code, "syntax");
    assert!(errors[0].message.contains("line 1"));
}
