use std::fmt;
use std::io::{self, Read};

/// Longest row of a text file, in bytes of UTF-8. A quote that is never closed makes a row of
/// the whole rest of a file, which must not be read into memory to find that out.
pub(super) const MAX_ROW: u64 = 1 << 20;

/// The row being read is longer than [`MAX_ROW`].
#[derive(Debug)]
pub(super) struct TooLong;

impl fmt::Display for TooLong {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        write!(f, "a row is longer than {MAX_ROW} bytes")
    }
}

impl std::error::Error for TooLong {}

/// Passes bytes on, but no more than [`MAX_ROW`] of one row (and what a buffer takes ahead).
pub(super) struct Bounded<R> {
    inner: R,
    passed: u64,
}

impl<R> Bounded<R> {
    pub(super) fn new(inner: R) -> Self {
        Self { inner, passed: 0 }
    }

    /// Says that a new row begins.
    pub(super) fn begin_row(&mut self) {
        self.passed = 0;
    }
}

impl<R: Read> Read for Bounded<R> {
    fn read(&mut self, buffer: &mut [u8]) -> io::Result<usize> {
        if self.passed > MAX_ROW {
            return Err(io::Error::new(io::ErrorKind::InvalidData, TooLong));
        }
        let read = self.inner.read(buffer)?;
        self.passed += read as u64;
        Ok(read)
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn an_endless_row_ends_and_many_rows_do_not() {
        let mut endless = Bounded::new(io::repeat(b'x'));
        let mut buffer = vec![0; 8192];
        let mut passed = 0_u64;
        let error = loop {
            match endless.read(&mut buffer) {
                Ok(read) => passed += read as u64,
                Err(error) => break error,
            }
        };
        assert!(error.get_ref().unwrap().is::<TooLong>());
        assert!(passed <= MAX_ROW + buffer.len() as u64);
        endless.begin_row();
        assert_eq!(endless.read(&mut buffer).unwrap(), buffer.len());
    }
}
