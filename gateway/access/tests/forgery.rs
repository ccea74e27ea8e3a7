//! Programs that try to act without a permit, or with somebody else's; none compiles.

#[test]
fn ag_3_no_permit_is_forged_copied_reused_or_used_for_another_action() {
    trybuild::TestCases::new().compile_fail("tests/forgery/*.rs");
}
