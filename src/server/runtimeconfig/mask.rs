//! Masks: which fields of an answer a client wants, `name` or `variables(name,text),nextPageToken`.

use serde_json::{Map, Value};

use super::error::ApiError;

/// Every field that some answer has.
const FIELDS: [&str; 32] = [
    "@type",
    "bindings",
    "cardinality",
    "code",
    "condition",
    "configs",
    "createTime",
    "description",
    "done",
    "error",
    "etag",
    "failure",
    "members",
    "message",
    "metadata",
    "name",
    "nextPageToken",
    "number",
    "path",
    "permissions",
    "response",
    "role",
    "state",
    "status",
    "success",
    "text",
    "timeout",
    "updateTime",
    "value",
    "variables",
    "version",
    "waiters",
];

/// How deep a mask may be, and how many names it may have.
const DEPTH_MAX: usize = 10;
const NAMES_MAX: usize = 200;

/// Which fields of an answer are wanted.
#[derive(Clone, Debug, Default, PartialEq, Eq)]
pub(super) struct Mask {
    is_all: bool,
    fields: Vec<(String, Mask)>,
}

impl Mask {
    pub(super) fn parse(text: &str) -> Result<Self, ApiError> {
        let mut reader = Reader { rest: text, names: 0 };
        let mask = reader.list(0).filter(|_| reader.rest.is_empty());
        mask.ok_or_else(|| ApiError::invalid("fields", format!("`{text}` is no mask of known fields")))
    }

    fn everything() -> Self {
        Self { is_all: true, fields: Vec::new() }
    }

    /// The fields of `value` that are wanted.
    pub(super) fn apply(&self, value: Value) -> Value {
        match value {
            value if self.is_all => value,
            Value::Array(elements) => elements.into_iter().map(|element| self.apply(element)).collect(),
            Value::Object(object) => {
                let wanted = object.into_iter().filter_map(|(key, value)| {
                    let mask = &self.fields.iter().find(|(name, _)| *name == key)?.1;
                    Some((key, mask.apply(value)))
                });
                Value::Object(wanted.collect::<Map<String, Value>>())
            }
            other => other,
        }
    }

    fn add(&mut self, name: &str, mask: Self) {
        match self.fields.iter_mut().find(|(known, _)| known == name) {
            Some((_, known)) if mask.is_all || known.is_all => *known = Self::everything(),
            Some((_, known)) => mask.fields.into_iter().for_each(|(name, mask)| known.add(&name, mask)),
            None => self.fields.push((name.to_owned(), mask)),
        }
    }
}

struct Reader<'a> {
    rest: &'a str,
    names: usize,
}

impl Reader<'_> {
    fn eat(&mut self, mark: char) -> bool {
        let rest = self.rest.strip_prefix(mark);
        self.rest = rest.unwrap_or(self.rest);
        rest.is_some()
    }

    /// `a,b/c,d(e,f)`
    fn list(&mut self, depth: usize) -> Option<Mask> {
        let mut mask = Mask::default();
        loop {
            self.one(depth, &mut mask)?;
            if !self.eat(',') {
                return Some(mask);
            }
        }
    }

    fn one(&mut self, depth: usize, mask: &mut Mask) -> Option<()> {
        self.names += 1;
        if depth > DEPTH_MAX || self.names > NAMES_MAX {
            return None;
        }
        if self.eat('*') {
            mask.is_all = true;
            return Some(());
        }
        let end = self.rest.find([',', '/', '(', ')', '.']).unwrap_or(self.rest.len());
        let (name, rest) = self.rest.split_at(end);
        self.rest = rest;
        FIELDS.contains(&name).then_some(())?;
        let inner = if self.eat('/') || self.eat('.') {
            let mut inner = Mask::default();
            self.one(depth + 1, &mut inner)?;
            inner
        } else if self.eat('(') {
            let inner = self.list(depth + 1)?;
            self.eat(')').then_some(inner)?
        } else {
            Mask::everything()
        };
        mask.add(name, inner);
        Some(())
    }
}

#[cfg(test)]
mod tests {
    use serde_json::json;

    use super::*;

    #[test]
    fn a_mask_leaves_what_is_wanted() {
        let value = json!({"variables": [{"name": "a", "text": "x"}, {"name": "b"}], "nextPageToken": "t",
                           "success": {"cardinality": {"path": "/p", "number": 1}}});
        for (mask, expected) in [
            ("nextPageToken", json!({"nextPageToken": "t"})),
            ("variables/name", json!({"variables": [{"name": "a"}, {"name": "b"}]})),
            ("variables(name,text)", json!({"variables": [{"name": "a", "text": "x"}, {"name": "b"}]})),
            ("success.cardinality/path", json!({"success": {"cardinality": {"path": "/p"}}})),
            (
                "variables/name,variables/text",
                json!({"variables": [{"name": "a", "text": "x"}, {"name": "b"}]}),
            ),
            ("*", value.clone()),
            ("done", json!({})),
        ] {
            assert_eq!(Mask::parse(mask).expect("a mask").apply(value.clone()), expected, "`{mask}`");
        }
    }

    #[test]
    fn what_is_no_mask_is_refused() {
        let deep = "error/".repeat(100) + "code";
        for text in ["nmae", "name,", "name(", "name()", "name)", "(name)", "name//text", deep.as_str()] {
            assert!(Mask::parse(text).is_err(), "`{text}`");
        }
    }
}
