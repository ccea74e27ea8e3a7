//! Synthetic visits of any number of patients: integers only, so that every machine makes
//! the same rows and any part of them can be made alone.

use std::ops::Range;
use std::sync::Arc;

use arrow::array::{
    ArrayRef, Date32Array, Float64Array, Int64Array, RecordBatch, StringArray, UInt64Array,
};
use arrow::datatypes::SchemaRef;

/// The profile of the table; also what `sekisho-ingest csv` seals it under.
pub(crate) const PROFILE: &str = r#"
id = "visits"
title = { ja = "合成受診", en = "Synthetic visits" }
description = { ja = "計測用の合成データ。", en = "Made-up visits to measure with." }
source = "tests/benches/figures/scale.rs"
licence = "CC0-1.0"

[[tables]]
name = "visits"
description = { ja = "受診", en = "Visits" }
columns = [
  { name = "patient", kind = "patient", description = { ja = "患者", en = "Patient" } },
  { name = "site", kind = "code", description = { ja = "施設", en = "Site" }, dummy = { weights = { s000 = 2, s001 = 1 } } },
  { name = "weight", kind = "float", unit = "kg", nullable = true, description = { ja = "体重", en = "Weight" }, dummy = { normal = [60, 10], min = 30, max = 150, decimals = 1, missing = 0.03 } },
  { name = "day", kind = "date", description = { ja = "受診日", en = "Day" }, dummy = { dates = ["2020-01-01", "2024-12-31"] } },
  { name = "days", kind = "int", unit = "day", description = { ja = "日数", en = "Days" }, dummy = { uniform = [1, 16] } },
]
"#;

/// Name of the one table.
pub(crate) const TABLE: &str = "visits";
/// Its columns besides the patient's.
pub(crate) const COLUMNS: [&str; 4] = ["site", "weight", "day", "days"];
/// Sites, from common to rare.
pub(crate) const SITES: u64 = 64;

/// Columns of a wide visit besides the patient's.
const WIDE: usize = 19;
/// Numbers between the patients whose values two copies of a column take.
const APART: u64 = 1 << 40;

/// How many rows a patient has.
#[derive(Clone, Copy)]
pub(crate) enum Rows {
    /// From 0 to 120, 24 on average.
    Varying,
    /// Always as many.
    Exactly(u64),
}

const SEED: u64 = 20_260_101;
const STEPS: [u64; 3] = [0x9e37_79b9_7f4a_7c15, 0xbf58_476d_1ce4_e5b9, 0x94d0_49bb_1331_11eb];
/// Sixteenths of patients with so many rows.
const SIXTEENTHS: [u64; 16] = [0, 1, 2, 3, 5, 7, 9, 12, 15, 18, 22, 27, 34, 45, 65, 120];
/// 2020-01-01 as days since 1970-01-01, and how many days follow it.
const DAYS: (i32, u64) = (18_262, 1826);

/// What is drawn for a patient or a row; each has numbers of its own.
#[derive(Clone, Copy)]
enum Draw {
    Token = 1,
    Rows,
    Site,
    Level,
    Noise,
    Missing,
    Day,
    Days,
}

/// Rows of patients, numbered from 0, in the source schema of the table: codes as texts.
pub(crate) fn visits(
    schema: SchemaRef,
    patients: Range<u64>,
    rows: Rows,
) -> anyhow::Result<RecordBatch> {
    let mut columns = Columns::default();
    let cumulated = cumulated();
    for patient in patients {
        for row in 0..rows_of(patient, rows) {
            columns.push(patient, row, &cumulated);
        }
    }
    Ok(RecordBatch::try_new(schema, columns.arrays())?)
}

/// Columns of a wide visit besides the patient's: what a visit has, again and again.
pub(crate) fn wide_columns() -> Vec<String> {
    let copies = (0..).flat_map(|copy| COLUMNS.map(|name| format!("{name}_{copy}")));
    copies.take(WIDE).collect()
}

/// The profile of the table of wide visits.
pub(crate) fn wide_profile() -> String {
    let is_column = |line: &str| line.starts_with("  { name");
    let (head, rest): (Vec<_>, Vec<_>) = PROFILE.lines().partition(|line| !is_column(line));
    let [patient, own @ ..] = rest.as_slice() else { return String::new() };
    let names = wide_columns();
    let columns = names.iter().zip(own.iter().cycle()).map(|(name, line)| {
        let quoted = line.find(',').unwrap_or_default();
        format!("  {{ name = \"{name}\"{}", line.get(quoted..).unwrap_or_default())
    });
    let columns: Vec<_> = std::iter::once((*patient).to_owned()).chain(columns).collect();
    head.join("\n").replace("columns = [", &format!("columns = [\n{}", columns.join("\n")))
}

/// Rows of patients with all columns of a wide visit, 24 rows each.
pub(crate) fn wide_visits(schema: SchemaRef, patients: Range<u64>) -> anyhow::Result<RecordBatch> {
    let cumulated = cumulated();
    let copies = WIDE.div_ceil(COLUMNS.len()) as u64;
    let mut arrays: Vec<ArrayRef> = Vec::new();
    for copy in 0..copies {
        let mut columns = Columns::default();
        for patient in patients.clone() {
            (0..24).for_each(|row| columns.push(patient + copy * APART, row, &cumulated));
        }
        let columns = columns.arrays();
        arrays.extend(columns.into_iter().skip(usize::from(copy > 0)));
    }
    arrays.truncate(1 + WIDE);
    Ok(RecordBatch::try_new(schema, arrays)?)
}

#[derive(Default)]
struct Columns {
    tokens: Vec<u64>,
    sites: Vec<u64>,
    weights: Vec<Option<f64>>,
    days: Vec<i32>,
    lengths: Vec<i64>,
}

impl Columns {
    fn arrays(self) -> Vec<ArrayRef> {
        let sites = self.sites.iter().map(|site| format!("s{site:03}"));
        vec![
            Arc::new(UInt64Array::from(self.tokens)),
            Arc::new(StringArray::from_iter_values(sites)),
            Arc::new(Float64Array::from(self.weights)),
            Arc::new(Date32Array::from(self.days)),
            Arc::new(Int64Array::from(self.lengths)),
        ]
    }

    fn push(&mut self, patient: u64, row: u64, cumulated: &[u64]) {
        let drawn = |what| draw(patient, what, row);
        let total = cumulated.last().copied().unwrap_or(1);
        let at = below(drawn(Draw::Site), total);
        let site = cumulated.partition_point(|end| *end <= at) as u64;
        // Three parts the patient's own level at that site, one part noise.
        let level = draw(patient, Draw::Level, site) >> 56;
        let step = (3 * level + (drawn(Draw::Noise) >> 56)) >> 2;
        let tenths = 300 + 10 * (site * 7 % 50) + (1 + site % 5) * step;
        self.tokens.push(draw(patient, Draw::Token, 0));
        self.sites.push(site);
        let missing = drawn(Draw::Missing) >> 59 == 0;
        self.weights.push((!missing).then_some(tenths as f64 / 10.0));
        self.days.push(DAYS.0 + below(drawn(Draw::Day), DAYS.1) as i32);
        self.lengths.push(1 + (drawn(Draw::Days) >> 60) as i64);
    }
}

fn rows_of(patient: u64, rows: Rows) -> u64 {
    match rows {
        Rows::Exactly(rows) => rows,
        Rows::Varying => {
            let sixteenth = draw(patient, Draw::Rows, 0) >> 60;
            SIXTEENTHS.get(sixteenth as usize).copied().unwrap_or_default()
        }
    }
}

/// Sites are drawn in proportion to 1, 1/2, 1/3 and so on.
fn cumulated() -> Vec<u64> {
    let shares = (1..=SITES).map(|rank| 65_536 / rank);
    shares
        .scan(0, |sum, share| {
            *sum += share;
            Some(*sum)
        })
        .collect()
}

fn draw(patient: u64, what: Draw, number: u64) -> u64 {
    let [first, second, third] = STEPS;
    let patient = mix(SEED.wrapping_add(patient.wrapping_mul(first)));
    let stream = mix(patient.wrapping_add((what as u64).wrapping_mul(second)));
    mix(stream.wrapping_add(number.wrapping_mul(third)))
}

/// The finaliser of splitmix64 (Steele, Lea and Flood 2014).
fn mix(mut state: u64) -> u64 {
    let [_, second, third] = STEPS;
    state = (state ^ (state >> 30)).wrapping_mul(second);
    state = (state ^ (state >> 27)).wrapping_mul(third);
    state ^ (state >> 31)
}

fn below(random: u64, end: u64) -> u64 {
    ((u128::from(random) * u128::from(end)) >> 64) as u64
}
