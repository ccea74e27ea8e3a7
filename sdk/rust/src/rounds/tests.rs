use super::*;

/// Rows of the public lung data (`tests/data`) that have all of these.
fn lung(columns: &[&str]) -> Vec<Vec<f64>> {
    let text = include_str!("../../../../tests/data/lung.csv");
    let mut lines = text.lines().map(|line| line.split(',').map(|cell| cell.trim_matches('"')));
    let header: Vec<&str> = lines.next().unwrap().collect();
    let at: Vec<usize> =
        columns.iter().map(|c| header.iter().position(|h| h == c).unwrap()).collect();
    let row = |line: Vec<&str>| at.iter().map(|at| line[*at].parse().ok()).collect();
    lines.filter_map(|line| row(line.collect())).collect()
}

/// What the host does with a vector, but for its exactness.
fn sums(contributed: impl Iterator<Item = Vec<f64>>) -> Sums {
    contributed.fold(Sums::default(), |mut total, one| {
        total.sums.resize(one.len(), 0.0);
        total.sums.iter_mut().zip(one).for_each(|(sum, value)| *sum += value);
        total.patients += 1;
        total
    })
}

/// A subject's stratum and contribution.
type Subject = (usize, Vec<f64>);

/// What the host does with a partial likelihood, by its definition: every risk set summed anew.
fn likelihood(rows: &[Subject], efron: bool) -> Likelihood {
    let p = rows[0].1.len() - 3;
    let mut made = Likelihood {
        score: vec![0.0; p],
        information: vec![0.0; triangle(p)],
        patients: rows.len() as u64,
        ..Likelihood::default()
    };
    let sum = |at: &dyn Fn(&Subject) -> bool| {
        rows.iter().filter(|row| at(row)).fold(vec![0.0; 1 + p + triangle(p)], |mut sums, row| {
            let (weight, x) = (row.1[2].exp(), &row.1[3..]);
            let one = std::iter::once(1.0).chain(x.iter().copied());
            let one = one.chain(products(x, 1.0)).map(|value| value * weight);
            sums.iter_mut().zip(one).for_each(|(sum, value)| *sum += value);
            sums
        })
    };
    for (at, (stratum, row)) in rows.iter().enumerate().filter(|(_, (_, row))| row[1] == 1.0) {
        let tied =
            |other: &Subject| other.0 == *stratum && other.1[0] == row[0] && other.1[1] == 1.0;
        let risk = sum(&|other| other.0 == *stratum && other.1[0] >= row[0]);
        let before = rows[..at].iter().filter(|other| tied(other)).count() as f64;
        let part =
            if efron { before / rows.iter().filter(|r| tied(r)).count() as f64 } else { 0.0 };
        let left: Vec<f64> = risk.iter().zip(sum(&tied)).map(|(r, d)| r - part * d).collect();
        let mean: Vec<f64> = left[1..=p].iter().map(|s| s / left[0]).collect();
        made.events += 1;
        made.log_likelihood += row[2] - left[0].ln();
        for (score, difference) in made.score.iter_mut().zip(centred(&row[3..], &mean)) {
            *score += difference;
        }
        let spread = left[1 + p..].iter().zip(products(&mean, 1.0)).map(|(s, m)| s / left[0] - m);
        made.information.iter_mut().zip(spread).for_each(|(sum, value)| *sum += value);
    }
    made
}

/// Plays rounds until the model is done; says how many it took.
fn rounds(mut reduce: impl FnMut(&[f64]) -> Step<Vec<Coefficient>>) -> (Vec<Coefficient>, u32) {
    let mut state = Vec::new();
    for round in 1..=50 {
        match reduce(&state) {
            Step::Next(next) => state = next,
            Step::Done(estimates) => return (estimates, round),
        }
        assert!(state.len() <= 4096 && state.iter().all(|value| value.is_finite()));
    }
    panic!("the model never ends");
}

fn cox(columns: &[&str], strata: bool, efron: bool) -> (Vec<Coefficient>, u32) {
    let rows = lung(columns);
    let first = if strata { 3 } else { 2 };
    let model = Cox::new(columns.len() - first);
    rounds(|state| {
        let contributed = rows.iter().map(|row| {
            let stratum = if strata { row[2] as usize } else { 0 };
            (stratum, model.contribute(state, row[0], row[1] == 2.0, &row[first..]))
        });
        model.reduce(state, &likelihood(&contributed.collect::<Vec<_>>(), efron))
    })
}

/// Estimates and standard errors to nine digits of the larger.
fn near(found: &[Coefficient], expected: &[(f64, f64)]) {
    assert_eq!(found.len(), expected.len());
    for (found, (estimate, error)) in found.iter().zip(expected) {
        assert!((found.estimate - estimate).abs() < 1e-9 * estimate.abs(), "{found:?}");
        assert!((found.standard_error - error).abs() < 1e-9 * error, "{found:?}");
    }
}

/// `coxph(Surv(time, status) ~ age + sex + ph.ecog, lung)` in R prints 0.011067, -0.552612 and
/// 0.463728, with standard errors 0.009267, 0.167739 and 0.113577; further digits from
/// statsmodels 0.15.0, `PHReg(ties="efron")`.
#[test]
fn cox_with_efrons_ties_is_that_of_r() {
    let (found, rounds) = cox(&["time", "status", "age", "sex", "ph.ecog"], false, true);
    near(
        &found,
        &[
            (0.011_066_764_596_118_58, 0.009_267_411_014_365_796),
            (-0.552_612_395_531_838_2, 0.167_739_053_783_422_24),
            (0.463_728_475_115_732_45, 0.113_577_266_161_371_2),
        ],
    );
    assert!(rounds <= 8, "{rounds} rounds");
}

/// statsmodels 0.15.0, `PHReg(ties="breslow")`.
#[test]
fn cox_with_breslows_ties_is_that_of_statsmodels() {
    let (found, _) = cox(&["time", "status", "age", "sex", "ph.ecog"], false, false);
    near(
        &found,
        &[
            (0.011_041_136_385_707_365, 0.009_266_770_114_202_367),
            (-0.551_889_569_637_654_2, 0.167_742_448_017_827_67),
            (0.462_947_040_334_550_2, 0.113_574_052_060_579_63),
        ],
    );
}

/// `coxph(... + strata(sex))`: lifelines 0.30.3 gives 0.0105663 and 0.4624244; further digits
/// from Newton's method written down once more in Python.
#[test]
fn cox_with_strata_is_that_of_lifelines() {
    let columns = ["time", "status", "sex", "age", "ph.ecog"];
    near(
        &cox(&columns, true, true).0,
        &[
            (0.010_566_254_601_026_425, 0.009_241_373_893_093_735),
            (0.462_424_434_358_576_5, 0.114_761_097_854_802_62),
        ],
    );
    near(
        &cox(&columns, true, false).0,
        &[
            (0.010_552_022_804_465_305, 0.009_240_448_552_853_341),
            (0.462_002_235_809_646_3, 0.114_753_214_031_190_93),
        ],
    );
}

/// `glm(status == 2 ~ age + sex + ph.ecog, binomial, lung)`: statsmodels 0.15.0, `Logit`.
#[test]
fn logistic_regression_is_that_of_statsmodels() {
    let rows = lung(&["status", "age", "sex", "ph.ecog"]);
    let model = Logistic::new(3);
    let (found, rounds) = rounds(|state| {
        let cell = |event: bool| {
            let those = rows.iter().filter(|row| (row[0] == 2.0) == event);
            sums(those.map(|row| model.contribute(state, event, &row[1..])))
        };
        model.reduce(state, &[cell(false), cell(true)])
    });
    near(
        &found,
        &[
            (0.563_440_387_534_928_5, 1.223_003_857_944_022),
            (0.021_227_690_986_877_237, 0.017_662_858_942_552_456),
            (-1.082_446_648_934_424_7, 0.319_102_091_357_567_5),
            (0.754_181_511_118_963_5, 0.237_535_391_692_435_48),
        ],
    );
    assert!(rounds <= 9, "{rounds} rounds");
}

fn linear(rows: &[Vec<f64>]) -> Vec<Coefficient> {
    let model = Linear::new(rows[0].len() - 1);
    let fitted = rounds(|state| {
        model.reduce(state, &sums(rows.iter().map(|r| model.contribute(state, r[0], &r[1..]))))
    });
    assert_eq!(fitted.1, 2);
    fitted.0
}

/// `lm(wt.loss ~ age + sex + ph.ecog + meal.cal, lung)`: statsmodels 0.15.0, `OLS`.
#[test]
fn linear_regression_is_that_of_statsmodels() {
    let rows = lung(&["wt.loss", "age", "sex", "ph.ecog", "meal.cal"]);
    near(
        &linear(&rows),
        &[
            (24.936_967_404_953_712, 9.219_371_181_220_47),
            (-0.093_244_154_913_217_82, 0.117_285_950_065_115_05),
            (-5.778_022_139_903_27, 2.106_458_621_693_024_6),
            (3.073_971_240_987_872, 1.413_196_502_585_660_8),
            (-0.004_651_969_399_046_98, 0.002_551_206_352_186_716_7),
        ],
    );
}

/// The Longley data of the Statistical Reference Datasets of NIST, the test of least squares
/// with covariates that nearly determine each other, with its certified values.
#[test]
fn linear_regression_passes_longleys_test() {
    let rows: [[f64; 7]; 16] = [
        [60323.0, 83.0, 234289.0, 2356.0, 1590.0, 107608.0, 1947.0],
        [61122.0, 88.5, 259426.0, 2325.0, 1456.0, 108632.0, 1948.0],
        [60171.0, 88.2, 258054.0, 3682.0, 1616.0, 109773.0, 1949.0],
        [61187.0, 89.5, 284599.0, 3351.0, 1650.0, 110929.0, 1950.0],
        [63221.0, 96.2, 328975.0, 2099.0, 3099.0, 112075.0, 1951.0],
        [63639.0, 98.1, 346999.0, 1932.0, 3594.0, 113270.0, 1952.0],
        [64989.0, 99.0, 365385.0, 1870.0, 3547.0, 115094.0, 1953.0],
        [63761.0, 100.0, 363112.0, 3578.0, 3350.0, 116219.0, 1954.0],
        [66019.0, 101.2, 397469.0, 2904.0, 3048.0, 117388.0, 1955.0],
        [67857.0, 104.6, 419180.0, 2822.0, 2857.0, 118734.0, 1956.0],
        [68169.0, 108.4, 442769.0, 2936.0, 2798.0, 120445.0, 1957.0],
        [66513.0, 110.8, 444546.0, 4681.0, 2637.0, 121950.0, 1958.0],
        [68655.0, 112.6, 482704.0, 3813.0, 2552.0, 123366.0, 1959.0],
        [69564.0, 114.2, 502601.0, 3931.0, 2514.0, 125368.0, 1960.0],
        [69331.0, 115.7, 518173.0, 4806.0, 2572.0, 127852.0, 1961.0],
        [70551.0, 116.9, 554894.0, 4007.0, 2827.0, 130081.0, 1962.0],
    ];
    near(
        &linear(&rows.map(|row| row.to_vec())),
        &[
            (-3_482_258.634_595_82, 890_420.383_607_373),
            (15.061_872_271_373_3, 84.914_925_774_766_9),
            (-0.358_191_792_925_910e-1, 0.334_910_077_722_432e-1),
            (-2.020_229_803_816_83, 0.488_399_681_651_699),
            (-1.033_226_867_173_59, 0.214_274_163_161_675),
            (-0.511_041_056_535_807e-1, 0.226_073_200_069_370),
            (1_829.151_464_613_55, 455.478_499_142_212),
        ],
    );
}

#[test]
fn a_term_that_others_determine_has_no_estimate() {
    let rows = lung(&["wt.loss", "age", "sex"]);
    let doubled = rows.iter().map(|row| vec![row[0], row[1], 2.0 * row[1] + 1.0, row[2]]);
    let (plain, doubled) = (linear(&rows), linear(&doubled.collect::<Vec<_>>()));
    assert_eq!(doubled.iter().map(|one| one.term).collect::<Vec<_>>(), [0, 1, 3]);
    let kept: Vec<(f64, f64)> = plain.iter().map(|t| (t.estimate, t.standard_error)).collect();
    near(&doubled, &kept);
}

#[test]
fn a_covariate_that_is_the_same_for_all_has_no_estimate() {
    let rows: Vec<Vec<f64>> =
        lung(&["wt.loss", "age"]).into_iter().map(|r| vec![r[0], 0.1, r[1]]).collect();
    assert_eq!(linear(&rows).iter().map(|one| one.term).collect::<Vec<_>>(), [0, 2]);
    let model = Logistic::new(2);
    let (found, _) = rounds(|state| {
        let cell = |event: bool| {
            let those = rows.iter().filter(|row| (row[0] > 10.0) == event);
            sums(those.map(|row| model.contribute(state, event, &row[1..])))
        };
        model.reduce(state, &[cell(false), cell(true)])
    });
    assert_eq!(found.iter().map(|one| one.term).collect::<Vec<_>>(), [0, 2]);
}

#[test]
fn outcomes_that_a_covariate_separates_have_no_estimates() {
    let model = Logistic::new(1);
    let (found, _) = rounds(|state| {
        let cell = |event: bool| {
            let those = (0..20).map(f64::from).filter(|x| (*x >= 10.0) == event);
            sums(those.map(|x| model.contribute(state, event, &[x])))
        };
        model.reduce(state, &[cell(false), cell(true)])
    });
    assert_eq!(found, []);
}

#[test]
fn a_step_too_far_is_halved() {
    // The maximum of -ln cosh(x - 3) lies at 3; Newton's method from 0 leaps away from it.
    let model = Cox::new(1);
    let (found, _) = rounds(|state| {
        let x = model.contribute(state, 1.0, true, &[1.0])[2];
        model.reduce(
            state,
            &Likelihood {
                log_likelihood: -(x - 3.0).cosh().ln(),
                score: vec![-(x - 3.0).tanh()],
                information: vec![(x - 3.0).cosh().powi(-2)],
                ..Likelihood::default()
            },
        )
    });
    assert!((found[0].estimate - 3.0).abs() < 1e-12, "{found:?}");
}

#[test]
fn totals_that_are_no_numbers_end_a_fit() {
    let bad = Likelihood { log_likelihood: f64::NAN, ..Likelihood::default() };
    let (found, _) = rounds(|state| Cox::new(2).reduce(state, &bad));
    assert_eq!(found, []);
    assert_eq!(linear(&[vec![1.0, 2.0]]), []);
}
