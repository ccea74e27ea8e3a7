/// Numbers drawn by lot from a seed, the same on every machine: SplitMix64 (Steele, Lea and
/// Flood 2014).
pub struct Lot(pub u64);

impl Lot {
    /// The next number.
    pub fn draw(&mut self) -> u64 {
        self.0 = self.0.wrapping_add(0x9e37_79b9_7f4a_7c15);
        let mixed = (self.0 ^ (self.0 >> 30)).wrapping_mul(0xbf58_476d_1ce4_e5b9);
        let mixed = (mixed ^ (mixed >> 27)).wrapping_mul(0x94d0_49bb_1331_11eb);
        mixed ^ (mixed >> 31)
    }

    /// A number below an end that is not zero.
    pub fn below(&mut self, end: usize) -> usize {
        (self.draw() % end as u64) as usize
    }

    /// True once in so many times.
    pub fn one_in(&mut self, many: u64) -> bool {
        self.draw().is_multiple_of(many)
    }
}
