//! Programs that try to open keys with what can only seal them; none compiles.

#[test]
fn zn_2_who_can_only_seal_cannot_open() {
    trybuild::TestCases::new().compile_fail("tests/forgery/*.rs");
}
