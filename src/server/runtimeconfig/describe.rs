//! What the interface is: its methods and messages, as one table that both descriptions are made of.
//!
//! [`openapi`] is for people and their tools, [`discovery`] for Google's clients.  Names, types and paths are
//! Google's; the words are ours, and so are the bounds, which Google's description leaves out.

mod discovery;
mod openapi;

pub use discovery::discovery;
pub use openapi::openapi;

/// What a request is about.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
enum Place {
    Project,
    Config,
    Variable,
    Waiter,
    Operation,
}

impl Place {
    /// Segments of its path, and what stands behind each.
    fn segments(self) -> &'static [(&'static str, &'static str)] {
        const PROJECT: (&str, &str) = ("projects", "projectsId");
        const CONFIG: (&str, &str) = ("configs", "configsId");
        match self {
            Self::Project => &[PROJECT],
            Self::Config => &[PROJECT, CONFIG],
            Self::Variable => &[PROJECT, CONFIG, ("variables", "variablesId")],
            Self::Waiter => &[PROJECT, CONFIG, ("waiters", "waitersId")],
            Self::Operation => &[PROJECT, CONFIG, ("operations", "operationsId")],
        }
    }

    /// Whether slashes may be in its last part.
    fn is_deep(self) -> bool {
        matches!(self, Self::Variable | Self::Operation)
    }
}

/// One method.
struct Method {
    /// Behind `runtimeconfig.projects.configs`.
    id: &'static str,
    http: &'static str,
    place: Place,
    /// What is behind the name of the place.
    tail: &'static str,
    /// Names of [`PARAMETERS`].
    query: &'static [&'static str],
    /// The message of its body, and the fields that have to be in it.
    body: Option<(&'static str, &'static [&'static str])>,
    /// The message of its answer, and the fields that are always in it.
    answer: (&'static str, &'static [&'static str]),
    about: &'static str,
}

impl Method {
    /// How Google calls the part of the path that names the place.
    fn parameter(&self) -> &'static str {
        match self.tail.chars().next() {
            Some('/') => "parent",
            Some(_) if self.tail != ":watch" => "resource",
            _ => "name",
        }
    }

    /// The path with one part a name: `v1beta1/projects/{projectsId}/configs`.
    fn flat_path(&self) -> String {
        let segments = self.place.segments().iter().map(|(list, id)| format!("{list}/{{{id}}}"));
        format!("v1beta1/{}{}", segments.collect::<Vec<_>>().join("/"), self.tail)
    }
}

/// What a field or a parameter is.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
enum Kind {
    Text,
    /// A text of this form and at most so many bytes.
    Form(&'static str, usize),
    /// A text of at most so many bytes.
    Short(usize),
    Bytes,
    Time,
    Span,
    /// From 0.
    Number,
    Truth,
    State,
    Message(&'static str),
    Texts,
    Messages(&'static str),
    /// Whatever an answer of another kind holds.
    Anything,
    Anythings,
}

/// A field of a message.
struct Field {
    name: &'static str,
    kind: Kind,
    /// Requests may have it, and it means nothing there.
    is_output: bool,
    about: &'static str,
}

/// A message.
struct Message {
    name: &'static str,
    /// At most one of these.
    one_of: &'static [&'static str],
    fields: &'static [Field],
    about: &'static str,
}

/// A parameter of a query.
struct Parameter {
    name: &'static str,
    kind: Kind,
    about: &'static str,
}

const fn field(name: &'static str, kind: Kind, about: &'static str) -> Field {
    Field { name, kind, is_output: false, about }
}

const fn output(name: &'static str, kind: Kind, about: &'static str) -> Field {
    Field { name, kind, is_output: true, about }
}

// The forms of names, anchored as patterns of JSON schema are.
const PROJECT_FORM: &str = "^[0-9A-Za-z:._-]{1,100}$";
const CONFIG_FORM: &str = "^[0-9A-Za-z]([0-9A-Za-z_.-]{0,61}[0-9A-Za-z_.])?$";
const VARIABLE_FORM: &str =
    "^[0-9A-Za-z]([0-9A-Za-z_.-]{0,62}[0-9A-Za-z_.])?(/[0-9A-Za-z]([0-9A-Za-z_.-]{0,62}[0-9A-Za-z_.])?)*$";
const OPERATION_FORM: &str = "^waiters/[0-9A-Za-z]([0-9A-Za-z_.-]{0,61}[0-9A-Za-z_.])?$";
const PATH_FORM: &str = "^(/|/?[0-9A-Za-z]([0-9A-Za-z_.-]{0,62}[0-9A-Za-z_.])?(/[0-9A-Za-z]([0-9A-Za-z_.-]{0,62}[0-9A-Za-z_.])?)*/?)$";
const PERMISSION_FORM: &str = "^[A-Za-z.]{1,200}$";

const PARAMETERS: &[Parameter] = &[
    Parameter {
        name: "requestId",
        kind: Kind::Short(64),
        about: "A request that says an id again, within a day, is answered with what the first one made.",
    },
    Parameter {
        name: "pageSize",
        kind: Kind::Number,
        about: "How many items a page has at most; 1000, which is the maximum, for 0 and where it is missing.",
    },
    Parameter {
        name: "pageToken",
        kind: Kind::Text,
        about: "Continues a list: `nextPageToken` of the page before.",
    },
    Parameter {
        name: "filter",
        kind: Kind::Text,
        about: "Lists the variables at and below one: its full name, or its path.",
    },
    Parameter {
        name: "returnValues",
        kind: Kind::Truth,
        about: "Whether variables come with what they hold.",
    },
    Parameter {
        name: "recursive",
        kind: Kind::Truth,
        about: "Whether the variables below the path are removed, too.",
    },
    Parameter {
        name: "options.requestedPolicyVersion",
        kind: Kind::Number,
        about: "The version of the policy that is wanted; there is one only.",
    },
];

const CONFIG_HAS: (&str, &[&str]) = ("RuntimeConfig", &["name"]);
const VARIABLE_HAS: (&str, &[&str]) = ("Variable", &["name", "updateTime"]);
const WAITER_HAS: (&str, &[&str]) = ("Waiter", &["name", "timeout", "success", "createTime"]);
const OPERATION_HAS: (&str, &[&str]) = ("Operation", &["name"]);
const POLICY_HAS: (&str, &[&str]) = ("Policy", &["etag"]);
const NOTHING: (&str, &[&str]) = ("Empty", &[]);
const TESTED: (&str, &[&str]) = ("TestIamPermissionsResponse", &[]);
const TEST: Option<(&str, &[&str])> = Some(("TestIamPermissionsRequest", &[]));
const PAGES: &[&str] = &["pageSize", "pageToken"];

/// All methods, as they are on the wire.
#[rustfmt::skip]
const METHODS: &[Method] = &[
    Method { id: "create", http: "POST", place: Place::Project, tail: "/configs", query: &["requestId"],
             body: Some(("RuntimeConfig", &["name"])), answer: CONFIG_HAS, about: "Makes a config." },
    Method { id: "delete", http: "DELETE", place: Place::Config, tail: "", query: &[],
             body: None, answer: NOTHING, about: "Removes a config with its variables and waiters." },
    Method { id: "get", http: "GET", place: Place::Config, tail: "", query: &[],
             body: None, answer: CONFIG_HAS, about: "Gives a config." },
    Method { id: "getIamPolicy", http: "GET", place: Place::Config, tail: ":getIamPolicy",
             query: &["options.requestedPolicyVersion"],
             body: None, answer: POLICY_HAS, about: "Gives the policy of a config; it decides nothing here." },
    Method { id: "list", http: "GET", place: Place::Project, tail: "/configs", query: PAGES,
             body: None, answer: ("ListConfigsResponse", &[]), about: "Lists the configs of a project." },
    Method { id: "setIamPolicy", http: "POST", place: Place::Config, tail: ":setIamPolicy", query: &[],
             body: Some(("SetIamPolicyRequest", &["policy"])), answer: POLICY_HAS,
             about: "Replaces the policy of a config, unless its etag is an older one." },
    Method { id: "testIamPermissions", http: "POST", place: Place::Config, tail: ":testIamPermissions", query: &[],
             body: TEST, answer: TESTED, about: "Tells which of these permissions the caller has." },
    Method { id: "update", http: "PUT", place: Place::Config, tail: "", query: &[],
             body: Some(("RuntimeConfig", &[])), answer: CONFIG_HAS, about: "Replaces the description of a config." },
    Method { id: "operations.get", http: "GET", place: Place::Operation, tail: "", query: &[],
             body: None, answer: OPERATION_HAS, about: "Gives the operation of a waiter." },
    Method { id: "operations.testIamPermissions", http: "POST", place: Place::Operation, tail: ":testIamPermissions",
             query: &[], body: TEST, answer: TESTED, about: "Tells which of these permissions the caller has." },
    Method { id: "variables.create", http: "POST", place: Place::Config, tail: "/variables", query: &["requestId"],
             body: Some(("Variable", &["name"])), answer: VARIABLE_HAS,
             about: "Makes a variable; none may stand above or below it." },
    Method { id: "variables.delete", http: "DELETE", place: Place::Variable, tail: "", query: &["recursive"],
             body: None, answer: NOTHING, about: "Removes a variable, or all at and below a path." },
    Method { id: "variables.get", http: "GET", place: Place::Variable, tail: "", query: &[],
             body: None, answer: VARIABLE_HAS, about: "Gives a variable." },
    Method { id: "variables.list", http: "GET", place: Place::Config, tail: "/variables",
             query: &["filter", "pageSize", "pageToken", "returnValues"],
             body: None, answer: ("ListVariablesResponse", &[]), about: "Lists the variables of a config." },
    Method { id: "variables.testIamPermissions", http: "POST", place: Place::Variable, tail: ":testIamPermissions",
             query: &[], body: TEST, answer: TESTED, about: "Tells which of these permissions the caller has." },
    Method { id: "variables.update", http: "PUT", place: Place::Variable, tail: "", query: &[],
             body: Some(("Variable", &[])), answer: VARIABLE_HAS, about: "Replaces what a variable holds." },
    Method { id: "variables.watch", http: "POST", place: Place::Variable, tail: ":watch", query: &[],
             body: Some(("WatchVariableRequest", &[])), answer: VARIABLE_HAS,
             about: "Waits until a variable changes or goes, for nearly a minute; then it is given as it is." },
    Method { id: "waiters.create", http: "POST", place: Place::Config, tail: "/waiters", query: &["requestId"],
             body: Some(("Waiter", &["name", "timeout", "success"])), answer: OPERATION_HAS,
             about: "Makes a waiter; the answer is an operation that ends when it ends." },
    Method { id: "waiters.delete", http: "DELETE", place: Place::Waiter, tail: "", query: &[],
             body: None, answer: NOTHING, about: "Removes a waiter, whether it has ended or not." },
    Method { id: "waiters.get", http: "GET", place: Place::Waiter, tail: "", query: &[],
             body: None, answer: WAITER_HAS, about: "Gives a waiter." },
    Method { id: "waiters.list", http: "GET", place: Place::Config, tail: "/waiters", query: PAGES,
             body: None, answer: ("ListWaitersResponse", &[]), about: "Lists the waiters of a config." },
    Method { id: "waiters.testIamPermissions", http: "POST", place: Place::Waiter, tail: ":testIamPermissions",
             query: &[], body: TEST, answer: TESTED, about: "Tells which of these permissions the caller has." },
];

/// All messages.
const MESSAGES: &[Message] = &[
    Message {
        name: "Binding",
        one_of: &[],
        fields: &[
            field("condition", Kind::Message("Expr"), "When it holds."),
            field("members", Kind::Texts, "For whom."),
            field("role", Kind::Text, "What they are."),
        ],
        about: "Who has a role.",
    },
    Message {
        name: "Cardinality",
        one_of: &[],
        fields: &[
            field("number", Kind::Number, "How many variables, at least; 1 for 0 and where it is missing."),
            field("path", Kind::Form(PATH_FORM, 255), "At or below which path; `/` is the whole config."),
        ],
        about: "Enough variables at or below a path.",
    },
    Message { name: "Empty", one_of: &[], fields: &[], about: "Nothing." },
    Message {
        name: "EndCondition",
        one_of: &[],
        fields: &[field("cardinality", Kind::Message("Cardinality"), "Enough variables at or below a path.")],
        about: "When a waiter ends.",
    },
    Message {
        name: "Expr",
        one_of: &[],
        fields: &[
            field("description", Kind::Text, "For people."),
            field("expression", Kind::Text, "In the Common Expression Language."),
            field("location", Kind::Text, "Where it comes from."),
            field("title", Kind::Text, "For people, in short."),
        ],
        about: "A condition of a binding.",
    },
    Message {
        name: "ListConfigsResponse",
        one_of: &[],
        fields: &[
            field(
                "configs",
                Kind::Messages("RuntimeConfig"),
                "Sorted by name; missing where there are none.",
            ),
            field("nextPageToken", Kind::Text, "Leads to the next page; missing on the last one."),
        ],
        about: "A page of configs.",
    },
    Message {
        name: "ListVariablesResponse",
        one_of: &[],
        fields: &[
            field("nextPageToken", Kind::Text, "Leads to the next page; missing on the last one."),
            field("variables", Kind::Messages("Variable"), "Sorted by name; missing where there are none."),
        ],
        about: "A page of variables.",
    },
    Message {
        name: "ListWaitersResponse",
        one_of: &[],
        fields: &[
            field("nextPageToken", Kind::Text, "Leads to the next page; missing on the last one."),
            field("waiters", Kind::Messages("Waiter"), "Sorted by name; missing where there are none."),
        ],
        about: "A page of waiters.",
    },
    Message {
        name: "Operation",
        one_of: &["error", "response"],
        fields: &[
            field("done", Kind::Truth, "Whether the waiter has ended; missing while it has not."),
            field("error", Kind::Message("Status"), "How it failed."),
            field("metadata", Kind::Anything, "Never there."),
            field("name", Kind::Text, "projects/P/configs/C/operations/waiters/W"),
            field("response", Kind::Anything, "The waiter, if it succeeded."),
        ],
        about: "A waiter, as something that ends.",
    },
    Message {
        name: "Policy",
        one_of: &[],
        fields: &[
            field("bindings", Kind::Messages("Binding"), "Who has which role."),
            field("etag", Kind::Bytes, "Tells one version of the policy from another."),
            field("version", Kind::Number, "The version of its form."),
        ],
        about: "Who may do what; kept, and not obeyed: whoever reaches the service may do everything.",
    },
    Message {
        name: "RuntimeConfig",
        one_of: &[],
        fields: &[
            field("description", Kind::Text, "For people."),
            field("name", Kind::Text, "projects/P/configs/C"),
        ],
        about: "A config: variables and waiters of one kind.",
    },
    Message {
        name: "SetIamPolicyRequest",
        one_of: &[],
        fields: &[field("policy", Kind::Message("Policy"), "The whole policy.")],
        about: "A policy that is to be.",
    },
    Message {
        name: "Status",
        one_of: &[],
        fields: &[
            field("code", Kind::Number, "A number of `google.rpc.Code`: 9 for a failure, 4 for a timeout."),
            field("details", Kind::Anythings, "Never there."),
            field("message", Kind::Text, "In words."),
        ],
        about: "How a waiter failed.",
    },
    Message {
        name: "TestIamPermissionsRequest",
        one_of: &[],
        fields: &[field("permissions", Kind::Texts, "Which ones are asked about, without `*`.")],
        about: "A question about permissions.",
    },
    Message {
        name: "TestIamPermissionsResponse",
        one_of: &[],
        fields: &[field("permissions", Kind::Texts, "Which of them the caller has.")],
        about: "The answer to it.",
    },
    Message {
        name: "Variable",
        one_of: &["text", "value"],
        fields: &[
            field("name", Kind::Text, "projects/P/configs/C/variables/V, where V is a path."),
            output("state", Kind::State, "What became of it; in answers to updates and watches."),
            field("text", Kind::Short(4095), "A text, of less than 4096 bytes."),
            output("updateTime", Kind::Time, "When it was written."),
            field("value", Kind::Bytes, "Bytes, less than 4096, in base64."),
        ],
        about: "A variable: a text or bytes.",
    },
    Message {
        name: "Waiter",
        one_of: &[],
        fields: &[
            output("createTime", Kind::Time, "When it was made."),
            output("done", Kind::Truth, "Whether it has ended; missing while it has not."),
            output("error", Kind::Message("Status"), "How it failed; missing if it succeeded."),
            field("failure", Kind::Message("EndCondition"), "When it fails; judged before success."),
            field("name", Kind::Text, "projects/P/configs/C/waiters/W"),
            field("success", Kind::Message("EndCondition"), "When it succeeds."),
            field("timeout", Kind::Span, "When its time is over, from its making on; longer than `0s`."),
        ],
        about: "A wait, which never changes.",
    },
    Message {
        name: "WatchVariableRequest",
        one_of: &[],
        fields: &[field("newerThan", Kind::Time, "A write after this moment is answered at once.")],
        about: "From when on a change counts.",
    },
];

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn the_tables_fit_together() {
        let messages: Vec<&str> = MESSAGES.iter().map(|message| message.name).collect();
        assert!(messages.is_sorted() && METHODS.len() == 22, "{messages:?}");
        for Method { id, query, body, answer, .. } in METHODS {
            let known = |name: &&str| PARAMETERS.iter().any(|parameter| parameter.name == *name);
            assert!(query.iter().all(known), "{id}");
            for (message, needed) in body.iter().chain([answer]) {
                let message = MESSAGES.iter().find(|known| known.name == *message).expect(id);
                let has = |name: &&str| message.fields.iter().any(|field| field.name == *name);
                assert!(needed.iter().all(has), "{id}");
            }
        }
        for Message { name, one_of, fields, .. } in MESSAGES {
            assert!(fields.is_sorted_by_key(|field| field.name), "{name}");
            assert!(one_of.iter().all(|one| fields.iter().any(|field| field.name == *one)), "{name}");
            for field in *fields {
                if let Kind::Message(other) | Kind::Messages(other) = field.kind {
                    assert!(messages.contains(&other), "{name}.{}", field.name);
                }
            }
        }
    }
}
