//! Charms in Rust and in Python on the two sides of `prometheus-manual`, in simulated models.
//!
//! ```text
//! tests/setup/python.sh
//! cargo test -p charms-reactive-tests --test interop
//! ```
//!
//! Every [story] is told for each combination of languages; Python with Python is the control, which
//! tells whether a story asks for what the original does.  Where the original has a defect, the story
//! expects it.  [bash] has charms written by hand, that say what no charm should; in
//! [mixed], all of them are in one model.

mod bash;
mod charm;
mod mixed;
mod model;
mod story;
mod upgrade;

use model::Language::{Python, Rust};

/// One test for each story, with a provider and a requirer in these languages.
macro_rules! stories {
    ($combination:ident: $provider:ident to $requirer:ident) => {
        stories! {
            $combination: $provider to $requirer,
            jobs_arrive_and_answers_come_back
            certificates_arrive_with_their_job
            jobs_follow_the_configuration
            units_of_the_provider_come_and_go
            units_of_the_requirer_come_and_go
            a_relation_is_made_again
            one_provider_has_two_requirers
            one_requirer_has_two_providers
            a_hook_that_failed_is_made_good
            an_upgrade_changes_nothing
        }
    };
    ($combination:ident: $provider:ident to $requirer:ident, $($story:ident)*) => {
        mod $combination {
            $(
                #[test]
                fn $story() {
                    crate::story::$story(crate::$provider, crate::$requirer);
                }
            )*
        }
    };
}

stories!(rust_to_python: Rust to Python);
stories!(python_to_rust: Python to Rust);
stories!(python_to_python: Python to Python);
stories!(rust_to_rust: Rust to Rust);
