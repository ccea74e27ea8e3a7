use wasmtime::component::Component;

use super::*;

/// Every switch of wasmtime as it stands, so that an update that turns something on shows as
/// a difference in review. To accept one: `UPDATE_GOLDEN=1 cargo test -p sekisho-engine golden`.
#[test]
fn invariant_2_the_configuration_is_the_reviewed_one() {
    let file = concat!(env!("CARGO_MANIFEST_DIR"), "/tests/golden/wasmtime-config.txt");
    let (fuel, epoch) = (config(Meter::Fuel, 64 << 20), config(Meter::Epoch, 64 << 20));
    let shown = format!(
        "# per-patient world, and cohort world with fuel\n{}\n# cohort world without fuel\n{}\n\
         # instance pool\n{:#?}\n",
        switches(&fuel),
        switches(&epoch).lines().filter(|l| !switches(&fuel).contains(l)).collect::<String>(),
        pool(64 << 20),
    );
    if std::env::var_os("UPDATE_GOLDEN").is_some() {
        std::fs::write(file, &shown).unwrap();
    }
    assert_eq!(std::fs::read_to_string(file).unwrap(), shown, "see the comment of this test");
}

/// One switch a line. The compiler's settings stand in a hash map, so they are sorted.
fn switches(config: &Config) -> String {
    let shown = format!("{config:?}");
    let (head, rest) = shown.split_once("settings: {").unwrap();
    let (settings, tail) = rest.split_once('}').unwrap();
    let mut settings: Vec<&str> =
        settings.split("), ").map(|entry| entry.trim_end_matches(')')).collect();
    settings.sort_unstable();
    let lines = |text: &str| text.replace(", ", ",\n");
    format!("{}settings: {}{}\n", lines(head), settings.join("; "), lines(tail))
}

/// Each uses one feature that must be off, whatever the golden file says.
const SWITCHED_OFF: [(&str, &str); 11] = [
    ("threads", "(core module (memory 1 2 shared))"),
    ("memory64", "(core module (memory i64 1))"),
    ("multi-memory", "(core module (memory 1) (memory 1))"),
    ("tail calls", "(core module (func $f return_call $f))"),
    ("exceptions", "(core module (tag))"),
    ("gc", "(core module (type (struct)))"),
    ("function references", "(core module (func (param (ref func))))"),
    (
        "relaxed simd",
        "(core module (func (drop (i8x16.relaxed_swizzle \
        (v128.const i64x2 0 0) (v128.const i64x2 0 0)))))",
    ),
    ("custom page sizes", "(core module (memory 1 (pagesize 1)))"),
    (
        "async",
        "(core module $m (func (export \"f\") (result i32) unreachable)) \
        (core instance $i (instantiate $m)) \
        (func (export \"f\") async (canon lift (core func $i \"f\") async))",
    ),
    ("error contexts", "(core func (canon error-context.drop))"),
];

#[test]
fn invariant_2_components_with_other_features_do_not_compile() {
    for meter in [Meter::Fuel, Meter::Epoch] {
        let engine = engine(meter, 1 << 20).unwrap();
        for (feature, body) in SWITCHED_OFF {
            let bytes = wat::parse_str(format!("(component {body})")).unwrap();
            assert!(Component::new(&engine, &bytes).is_err(), "{feature}");
        }
        let plain = wat::parse_str("(component (core module (memory 1)))").unwrap();
        assert!(Component::new(&engine, plain).is_ok());
    }
}

#[test]
fn growth_beyond_the_bound_is_refused_and_remembered() {
    let mut bounds = Bounds::new(1 << 20);
    assert!(bounds.memory_growing(0, 1 << 20, None).unwrap());
    assert!(!bounds.refused);
    assert!(!bounds.memory_growing(1 << 20, (1 << 20) + 1, None).unwrap());
    assert!(bounds.refused);
    assert_eq!(bounds.peak_memory, 1 << 20);
}
