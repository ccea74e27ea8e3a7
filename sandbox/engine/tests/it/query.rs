//! SQL over the view. The guest `asks` has a place for a query in its bytes and tells what it finds
//! as its error text, which only dummy data shows.

use std::sync::Arc;

use arrow::array::{ArrayRef, Date32Array, Float64Array, UInt32Array};
use sekisho_module::ColumnKind;
use sekisho_proto::v1;
use sekisho_proto::v1::FailureClass;
use sekisho_proto::v1::cell::Value;
use sekisho_vault::Key;

use crate::support::{
    Job, Memory, evidence, failure, grant, guest, job, parameter, report, table, visits,
};

fn asking(sql: &str) -> Job {
    const PLACE: &[u8] = b"SELECT 1 AS one ";
    let mut job = job("asks");
    let at = job.component.windows(PLACE.len()).position(|bytes| bytes == PLACE).unwrap();
    let place = &mut job.component[at..at + 40_000];
    place.fill(b' ');
    place[..sql.len()].copy_from_slice(sql.as_bytes());
    job
}

fn set(job: &mut Job, name: &str, value: v1::parameter::Value) {
    job.parameters.push(parameter(name, value));
}

/// What a job's query finds, rows as texts.
fn told(mut job: Job) -> Vec<String> {
    set(&mut job, "tell", v1::parameter::Value::Flag(true));
    job.dummy = true;
    let failed = failure(job);
    let detail = failed.developer.map(|d| d.messages[0].clone()).unwrap_or_default();
    assert_eq!(failed.code, "guest_error", "{detail}");
    detail.lines().map(|line| line.trim_end().to_owned()).collect()
}

fn found(sql: &str) -> Vec<String> {
    told(asking(sql))
}

/// How a query ends its run over real data, and that over dummy data there is a reason.
fn refused(sql: &str) -> (FailureClass, &'static str) {
    let failed = failure(asking(sql));
    assert!(failed.developer.is_none(), "{sql}");
    let explained = failure(Job { dummy: true, ..asking(sql) });
    assert_eq!(explained.code, failed.code, "{sql}");
    assert!(!explained.developer.unwrap().messages[0].is_empty(), "{sql}");
    (failed.class, failed.code)
}

fn code(sql: &str) -> &'static str {
    refused(sql).1
}

#[test]
fn a_query_counts_what_a_reader_counts() {
    let (asked, read) = (report(job("by-site-query")), report(job("by-site")));
    assert_eq!(table(&asked.outputs[0]), table(&read.outputs[0]));
    assert_eq!(evidence(&asked.outputs[0]), evidence(&read.outputs[0]));
    assert_eq!(asked.usage.rows_read, 750);
}

#[test]
fn groups_joins_and_windows() {
    let counted = "SELECT site, count(*) AS rows, count(DISTINCT patient) AS patients \
                   FROM visits GROUP BY site";
    assert_eq!(found(counted), ["east 500 200", "west 250 100"]);
    // Patients of two visits or more, by the number of visits.
    let nested = "WITH per AS (SELECT patient, count(*) AS n FROM visits GROUP BY patient) \
                  SELECT n, count(*) FROM per WHERE n > 1 GROUP BY n HAVING count(*) > 0 \
                  ORDER BY n DESC";
    assert_eq!(found(nested), ["4 75", "3 75", "2 75"]);
    let joined = "SELECT a.site, count(*) FROM visits a JOIN visits b USING (patient) \
                  WHERE a.weight < b.weight GROUP BY a.site";
    assert_eq!(found(joined).len(), 2);
    let window = "SELECT count(*) FROM (SELECT row_number() OVER \
                  (PARTITION BY patient ORDER BY weight) AS nth FROM visits) WHERE nth = 1";
    assert_eq!(found(window), ["300"]);
    let uncorrelated =
        "SELECT count(*) FROM visits WHERE weight > (SELECT avg(weight) FROM visits)";
    assert_eq!(found(uncorrelated).len(), 1);
    let exists = "SELECT count(DISTINCT patient) FROM visits v WHERE NOT EXISTS \
                  (SELECT 1 FROM visits o WHERE o.patient = v.patient AND o.weight IS NULL)";
    assert_eq!(found(exists).len(), 1);
    let sets = "SELECT site, count(*) FROM visits GROUP BY ROLLUP (site)";
    assert_eq!(found(sets), ["east 500", "west 250", "- 750"]);
    let union = "SELECT 'a' AS part, sum(weight), avg(DISTINCT weight) FROM visits UNION ALL \
                 SELECT 'b', sum(weight), avg(DISTINCT weight) FROM \
                 (SELECT * FROM visits WHERE site = 'east' UNION ALL \
                 SELECT * FROM visits WHERE site <> 'east')";
    let union = found(union);
    assert_eq!(union[0].split_once(' ').unwrap().1, union[1].split_once(' ').unwrap().1);
}

/// Forty patients with a stay of five days. Of the 25 of one sex all come back after twenty
/// days, of the others none: ten come back a year later, and five were never let go.
fn hospital() -> Memory {
    let tokens: Vec<u64> = (0..40).map(|patient| patient << 57).collect();
    let sexes: ArrayRef =
        Arc::new(UInt32Array::from_iter_values((0..40).map(|p| u32::from(p >= 25))));
    let (mut stays, mut starts, mut ends) = (Vec::new(), Vec::new(), Vec::new());
    for (patient, token) in tokens.iter().enumerate() {
        let open = patient >= 35;
        let back = if patient < 25 { 1025 } else { 1370 };
        for (start, end) in [(1000, (!open).then_some(1005)), (back, None)] {
            stays.push(*token);
            starts.push(start);
            ends.push(end);
        }
    }
    let class: ArrayRef = Arc::new(UInt32Array::from(vec![1; 80]));
    let columns = vec![
        ("class", ColumnKind::Code, class),
        ("start", ColumnKind::Date, Arc::new(Date32Array::from(starts)) as ArrayRef),
        ("end", ColumnKind::Date, Arc::new(Date32Array::from(ends)) as ArrayRef),
    ];
    Memory::new(3)
        .table("patients", &tokens, vec![("sex", ColumnKind::Code, sexes)], &[("sex", &["1", "2"])])
        .table("encounters", &stays, columns, &[("class", &["AMB", "IMP"])])
}

#[test]
fn the_example_readmission_counts_who_comes_back() {
    let (component, manifest) = guest("readmission");
    let view = vec![grant("patients", &["sex"]), grant("encounters", &["class", "start", "end"])];
    let data = Arc::new(hospital());
    let job = |within| {
        let within = parameter("within", v1::parameter::Value::Integer(within));
        let (component, manifest, view) = (component.clone(), manifest.clone(), view.clone());
        let data: Arc<dyn sekisho_engine::Source> = data.clone();
        Job { component, manifest, view, data, parameters: vec![within], ..job("asks") }
    };
    let label = |text: &str| Value::Label(text.to_owned());
    let row = |sex, stayed, returned, share| {
        [label(sex), Value::Count(stayed), Value::Count(returned), Value::Number(share)]
    };
    let month = table(&report(job(30)).outputs[0]);
    assert_eq!(month, [row("1", 25, 25, 100.0), row("2", 15, 0, 0.0)]);
    // Ten of fifteen, and five of them alone would be too few to tell.
    let year = table(&report(job(365)).outputs[0]);
    assert_eq!(year[0], row("1", 25, 25, 100.0));
    assert!(matches!(year[1][2], Value::Suppressed(_)));
}

#[test]
fn every_kind_of_column_crosses() {
    let kinds = "SELECT 1 = 1 AS yes, 7, 0.5, CAST('1970-02-01' AS DATE), CAST(NULL AS INT), \
                 CAST(CAST('1970-02-01' AS DATE) AS INT) AS day, substr('abcd', 2, 2), count(*) FROM visits";
    assert_eq!(found(kinds), ["1 7 0.5 d31 - 31 bc 750"]);
    let made = "SELECT CASE WHEN weight < 60 THEN 'light' ELSE 'heavy' END AS class, site, \
                count(*) FROM visits WHERE weight IS NOT NULL GROUP BY 1, 2";
    let made = found(made);
    assert_eq!(made.len(), 4);
    assert!(made[0].starts_with("heavy east") && made[3].starts_with("light west"), "{made:?}");
    let mut patients = found("SELECT DISTINCT patient FROM visits ORDER BY patient");
    assert_eq!((patients.len(), patients.remove(299)), (300, "p299".to_owned()));
    assert_eq!(code("SELECT INTERVAL '1 month'"), "query_kind");
    assert_eq!(code("SELECT date_trunc('month', CAST('2020-01-05' AS DATE))"), "query_kind");
}

#[test]
fn arguments_stand_where_the_query_names_them() {
    let mut job = asking("SELECT count(*) FROM visits WHERE weight < $1 OR $1 = 0");
    set(&mut job, "argument", v1::parameter::Value::Integer(0));
    assert_eq!(told(job), ["750"]);
    let mut job = asking("SELECT count(*) FROM visits WHERE weight < $1");
    set(&mut job, "argument", v1::parameter::Value::Integer(-5));
    assert_eq!(told(job), ["0"]);
    assert_eq!(code("SELECT count(*) FROM visits WHERE weight < $1 + $2"), "query_parameter");
    assert_eq!(code("SELECT count(*) FROM visits WHERE weight < $name"), "query_parameter");
}

/// A view of the west alone.
fn west(sql: &str) -> Job {
    let mut job = asking(sql);
    job.view[0].row_filter = "site = 'west'".to_owned();
    job
}

#[test]
fn invariant_9_a_query_sees_the_view_and_nothing_beside_it() {
    assert_eq!(told(west("SELECT site, count(*) FROM visits GROUP BY site")), ["west 250"]);
    assert_eq!(told(west("SELECT count(*) FROM visits WHERE site = 'east'")), ["0"]);
    // Were the codes of other rows there, this would fail for being no number.
    let numbers = "SELECT count(TRY_CAST(site AS INT)) FROM visits";
    assert_eq!(told(west(numbers)), ["0"]);
    let mut undeclared = asking("SELECT weight FROM visits");
    undeclared.manifest =
        undeclared.manifest.replace("    { name = \"weight\", kind = \"float\" },\n", "");
    assert_eq!(failure(undeclared).code, "query_column");
    assert_eq!(code("SELECT \"$patient\" FROM visits"), "query_column");
    assert_eq!(code("SELECT * FROM labs"), "query_table");
    assert_eq!(code("SELECT * FROM information_schema.tables"), "query_table");
}

#[test]
fn invariant_9_patients_are_the_numbers_of_the_run_and_never_their_tokens() {
    for project in 1..4 {
        let mut job = asking("SELECT patient FROM visits LIMIT 1");
        job.order_key = Key::danger_from_bytes(&[project; 32]).unwrap();
        assert_eq!(told(job), ["p0"], "the first that is seen");
    }
    let site = |project| {
        let mut job = asking("SELECT site, count(*) FROM visits GROUP BY site");
        job.data = Arc::new(visits(300).tokens("visits", "site"));
        job.order_key = Key::danger_from_bytes(&[project; 32]).unwrap();
        let found = told(job);
        found.iter().map(|row| row.split(' ').next().unwrap().to_owned()).collect::<Vec<_>>()
    };
    let (one, other) = (site(1), site(2));
    assert!(one.iter().all(|text| text.len() == 32 && !other.contains(text)), "{one:?}");
}

/// What is read counts in the evidence, however little of it is found.
#[test]
fn ag_3_the_patients_of_a_query_are_those_that_it_reads() {
    let some = report(asking("SELECT patient FROM visits WHERE weight > 98"));
    assert_eq!(evidence(&some.outputs[0]).patients, 300);
    assert_eq!(report(asking("SELECT count(*) FROM visits")).usage.rows_read, 750);
    let twice = report(asking("SELECT count(*) FROM visits a JOIN visits b USING (patient)"));
    assert_eq!((twice.usage.rows_read, twice.usage.patients), (1500, 300));
    let mut few = west("SELECT count(*) FROM visits");
    few.limits.cohort_floor = 101;
    assert_eq!(failure(few).code, "cohort_floor");
    let mut none = asking("SELECT 1 WHERE 1 = 0");
    none.limits.cohort_floor = 1;
    assert_eq!(failure(none).code, "cohort_floor");
}

#[test]
fn what_is_no_select_of_the_list_ends_the_run() {
    for (sql, code) in [
        ("SELECT 1; SELECT 2", "query_statement"),
        ("DROP TABLE visits", "query_statement"),
        ("EXPLAIN SELECT 1", "query_statement"),
        ("COPY visits TO 'out.csv'", "query_statement"),
        ("SELECT 1 +", "query_syntax"),
        ("SELECT random()", "query_function"),
        ("SELECT now()", "query_function"),
        ("SELECT * FROM generate_series(1, 3)", "query_construct"),
        ("SELECT weight INTO copy FROM visits", "query_construct"),
        ("SELECT site || site FROM visits", "query_construct"),
        ("SELECT site FROM visits WHERE site ~ 'e.*'", "query_construct"),
        ("SELECT site SIMILAR TO 'e%' FROM visits", "query_construct"),
        ("SELECT median(weight) OVER (ORDER BY weight) FROM visits", "query_function"),
        ("SELECT height FROM visits", "query_column"),
        ("SELECT sum(site) FROM visits", "query_plan"),
        ("SELECT site FROM visits GROUP BY weight", "query_plan"),
    ] {
        assert_eq!(refused(sql), (FailureClass::ContractViolation, code), "{sql}");
    }
    for sql in ["SELECT @@version", "SELECT [1, 2]", "SELECT {'a': 1}", "TABLE visits"] {
        let refused = failure(asking(sql));
        assert_eq!(refused.class, FailureClass::ContractViolation, "{sql}: {}", refused.code);
    }
}

#[test]
fn a_value_that_an_operation_does_not_take_ends_the_run() {
    for sql in [
        "SELECT 1 / count(weight) FROM visits WHERE weight < 0",
        "SELECT CAST(site AS INT) FROM visits",
        "SELECT sum(n) FROM (SELECT 9223372036854775807 AS n FROM visits)",
        "SELECT sum(weight * 1e300) FROM visits",
    ] {
        assert_eq!(refused(sql), (FailureClass::ModuleError, "query_value"), "{sql}");
    }
}

#[test]
fn large_and_deep_queries_end_the_run_and_not_the_runner() {
    let parentheses = format!("SELECT {}1{}", "(".repeat(10_000), ")".repeat(10_000));
    let chain = format!("SELECT 1{}", "+1".repeat(10_000));
    let ctes: String =
        (1..8).map(|n| format!(", t{n} AS (SELECT a.* FROM t{} a, t{0} b)", n - 1)).collect();
    let ctes = format!("WITH t0 AS (SELECT site FROM visits){ctes} SELECT count(*) FROM t7");
    for sql in [&parentheses, &chain, &ctes] {
        assert_eq!(refused(sql), (FailureClass::LimitExceeded, "query_size"), "{}", &sql[..40]);
    }
    // As deep as a query may be.
    assert_eq!(found(&format!("SELECT 1{}", "+1".repeat(490))), ["491"]);
    let or = "weight = 1 OR weight = 2 AND ".repeat(95);
    assert_eq!(found(&format!("SELECT count(*) FROM visits WHERE {or} weight = 3")), ["0"]);
    let case = format!("SELECT {}0{}", "CASE WHEN true THEN ".repeat(40), " END".repeat(40));
    assert_eq!(found(&case).len(), 1);
    let list = "'A00', ".repeat(5_000);
    assert_eq!(
        found(&format!("SELECT count(*) FROM visits WHERE site IN ({list}'west')")),
        ["250"]
    );
}

#[test]
fn a_query_is_bounded_in_number_memory_and_time() {
    let mut many = asking("SELECT 1 AS one");
    set(&mut many, "times", v1::parameter::Value::Integer(257));
    assert_eq!(failure(many).code, "queries");
    let mut kept = asking("SELECT 1 AS one");
    set(&mut kept, "times", v1::parameter::Value::Integer(5));
    set(&mut kept, "keep", v1::parameter::Value::Flag(true));
    assert_eq!(failure(kept).code, "queries_open");
    let cross = "FROM visits a, visits b, visits c";
    for held in [
        format!("SELECT a.patient, b.weight {cross}"),
        format!("SELECT DISTINCT a.patient, b.patient, c.patient, b.weight, c.weight {cross}"),
        format!("SELECT max(n) FROM (SELECT rank() OVER (ORDER BY a.weight) AS n {cross})"),
        format!("SELECT median(a.weight + b.weight * c.weight) {cross}"),
    ] {
        let mut job = asking(&held);
        job.limits.memory_bytes = 24 << 20;
        let failed = failure(job);
        assert_eq!(
            (failed.class, failed.code),
            (FailureClass::LimitExceeded, "query_memory"),
            "{held}"
        );
    }
    let mut long = asking(&format!("SELECT count(*) {cross}, visits d, visits e"));
    long.limits.wall_seconds = 1;
    assert_eq!(failure(long).code, "wall_time");
}

/// Weights of which sums of floats would hang on the order, by day.
fn days(buckets: u32, seed: u64) -> Memory {
    let (mut tokens, mut rows) = (Vec::new(), Vec::new());
    for patient in 0..200_u64 {
        let token = patient.wrapping_mul(0x9e37_79b9_7f4a_7c15 ^ (seed << 1)) | 1;
        for visit in 0..3 {
            let at = patient * 3 + visit;
            let weight = (at as f64 + 0.1) * if at % 2 == 0 { 1e15 } else { 1e-3 };
            rows.push((token, weight, (at % 9) as i32, (at % 2) as u32));
        }
    }
    rows.sort_by_key(|(token, ..)| *token);
    tokens.extend(rows.iter().map(|(token, ..)| *token));
    let weights: ArrayRef = Arc::new(Float64Array::from_iter_values(rows.iter().map(|r| r.1)));
    let days: ArrayRef = Arc::new(Date32Array::from_iter_values(rows.iter().map(|r| r.2)));
    let sites: ArrayRef = Arc::new(UInt32Array::from_iter_values(rows.iter().map(|r| r.3)));
    let columns = vec![
        ("site", ColumnKind::Code, sites),
        ("weight", ColumnKind::Float, weights),
        ("day", ColumnKind::Date, days),
    ];
    Memory::new(buckets).table("visits", &tokens, columns, &[("site", &["east", "west"])])
}

#[test]
fn invariant_9_the_same_bytes_whatever_the_order_of_patients() {
    let sql = "SELECT site, day, sum(weight), avg(weight), stddev(weight), var_pop(weight), \
               count(DISTINCT patient), min(weight), median(weight), \
               CASE WHEN day < CAST('1970-01-05' AS DATE) THEN 'early' ELSE 'late' END, \
               sum(sum(weight)) OVER (ORDER BY day, site ROWS 2 PRECEDING) \
               FROM visits GROUP BY site, day";
    let of = |buckets, seed, project| {
        let mut job = asking(sql);
        job.manifest = job.manifest.replace(
            "    { name = \"weight\", kind = \"float\" },\n",
            "    { name = \"weight\", kind = \"float\" },\n    { name = \"day\", kind = \"date\" },\n",
        );
        job.view = vec![grant("visits", &["site", "weight", "day"])];
        job.data = Arc::new(days(buckets, seed));
        job.order_key = Key::danger_from_bytes(&[project; 32]).unwrap();
        told(job)
    };
    let expected = of(1, 1, 1);
    assert_eq!(expected.len(), 18);
    for (buckets, seed, project) in [(4, 1, 1), (1, 1, 9), (7, 2, 2), (3, 5, 3)] {
        assert_eq!(of(buckets, seed, project), expected, "{buckets} {seed} {project}");
    }
}

#[test]
fn rows_of_one_table_stream_in_the_order_of_readers() {
    let all = found("SELECT patient, weight FROM visits");
    assert_eq!(all.len(), 750);
    let patients: Vec<_> = all.iter().map(|row| row.split(' ').next().unwrap()).collect();
    let mut numbers: Vec<u32> = patients.iter().map(|p| p[1..].parse().unwrap()).collect();
    assert!(numbers.is_sorted(), "first sight, patients together");
    numbers.dedup();
    assert_eq!(numbers.len(), 300);
    // A run that has no memory for all rows at once.
    let mut small = asking("SELECT patient, weight + 1 FROM visits WHERE site = 'east'");
    small.limits.memory_bytes = 4 << 20;
    let Value::Count(rows) = table(&report(small).outputs[0])[0][0] else { panic!() };
    assert_eq!(rows, 500);
}
