//! The order in which patients come, and so how they are sharded, changes no bit.

use proptest::prelude::*;
use prost::Message;

use super::*;

const KINDS: &str = r#"
[[outputs]]
name = "count"
title = "C"
kind = "count"
keys = [{ name = "a", labels = ["x", "y"] }]
suppress_small = true
[[outputs]]
name = "sum"
title = "S"
kind = "sum"
clamp = [0.0, 50.0]
[[outputs]]
name = "histogram"
title = "H"
kind = "histogram"
edges = [0.0, 10.0, 20.0]
[[outputs]]
name = "quantile"
title = "Q"
kind = "quantile"
clamp = [0.0, 50.0]
probabilities = [0.25, 0.5, 0.75]
keys = [{ name = "a", labels = ["x", "y"] }]
[[outputs]]
name = "contingency"
title = "T"
kind = "contingency"
keys = [{ name = "a", labels = ["x", "y"] }, { name = "b", labels = ["p", "q", "r"] }]
stratum = { name = "s", labels = ["s", "t"] }
[[outputs]]
name = "survival"
title = "K"
kind = "survival"
compare = true
keys = [{ name = "a", labels = ["x", "y"] }]
stratum = { name = "s", labels = ["s", "t"] }
[[outputs]]
name = "incidence"
title = "I"
kind = "survival"
causes = ["death", "transplant"]
keys = [{ name = "a", labels = ["x", "y"] }]
"#;

#[derive(Clone, Debug)]
struct Person {
    keys: [u32; 3],
    value: f64,
    time: f64,
    event: u8,
}

fn answer(person: &Person) -> Vec<Contribution> {
    let [a, b, s] = person.keys;
    let event = f64::from(person.event);
    vec![
        given(0, &[a], &[]),
        given(1, &[], &[person.value]),
        given(2, &[], &[person.value]),
        given(3, &[a], &[person.value]),
        given(4, &[a, b, s], &[]),
        given(5, &[a, s], &[person.time, event.min(1.0)]),
        given(6, &[a], &[person.time, event]),
    ]
}

fn bytes(people: &[Person]) -> Vec<Vec<u8>> {
    let mut made = aggregates(KINDS);
    for person in people {
        made.accept(&answer(person)).unwrap();
    }
    let finished = made.finish(5).into_iter();
    finished.flat_map(|(output, known)| [output.encode_to_vec(), known.encode_to_vec()]).collect()
}

fn person() -> impl Strategy<Value = Person> {
    // Times and values with ties and without.
    let time = prop_oneof![(0_u8..20).prop_map(f64::from), 0.0..20.0_f64];
    let value = prop_oneof![(0_u8..60).prop_map(f64::from), -10.0..60.0_f64];
    let keys = (0_u32..2, 0_u32..3, 0_u32..2);
    (keys, value, time, 0_u8..3).prop_map(|((a, b, s), value, time, event)| Person {
        keys: [a, b, s],
        value,
        time,
        event,
    })
}

proptest! {
    #[test]
    fn invariant_9_permuting_patients_changes_no_bit(
        (people, permuted) in prop::collection::vec(person(), 0..120).prop_flat_map(|people| {
            (Just(people.clone()), Just(people).prop_shuffle())
        })
    ) {
        prop_assert_eq!(bytes(&people), bytes(&permuted));
    }
}
