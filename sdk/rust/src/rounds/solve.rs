//! Solving with a symmetric matrix that is positive definite but for terms that others
//! determine: Cholesky's factor of the matrix scaled to a unit diagonal.

use super::triangle;

/// A pivot of the scaled matrix below this is taken for zero: the term is determined by those
/// before it.
const DETERMINED: f64 = 1e-10;

/// A factored matrix.
pub(super) struct Factor {
    /// Lower triangle, row by row; a zero on the diagonal leaves the term out.
    lower: Vec<f64>,
    /// What rows and columns were multiplied by.
    scale: Vec<f64>,
}

impl Factor {
    /// Takes the lower triangle of the matrix, row by row, and for each term the number, not
    /// below 0, up to which its diagonal is taken for zero.
    pub(super) fn new(matrix: &[f64], zeros: &[f64]) -> Self {
        let size = zeros.len();
        let scale = zeros.iter().enumerate().map(|(term, zero)| {
            let diagonal = element(matrix, term, term);
            if diagonal > *zero && diagonal.is_finite() { diagonal.sqrt().recip() } else { 0.0 }
        });
        let mut made = Self { lower: Vec::with_capacity(triangle(size)), scale: scale.collect() };
        for row in 0..size {
            for column in 0..=row {
                let scaled = element(matrix, row, column) * made.scale(row) * made.scale(column);
                let earlier = (0..column).map(|k| made.at(row, k) * made.at(column, k));
                let left = scaled - earlier.sum::<f64>();
                made.lower.push(match made.at(column, column) {
                    _ if row == column && left > DETERMINED => left.sqrt(),
                    pivot if row != column && pivot > 0.0 => left / pivot,
                    _ => 0.0,
                });
            }
        }
        made
    }

    /// Whether the matrix tells anything of this term.
    pub(super) fn holds(&self, term: usize) -> bool {
        self.at(term, term) > 0.0
    }

    /// Terms that are not left out.
    pub(super) fn rank(&self) -> usize {
        (0..self.scale.len()).filter(|term| self.holds(*term)).count()
    }

    /// Solves with a right side; zero for a term that is left out.
    pub(super) fn solve(&self, right: &[f64]) -> Vec<f64> {
        let size = self.scale.len();
        let mut solved: Vec<f64> = Vec::with_capacity(size);
        for (row, (right, scale)) in right.iter().zip(&self.scale).enumerate() {
            let earlier = solved.iter().enumerate().map(|(k, known)| self.at(row, k) * known);
            solved.push(self.divided(right * scale - earlier.sum::<f64>(), row));
        }
        let mut upwards: Vec<f64> = Vec::with_capacity(size);
        for (row, value) in solved.iter().enumerate().rev() {
            // The last row was solved first.
            let later = upwards.iter().rev().enumerate();
            let later = later.map(|(k, known)| self.at(row + 1 + k, row) * known);
            upwards.push(self.divided(value - later.sum::<f64>(), row));
        }
        upwards.iter().rev().zip(&self.scale).map(|(value, scale)| value * scale).collect()
    }

    /// The quadratic form of the inverse; with a unit vector, a term's variance.
    pub(super) fn quadratic(&self, of: &[f64]) -> f64 {
        super::dot(of, &self.solve(of))
    }

    /// Diagonal of the inverse.
    pub(super) fn variance(&self, term: usize) -> f64 {
        let unit: Vec<f64> =
            (0..self.scale.len()).map(|at| f64::from(u8::from(at == term))).collect();
        self.quadratic(&unit)
    }

    fn divided(&self, value: f64, row: usize) -> f64 {
        if self.holds(row) { value / self.at(row, row) } else { 0.0 }
    }

    fn at(&self, row: usize, column: usize) -> f64 {
        element(&self.lower, row, column)
    }

    fn scale(&self, row: usize) -> f64 {
        self.scale.get(row).copied().unwrap_or_default()
    }
}

/// An element of a lower triangle; zero where there is none.
fn element(lower: &[f64], row: usize, column: usize) -> f64 {
    lower.get(triangle(row) + column).copied().unwrap_or_default()
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn a_system_is_solved_whatever_the_scales() {
        // [4e8, 2e4; 2e4, 3] x = [2e8, 5e4] has the determinant 8e8.
        let factor = Factor::new(&[4e8, 2e4, 3.0], &[0.0; 2]);
        let solved = factor.solve(&[2e8, 5e4]);
        assert!((solved[0] - (2e8 * 3.0 - 5e4 * 2e4) / 8e8).abs() < 1e-9, "{solved:?}");
        assert!((solved[1] / ((4e8 * 5e4 - 2e4 * 2e8) / 8e8) - 1.0).abs() < 1e-12, "{solved:?}");
        assert!((factor.variance(1) - 4e8 / 8e8).abs() < 1e-12);
        assert_eq!(factor.rank(), 2);
    }

    #[test]
    fn a_term_that_others_determine_is_left_out() {
        // The second is twice the first.
        let factor = Factor::new(&[1.0, 2.0, 4.0, 0.5, 1.0, 2.0], &[0.0; 3]);
        assert_eq!([0, 1, 2].map(|term| factor.holds(term)), [true, false, true]);
        let solved = factor.solve(&[1.0, 2.0, 0.5]);
        assert!((solved[0] - 1.0).abs() < 1e-12 && solved[1] == 0.0 && solved[2].abs() < 1e-12);
        assert_eq!(Factor::new(&[0.0, 0.0, f64::NAN], &[0.0; 2]).rank(), 0);
        assert_eq!(Factor::new(&[1.0, 0.0, 1e-9], &[0.0, 1e-8]).rank(), 1);
    }
}
