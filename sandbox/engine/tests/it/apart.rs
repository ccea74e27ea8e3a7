//! What is one patient's stays that patient's: nothing passes from one to the next, nothing
//! hangs on their order or number of shards, and a failure of one leaves no trace.

use std::collections::BTreeMap;
use std::hint::black_box;
use std::sync::Arc;
use std::sync::atomic::{AtomicBool, Ordering};

use arrow::array::{ArrayRef, Float64Array, UInt32Array};
use prost::Message as _;
use sekisho_hostile::{Lot, World};
use sekisho_module::ColumnKind;
use sekisho_proto::v1;
use sekisho_proto::v1::cell::Value;
use sekisho_vault::Key;

use crate::support::{Heard, Job, Memory, grant, guest, order_key, parameter, report, run, table};

/// A patient's rows: site, weight.
type Rows = Vec<(u32, Option<f64>)>;

fn drawn(seed: u64) -> u64 {
    Lot(seed).draw()
}

/// One to five rows at a site, some without a weight.
fn rows(site: u32, seed: u64) -> Rows {
    let row = |at: u64| {
        let lot = drawn(seed.wrapping_mul(31).wrapping_add(at));
        (site, (!lot.is_multiple_of(5)).then(|| 30.0 + (lot % 9000) as f64 / 100.0))
    };
    (0..1 + drawn(seed) % 5).map(row).collect()
}

/// Patients by token, in a table of that many buckets.
fn people(people: &BTreeMap<u64, Rows>, sites: &[&str], buckets: u32) -> Arc<Memory> {
    let rows = people.iter().flat_map(|(token, rows)| rows.iter().map(move |row| (*token, *row)));
    let (tokens, rows): (Vec<u64>, Rows) = rows.unzip();
    let site = UInt32Array::from_iter_values(rows.iter().map(|(site, _)| *site));
    let weight: Float64Array = rows.iter().map(|(_, weight)| *weight).collect();
    let columns: Vec<(&str, ColumnKind, ArrayRef)> = vec![
        ("site", ColumnKind::Code, Arc::new(site)),
        ("weight", ColumnKind::Float, Arc::new(weight)),
    ];
    Arc::new(Memory::new(buckets).table("visits", &tokens, columns, &[("site", sites)]))
}

fn job(module: &str, manifest: String, data: Arc<Memory>) -> Job {
    Job {
        component: sekisho_hostile::module(World::PerPatient, module),
        manifest,
        parameters: Vec::new(),
        view: vec![grant("visits", &["site", "weight"])],
        bring_ins: Vec::new(),
        data,
        limits: v1::RunLimits { min_cell: 1, ..v1::RunLimits::default() },
        order_key: order_key(),
        dummy: false,
    }
}

fn outputs(job: Job) -> Vec<Vec<u8>> {
    report(job).outputs.iter().map(v1::CheckedOutput::encode_to_vec).collect()
}

#[test]
fn what_one_patient_contributes_hangs_on_no_other_patient() {
    const PATIENTS: u32 = 40;
    let sites: Vec<String> = (0..PATIENTS).map(|site| format!("s{site}")).collect();
    let sites: Vec<&str> = sites.iter().map(String::as_str).collect();
    let manifest = format!(
        "name = \"reveals\"\ntitle = \"Reveals\"\nworld = \"per-patient\"\n\
         [[tables]]\nname = \"visits\"\ncolumns = [\n\
         {{ name = \"site\", kind = \"code\", codes = {sites:?} }},\n\
         {{ name = \"weight\", kind = \"float\" }}]\n\
         [[outputs]]\nname = \"hash\"\ntitle = \"Hash\"\nkind = \"sum\"\n\
         clamp = [0.0, 100000.0]\nkeys = [{{ name = \"site\", labels = {sites:?} }}]\n"
    );
    // Each patient has a site of their own, so each row of the output is one patient's.
    let contributed = |all: &BTreeMap<u64, Rows>| {
        let data = people(all, &sites, 4);
        table(&report(job("reveals", manifest.clone(), data)).outputs[0])
    };
    let token = |patient: u32| drawn(u64::from(patient));
    let all: BTreeMap<u64, Rows> =
        (0..PATIENTS).map(|p| (token(p), rows(p, u64::from(p)))).collect();
    let before = contributed(&all);
    let different: std::collections::BTreeSet<_> =
        before.iter().map(|row| format!("{:?}", row[2])).collect();
    assert!(different.len() > 35, "the hashes say little: {before:?}");
    for round in 0..60_u64 {
        let other = (round * 7 % u64::from(PATIENTS)) as u32;
        let mut changed = all.clone();
        match round % 3 {
            0 => drop(changed.remove(&token(other))),
            _ => drop(changed.insert(token(other), rows(other, 1000 + round))),
        }
        if changed == all {
            continue;
        }
        let mut after = contributed(&changed);
        assert_ne!(after[other as usize], before[other as usize], "the change is not seen");
        after[other as usize].clone_from(&before[other as usize]);
        assert_eq!(after, before, "round {round}");
    }
}

#[test]
fn invariant_9_outputs_hang_on_neither_order_nor_shards_nor_tokens() {
    const PATIENTS: u64 = 300;
    // An odd factor gives every patient another token, in another order and bucket.
    let keyed = |factor: u64| -> BTreeMap<u64, Rows> {
        (0..PATIENTS)
            .map(|p| (drawn(p).wrapping_mul(factor), rows((p % 3 == 2).into(), p)))
            .collect()
    };
    let spread = |factor, buckets, _: u8| {
        let data = people(&keyed(factor), &["east", "west"], buckets);
        outputs(job("spreads", World::PerPatient.manifest(), data))
    };
    let (component, manifest) = guest("columns");
    let read = |factor, buckets, key| {
        let data = people(&keyed(factor), &["east", "west"], buckets);
        let columns = job("spreads", manifest.clone(), data);
        let order_key = Key::danger_from_bytes(&[key; 32]).unwrap();
        outputs(Job { component: component.clone(), order_key, ..columns })
    };
    let (host, claims) = (spread(1, 4, 0), read(1, 4, 1));
    assert_eq!((host.len(), claims.len()), (4, 3));
    for (factor, buckets, key) in [
        (1, 1, 2),
        (1, 16, 3),
        (0x9e37_79b9_7f4a_7c15, 4, 1),
        (0xd1b5_4a32_d192_ed03, 7, 4),
        (0xbf58_476d_1ce4_e5b9, 64, 5),
    ] {
        assert_eq!(spread(factor, buckets, key), host, "{factor:x} in {buckets} buckets");
        assert_eq!(read(factor, buckets, key), claims, "{factor:x} in {buckets} buckets");
    }
}

/// How many patients found their instance as in its image, how many did not, and how many
/// calls ended in the trap that they were meant to end in.
fn poisoned(patients: u64) -> [Value; 3] {
    let labels = "labels = [\"east\", \"west\"] }]\ndefault = { keys = [1] }";
    let asked = "labels = [\"clean\", \"poisoned\", \"trapped\"] }]\ndefault = { keys = [2] }";
    let manifest = World::PerPatient.manifest();
    assert!(manifest.contains(labels));
    let all = (0..patients).map(|p| (drawn(p), rows((p % 4 == 3).into(), p))).collect();
    let data = people(&all, &["east", "west"], 4);
    let job = job("poisons", manifest.replace(labels, asked), data);
    let rows = table(&report(job).outputs[0]);
    [0, 1, 2].map(|row| rows[row][1].clone())
}

#[test]
fn every_patient_finds_an_instance_as_in_its_image() {
    let found = poisoned(3000);
    assert_eq!(found, [Value::Count(2250), Value::Count(0), Value::Count(750)]);
}

/// A neighbour takes and gives back memory all the while, so that pages that were given back
/// come again. Memory that was swapped out is not part of this: the jail locks it.
#[test]
fn every_patient_finds_an_instance_as_in_its_image_under_memory_pressure() {
    let done = AtomicBool::new(false);
    std::thread::scope(|scope| {
        scope.spawn(|| {
            while !done.load(Ordering::Relaxed) {
                drop(black_box(vec![0x5a_u8; 32 << 20]));
            }
        });
        let found = poisoned(1000);
        done.store(true, Ordering::Relaxed);
        assert_eq!(found, [Value::Count(750), Value::Count(0), Value::Count(250)]);
    });
}

/// The patient for whom the module does what it is told.
const THE_ONE: f64 = 77.25;

/// Everything that comes of a run: outputs, figures but for the duration, progress, and the
/// text of it all.
fn all_of(how: i64) -> (Vec<Vec<u8>>, String, Vec<u32>) {
    let mut all: BTreeMap<u64, Rows> =
        (0..60_u64).map(|p| (drawn(p), rows((p % 3 == 2).into(), p))).collect();
    all.insert(drawn(17), vec![(0, Some(THE_ONE)), (0, None)]);
    let data = people(&all, &["east", "west"], 4);
    let manifest = World::PerPatient.manifest().replace("max = 1", "max = 5");
    let mut job = job("fails_for_one", manifest, data);
    job.parameters = vec![parameter("secret", v1::parameter::Value::Integer(how))];
    job.limits.fuel = 3_000_000;
    let mut heard = Heard::default();
    let mut report = run(job, &mut heard).unwrap();
    report.usage.wall_millis = 0;
    let outputs = report.outputs.iter().map(v1::CheckedOutput::encode_to_vec).collect();
    (outputs, format!("{report:?}"), heard.0)
}

#[test]
fn invariant_10_a_failure_of_one_patient_leaves_no_trace() {
    let given = all_of(0);
    for (how, what) in
        (1..).zip(["a trap", "a loop", "all memory", "a recursion", "an answer outside"])
    {
        assert_eq!(all_of(how), given, "{what}");
    }
}
