//! The differences between the twins that are meant, by their names in `docs/differences.md`.

use std::collections::BTreeMap;
use std::fmt;

/// How often each difference was recognised.
pub(crate) type Counts = BTreeMap<Difference, usize>;

macro_rules! differences {
    ($($(#[doc = $doc:literal])+ $variant:ident = $name:literal,)*) => {
        /// A difference that is meant.
        #[derive(Clone, Copy, Debug, PartialEq, Eq, PartialOrd, Ord)]
        #[expect(clippy::enum_variant_names, reason = "the names are those of the page")]
        pub(crate) enum Difference {
            $($(#[doc = $doc])+ $variant,)*
        }

        impl Difference {
            pub(crate) const ALL: &[Self] = &[$(Self::$variant),*];

            /// Its name in `docs/differences.md`.
            pub(crate) fn name(self) -> &'static str {
                match self {
                    $(Self::$variant => $name,)*
                }
            }
        }
    };
}

differences! {
    /// Rounds that never end are an error here, and nothing in Python.
    Unsettled = "unsettled",
    /// Something that looks like a request and is none fails every hook in Python.
    Malformed = "malformed",
    /// A databag that Juju refuses to show fails the hook in Python.
    JujuRefuses = "juju-refuses",
    /// A handler for a hook that needs a flag runs here only.
    HooksAndFlags = "hooks-and-flags",
    /// Python saved its flags before Juju refused the rest; the twins are apart from then on.
    UnitState = "unit-state",
    /// `config.set` and `config.default` are set between dispatches here.
    ConfigFlagsStay = "config-flags-stay",
    /// Python knows of leadership before `leader-elected`, and of its loss in any hook.
    LeadershipWhenAsked = "leadership-when-asked",
    /// Of several statuses Python shows the last, and those of hooks that fail.
    StatusPlan = "status-plan",
    /// Python orders units and relations as texts.
    NumericOrder = "numeric-order",
    /// Python does not see that a key is gone.
    RemovedKeys = "removed-keys",
    /// Python compares values, we compare texts.
    ChangedByText = "changed-by-text",
    /// Python does not look at data of applications.
    ChangedApplication = "changed-application",
    /// Python clears `departed` by itself, and does not clear it with the list.
    DepartedFlag = "departed-flag",
    /// We list departed units by relation.
    DepartedList = "departed-list",
    /// Python drops a relation with its last unit, and loses what was written to it.
    LastUnit = "last-unit",
    /// Python has a relation without units once more when it is broken.
    Broken = "broken",
    /// Python gives relations without units the name of its own application.
    ApplicationName = "application-name",
    /// Python takes `NaN`, `Infinity` and integers of any length for numbers.
    TypedReads = "typed-reads",
    /// Python does not tell Juju that a key was deleted.
    PublishDifference = "publish-difference",
    /// `all_responses` is set in Python without any request.
    Vacuous = "vacuous",
    /// Flags of requests change in Python at the start of a dispatch only.
    FlagsFollow = "flags-follow",
    /// A request that changed is answered again here only, and responses say what they answer.
    AnswersCurrent = "answers-current",
    /// Responses stay in Python when their requests have gone.
    AnswersRemoved = "answers-removed",
    /// Only we tell that a request is gone.
    RemovedRequests = "removed-requests",
    /// Python hears one of several responses.
    AllAnswers = "all-answers",
    /// Python orders requests by id, we order them by relation first.
    RequestOrder = "request-order",
}

impl fmt::Display for Difference {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.write_str(self.name())
    }
}

#[test]
fn every_difference_is_documented() {
    let page = concat!(env!("CARGO_MANIFEST_DIR"), "/../docs/differences.md");
    let page = std::fs::read_to_string(page).expect("the page");
    let missing: Vec<&str> = Difference::ALL
        .iter()
        .map(|difference| difference.name())
        .filter(|name| !page.contains(&format!("<a id=\"{name}\"></a>")))
        .collect();
    assert!(missing.is_empty(), "docs/differences.md does not have {missing:?}");
}
