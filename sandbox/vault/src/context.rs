/// What sealed bytes are for and where they belong.
///
/// A context is a purpose and an ordered list of typed parts. Its encoding is canonical:
/// every part carries a type tag and its length, so no two different contexts encode to the
/// same bytes. It is not secret; it is authenticated together with what it was sealed with.
#[derive(Clone, Debug, PartialEq, Eq, Hash)]
pub struct Context {
    encoded: Vec<u8>,
}

const TAG_PURPOSE: u8 = 0;
const TAG_TEXT: u8 = 1;
const TAG_NUMBER: u8 = 2;
const TAG_BYTES: u8 = 3;

impl Context {
    /// A context for one purpose, named like `sekisho.dataset.column-key`.
    #[must_use]
    pub fn new(purpose: &str) -> Self {
        Self { encoded: Vec::new() }.part(TAG_PURPOSE, purpose.as_bytes())
    }

    /// Adds a text part, such as an id or a column name.
    #[must_use]
    pub fn text(self, part: &str) -> Self {
        self.part(TAG_TEXT, part.as_bytes())
    }

    /// Adds a number, such as a bucket.
    #[must_use]
    pub fn number(self, part: u64) -> Self {
        self.part(TAG_NUMBER, &part.to_be_bytes())
    }

    /// Adds raw bytes, such as a hash.
    #[must_use]
    pub fn bytes(self, part: &[u8]) -> Self {
        self.part(TAG_BYTES, part)
    }

    /// The canonical bytes: for each part its tag (1 byte), length (8 bytes, big-endian)
    /// and content.
    #[must_use]
    pub fn encode(&self) -> &[u8] {
        &self.encoded
    }

    fn part(mut self, tag: u8, content: &[u8]) -> Self {
        self.encoded.push(tag);
        self.encoded.extend_from_slice(&(content.len() as u64).to_be_bytes());
        self.encoded.extend_from_slice(content);
        self
    }
}

#[cfg(test)]
mod tests {
    use super::*;
    use proptest::prelude::*;

    #[derive(Clone, Debug, PartialEq)]
    enum Part {
        Text(String),
        Number(u64),
        Bytes(Vec<u8>),
    }

    fn parts() -> impl Strategy<Value = (String, Vec<Part>)> {
        let part = prop_oneof![
            "[a-b.]{0,3}".prop_map(Part::Text),
            (0_u64..3).prop_map(Part::Number),
            proptest::collection::vec(0_u8..3, 0..3).prop_map(Part::Bytes),
        ];
        ("[a-b.]{0,3}", proptest::collection::vec(part, 0..4))
    }

    fn build((purpose, parts): &(String, Vec<Part>)) -> Context {
        parts.iter().fold(Context::new(purpose), |context, part| match part {
            Part::Text(text) => context.text(text),
            Part::Number(number) => context.number(*number),
            Part::Bytes(bytes) => context.bytes(bytes),
        })
    }

    proptest! {
        #![proptest_config(ProptestConfig::with_cases(2000))]
        #[test]
        fn two_contexts_encode_alike_only_when_equal(left in parts(), right in parts()) {
            prop_assert_eq!(build(&left) == build(&right), left == right);
        }
    }

    #[test]
    fn parts_cannot_be_shifted_into_each_other() {
        let joined = Context::new("p").text("ab").text("c");
        assert_ne!(joined, Context::new("p").text("a").text("bc"));
        assert_ne!(joined, Context::new("p").text("abc"));
        assert_ne!(Context::new("p").text("a"), Context::new("p").bytes(b"a"));
    }
}
