//! One test body, run in both ways.

/// In which way a charm is run.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum Mode {
    /// As a function of the test: fast, and the same to the byte for the same seed.
    InProcess,
    /// As the program that Juju would run: the truth.
    Program,
}

/// Makes two tests of each function: `NAME::in_process` and `NAME::as_a_program`.
///
/// ```
/// use charms_reactive_testkit::{Mode, in_both_modes};
///
/// in_both_modes! {
///     fn jobs_are_registered(mode: Mode) {
///         assert!(matches!(mode, Mode::InProcess | Mode::Program));
///     }
/// }
/// # fn main() {}
/// ```
#[macro_export]
macro_rules! in_both_modes {
    ($($(#[$attribute:meta])* fn $name:ident($mode:ident: Mode) $body:block)*) => {$(
        $(#[$attribute])*
        mod $name {
            #[allow(unused_imports, reason = "what the test uses, and more")]
            use super::*;

            fn check($mode: $crate::Mode) $body

            #[test]
            fn in_process() {
                check($crate::Mode::InProcess);
            }

            #[test]
            fn as_a_program() {
                check($crate::Mode::Program);
            }
        }
    )*};
}
