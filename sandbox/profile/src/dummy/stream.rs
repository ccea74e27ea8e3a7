/// A repeatable stream of numbers (SplitMix64: Steele, Lea and Flood, OOPSLA 2014). Not
/// for secrets.
#[derive(Clone, Debug)]
pub struct Stream {
    state: u64,
}

const STEP: u64 = 0x9e37_79b9_7f4a_7c15;

impl Stream {
    /// The stream of one seed and one number within it.
    #[must_use]
    pub fn new(seed: u64, number: u64) -> Self {
        Self { state: mix(mix(seed).wrapping_add(number.wrapping_mul(STEP))) }
    }

    /// Token of a dummy patient. Mixing is a bijection, so two patients never share one.
    #[must_use]
    pub fn token(seed: u64, patient: u64) -> u64 {
        mix(mix(seed ^ STEP).wrapping_add(patient))
    }

    /// The next 64 bits.
    pub fn next_bits(&mut self) -> u64 {
        self.state = self.state.wrapping_add(STEP);
        mix(self.state)
    }

    /// A number from 0 up to but without 1, in steps of 2^-53.
    pub fn unit(&mut self) -> f64 {
        (self.next_bits() >> 11) as f64 / (1_u64 << 53) as f64
    }

    /// A whole number from `low` to `high`, both included.
    pub fn between(&mut self, low: u64, high: u64) -> u64 {
        let span = u128::from(high.saturating_sub(low)) + 1;
        low + ((u128::from(self.next_bits()) * span) >> 64) as u64
    }

    /// A bell-shaped number with mean 0 and deviation 1: the sum of twelve uniform ones,
    /// which needs no logarithm and so is the same everywhere. Lies within 6 of 0.
    pub fn normal(&mut self) -> f64 {
        (0..12).map(|_| self.unit()).sum::<f64>() - 6.0
    }

    /// Whether a chance of this probability comes up.
    pub fn chance(&mut self, probability: f64) -> bool {
        self.unit() < probability
    }

    /// The index drawn from these weights; `None` when all are 0.
    pub fn weighted(&mut self, weights: impl Iterator<Item = f64> + Clone) -> Option<usize> {
        let mut left = self.unit() * weights.clone().sum::<f64>();
        let mut last = None;
        for (index, weight) in weights.enumerate().filter(|(_, weight)| *weight > 0.0) {
            last = Some(index);
            if left < weight {
                break;
            }
            left -= weight;
        }
        last
    }
}

fn mix(mut z: u64) -> u64 {
    z = (z ^ (z >> 30)).wrapping_mul(0xbf58_476d_1ce4_e5b9);
    z = (z ^ (z >> 27)).wrapping_mul(0x94d0_49bb_1331_11eb);
    z ^ (z >> 31)
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn numbers_stay_in_range_and_repeat() {
        let mut stream = Stream::new(7, 3);
        let mut again = Stream::new(7, 3);
        for _ in 0..1000 {
            assert_eq!(stream.next_bits(), again.next_bits());
            assert!((0.0..1.0).contains(&stream.clone().unit()));
            assert!((3..=5).contains(&stream.clone().between(3, 5)));
        }
        assert_eq!(stream.between(4, 4), 4);
    }

    #[test]
    fn weights_are_followed() {
        let mut stream = Stream::new(1, 1);
        let mut counts = [0; 3];
        for _ in 0..3000 {
            counts[stream.weighted([1.0, 0.0, 2.0].into_iter()).unwrap()] += 1;
        }
        assert_eq!(counts[1], 0);
        assert!((900..1100).contains(&counts[0]), "{counts:?}");
        assert_eq!(stream.weighted([0.0].into_iter()), None);
    }

    #[test]
    fn bell_has_mean_0_and_deviation_1() {
        let mut stream = Stream::new(2, 2);
        let drawn: Vec<f64> = (0..20_000).map(|_| stream.normal()).collect();
        let mean = drawn.iter().sum::<f64>() / 20_000.0;
        let square = drawn.iter().map(|x| x * x).sum::<f64>() / 20_000.0;
        assert!(mean.abs() < 0.03 && (square - 1.0).abs() < 0.05, "{mean} {square}");
    }
}
