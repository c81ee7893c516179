//! What the compiler says about charms that are wrong.
//!
//! Each file in `cases/` is a charm with the metadata in `cases/charm/`.  The text that the compiler has to
//! print is beside it; `TRYBUILD=overwrite cargo test -p charms-reactive-macros --test compile` writes it
//! anew, for example after a change of the toolchain.  It was written without the component `rust-src`.

#[test]
fn mistakes_do_not_compile() {
    let cases = trybuild::TestCases::new();
    cases.pass("tests/cases/good.rs");
    cases.compile_fail("tests/cases/bad_*.rs");
}
