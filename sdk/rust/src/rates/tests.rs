use super::*;

/// Made up; events, person-years, standard population, its deaths per person-year.
const BANDS: [(f64, f64, f64, f64); 5] = [
    (2.0, 8000.0, 30_000.0, 0.0003),
    (6.0, 9500.0, 35_000.0, 0.0008),
    (21.0, 7200.0, 30_000.0, 0.002),
    (55.0, 5100.0, 20_000.0, 0.008),
    (40.0, 1900.0, 8000.0, 0.02),
];

fn close(found: f64, expected: f64, to: f64) -> bool {
    (found / expected - 1.0).abs() < to
}

fn near(found: Option<Limits>, estimate: f64, lower: f64, upper: f64) {
    let found = found.unwrap();
    let pairs = [(found.estimate, estimate), (found.lower, lower), (found.upper, upper)];
    assert!(pairs.iter().all(|(a, b)| close(*a, *b, 1e-10)), "{found:?}");
}

#[test]
fn quantiles_are_those_of_scipy() {
    // scipy.stats.gamma.ppf of SciPy 1.17.1.
    let known = [
        (0.025, 0.5, 0.000_491_034_558_587_627_8),
        (0.025, 1.0, 0.025_317_807_984_289_876),
        (0.975, 1.0, 3.688_879_454_113_935_4),
        (0.025, 12.0, 6.200_575_108_722_218),
        (0.975, 13.0, 20.961_585_048_176_96),
        (0.025, 1_000.0, 938.973_018_407_695_2),
        (0.975, 1_001.0, 1_063.952_136_016_302),
        (0.025, 250_000.5, 249_021.464_524_339_4),
    ];
    for (level, shape, expected) in known {
        let found = gamma::quantile(level, shape);
        assert!(close(found, expected, 1e-11), "{level} of {shape}: {found}, not {expected}");
    }
}

/// As R gives by its definition, `qgamma(0.025, y^2 / v, scale = v / y)` and so on (epitools'
/// `ageadjust.direct`); the numbers are SciPy's.
#[test]
fn a_direct_rate_has_the_limits_of_fay_and_feuer() {
    let strata = BANDS.map(|(events, time, standard, _)| Stratum { events, time, standard });
    near(
        direct(&strata),
        0.004_074_899_108_124_209,
        0.003_388_774_547_775_914_7,
        0.004_860_709_675_201_05,
    );
}

/// `poisson.test(124, 103.2)` in R; the numbers are SciPy's gamma quantiles.
#[test]
fn a_mortality_ratio_has_exact_limits() {
    let strata = BANDS.map(|(events, time, _, standard)| Stratum { events, time, standard });
    near(
        indirect(&strata),
        1.201_550_387_596_899_1,
        0.999_387_446_812_670_4,
        1.432_599_942_726_677_1,
    );
}

#[test]
fn without_events_only_the_upper_limit_says_something() {
    let quiet = [Stratum { events: 0.0, time: 100.0, standard: 0.01 }];
    // Nobody of those expected: -ln(0.025).
    let found = indirect(&quiet).unwrap();
    assert_eq!((found.estimate, found.lower), (0.0, 0.0));
    assert!(close(found.upper, 3.688_879_454_113_936, 1e-11), "{found:?}");
    let found = direct(&quiet).unwrap();
    assert_eq!((found.estimate, found.lower), (0.0, 0.0));
    assert!(close(found.upper, 0.036_888_794_541_139_36, 1e-11), "{found:?}");
}

#[test]
fn what_makes_no_rate_gives_none() {
    let band = Stratum { events: 1.0, time: 10.0, standard: 1.0 };
    for wrong in [
        Stratum { time: 0.0, ..band },
        Stratum { events: -1.0, ..band },
        Stratum { standard: f64::NAN, ..band },
    ] {
        assert_eq!(direct(&[band, wrong]), None, "{wrong:?}");
    }
    assert_eq!((direct(&[]), indirect(&[])), (None, None));
    assert_eq!(indirect(&[Stratum { standard: 0.0, ..band }]), None);
}
