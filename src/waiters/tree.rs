//! Variables in a tree of segments, counted at every prefix of their paths.

use std::collections::{BTreeSet, HashMap};

use charms_reactive_core::waiter::{Cardinality, VariablePath};

/// Why a variable cannot stand where it is to stand.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum Conflict {
    /// There is one of this path.
    Exists,
    /// There is one above it, or below it.
    Prefix,
}

type Id = u32;

/// A waiter, and whether it is its failure that is looked for here.
pub(crate) type Mark = (u64, bool);

/// One prefix of a path.
#[derive(Debug, Default)]
#[expect(clippy::box_collection, reason = "most of a million nodes have neither: 16 bytes instead of 72")]
struct Node {
    /// The node above, and by which segment it leads here.
    parent: Id,
    segment: Box<str>,
    /// How many variables stand here and below.
    count: u32,
    is_variable: bool,
    children: Option<Box<HashMap<Box<str>, Id>>>,
    /// What is waited for here: the number, and by whom.  All numbers are greater than `count`.
    thresholds: Option<Box<BTreeSet<(u32, Mark)>>>,
}

impl Node {
    fn is_spent(&self) -> bool {
        self.count == 0 && self.children.is_none() && self.thresholds.is_none()
    }
}

/// Variables in a tree, counted at every prefix of their paths.
///
/// # Invariants
///
/// There is a node for each prefix of a variable's path and of a path that is waited for, and no other.
#[derive(Debug)]
pub struct Tree {
    /// The root first; places of nodes that went are used again.
    nodes: Vec<Node>,
    free: Vec<Id>,
    touched: u64,
}

const ROOT: Id = 0;

impl Default for Tree {
    fn default() -> Self {
        Self { nodes: vec![Node::default()], free: Vec::new(), touched: 0 }
    }
}

impl Tree {
    /// A tree without variables.
    pub fn new() -> Self {
        Self::default()
    }

    /// The tree of these variables.
    pub fn of(paths: impl IntoIterator<Item = VariablePath>) -> Self {
        let mut tree = Self::new();
        for path in paths {
            tree.insert(&path);
        }
        tree
    }

    /// How many variables stand at `path` and below it.
    pub fn count(&self, path: &VariablePath) -> u32 {
        self.find(path).map_or(0, |id| self.node(id).count)
    }

    /// Whether there is a variable of this path.
    pub fn contains(&self, path: &VariablePath) -> bool {
        self.find(path).is_some_and(|id| self.node(id).is_variable)
    }

    /// What keeps a new variable from standing at `path`.
    pub fn conflict(&self, path: &VariablePath) -> Option<Conflict> {
        let mut id = ROOT;
        for segment in path.segments() {
            if self.node(id).is_variable {
                return Some(Conflict::Prefix);
            }
            id = self.child(id, segment)?;
        }
        match self.node(id) {
            node if node.is_variable => Some(Conflict::Exists),
            node => (node.count > 0).then_some(Conflict::Prefix),
        }
    }

    /// How many nodes were visited by changes so far: what the cost of a change is measured by.
    pub fn touched(&self) -> u64 {
        self.touched
    }

    /// How many nodes there are.
    pub fn len(&self) -> usize {
        self.nodes.len() - self.free.len()
    }

    /// Whether there is neither a variable nor anything that is waited for.
    pub fn is_empty(&self) -> bool {
        self.node(ROOT).is_spent()
    }

    /// Puts a variable at `path`; gives who was waiting for a number that is reached now.
    ///
    /// One that stands there already is no change.
    pub(crate) fn insert(&mut self, path: &VariablePath) -> Vec<Mark> {
        let leaf = self.make(path);
        if std::mem::replace(&mut self.node_mut(leaf).is_variable, true) {
            return Vec::new();
        }
        let mut reached = Vec::new();
        let mut id = leaf;
        loop {
            self.touched += 1;
            let node = self.node_mut(id);
            node.count += 1;
            let count = node.count;
            if let Some(thresholds) = &mut node.thresholds {
                while thresholds.first().is_some_and(|(number, _)| *number <= count) {
                    reached.extend(thresholds.pop_first().map(|(_, mark)| mark));
                }
                if thresholds.is_empty() {
                    node.thresholds = None;
                }
            }
            if id == ROOT {
                return reached;
            }
            id = self.node(id).parent;
        }
    }

    /// Takes the variable at `path` away; tells whether there was one.
    pub(crate) fn remove(&mut self, path: &VariablePath) -> bool {
        let Some(id) = self.find(path) else { return false };
        if !std::mem::take(&mut self.node_mut(id).is_variable) {
            return false;
        }
        self.subtract(id, 1);
        self.prune(id);
        true
    }

    /// Takes all variables at `path` and below it away; tells how many there were.
    pub(crate) fn remove_below(&mut self, path: &VariablePath) -> u32 {
        let Some(top) = self.find(path) else { return 0 };
        let count = self.node(top).count;
        if count == 0 {
            return 0;
        }
        self.subtract(top, count);
        self.clear(top);
        self.prune(top);
        count
    }

    /// Notes that `mark` waits for a number under a path; the number must not be reached yet.
    pub(crate) fn wait(&mut self, condition: &Cardinality, mark: Mark) {
        let id = self.make(&condition.path);
        let node = self.node_mut(id);
        debug_assert!(!condition.is_met(node.count), "it would never be told");
        node.thresholds.get_or_insert_default().insert((condition.number, mark));
    }

    /// Forgets that `mark` waits for a number under a path.
    pub(crate) fn forget(&mut self, condition: &Cardinality, mark: Mark) {
        let Some(id) = self.find(&condition.path) else { return };
        let node = self.node_mut(id);
        if let Some(thresholds) = &mut node.thresholds {
            thresholds.remove(&(condition.number, mark));
            if thresholds.is_empty() {
                node.thresholds = None;
            }
        }
        self.prune(id);
    }

    fn node(&self, id: Id) -> &Node {
        &self.nodes[id as usize]
    }

    fn node_mut(&mut self, id: Id) -> &mut Node {
        &mut self.nodes[id as usize]
    }

    fn child(&self, id: Id, segment: &str) -> Option<Id> {
        self.node(id).children.as_ref()?.get(segment).copied()
    }

    fn find(&self, path: &VariablePath) -> Option<Id> {
        path.segments().try_fold(ROOT, |id, segment| self.child(id, segment))
    }

    /// The node of `path`, made where it is missing.
    fn make(&mut self, path: &VariablePath) -> Id {
        let mut id = ROOT;
        for segment in path.segments() {
            self.touched += 1;
            id = match self.child(id, segment) {
                Some(child) => child,
                None => self.add(id, segment),
            };
        }
        id
    }

    fn add(&mut self, parent: Id, segment: &str) -> Id {
        let node = Node { parent, segment: segment.into(), ..Node::default() };
        let id = if let Some(id) = self.free.pop() {
            *self.node_mut(id) = node;
            id
        } else {
            self.nodes.push(node);
            Id::try_from(self.nodes.len() - 1)
                .expect("fewer than four thousand million prefixes fit into memory")
        };
        self.node_mut(parent).children.get_or_insert_default().insert(segment.into(), id);
        id
    }

    /// Counts down from `id` to the root.
    fn subtract(&mut self, mut id: Id, count: u32) {
        loop {
            self.touched += 1;
            self.node_mut(id).count -= count;
            if id == ROOT {
                return;
            }
            id = self.node(id).parent;
        }
    }

    /// Forgets all variables at `top` and below, whose counts above are right already.
    fn clear(&mut self, top: Id) {
        let mut open = vec![top];
        let mut seen = Vec::new();
        while let Some(id) = open.pop() {
            let node = self.node_mut(id);
            (node.count, node.is_variable) = (0, false);
            if let Some(children) = &node.children {
                open.extend(children.values().copied());
            }
            seen.push(id);
        }
        self.touched += seen.len() as u64;
        // Those below come after those above: from the end on, each is spent before its parent is asked.
        for id in seen.into_iter().skip(1).rev() {
            self.drop_spent(id);
        }
    }

    /// Takes away `id` and what is above it, as far as nothing is there any more.
    fn prune(&mut self, mut id: Id) {
        while id != ROOT {
            let parent = self.node(id).parent;
            if !self.drop_spent(id) {
                return;
            }
            id = parent;
        }
    }

    /// Takes one node away if nothing is there any more; tells whether it did.
    fn drop_spent(&mut self, id: Id) -> bool {
        if !self.node(id).is_spent() {
            return false;
        }
        let node = std::mem::take(self.node_mut(id));
        let parent = self.node_mut(node.parent);
        if let Some(children) = &mut parent.children {
            children.remove(&node.segment);
            if children.is_empty() {
                parent.children = None;
            }
        }
        self.free.push(id);
        true
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    fn path(text: &str) -> VariablePath {
        VariablePath::parse(text).expect("a path")
    }

    fn tree(paths: &[&str]) -> Tree {
        Tree::of(paths.iter().copied().map(path))
    }

    #[test]
    fn whole_segments_count_and_the_path_itself() {
        let tree = tree(&["foo/a", "foo/b/c", "foobar/x", "foo-1", "bar"]);
        for (text, count) in [
            ("/foo", 2),
            ("foo/", 2),
            ("/foo/b", 1),
            ("/foo/b/c", 1),
            ("/bar", 1),
            ("/fo", 0),
            ("/foo/a/b", 0),
            ("/", 5),
        ] {
            assert_eq!(tree.count(&path(text)), count, "`{text}`");
        }
    }

    #[test]
    fn a_variable_stands_neither_above_nor_below_another() {
        let tree = tree(&["a/b"]);
        for (text, conflict) in [
            ("a/b", Some(Conflict::Exists)),
            ("a", Some(Conflict::Prefix)),
            ("a/b/c", Some(Conflict::Prefix)),
            ("a/b/c/d", Some(Conflict::Prefix)),
            ("a/c", None),
            ("ab", None),
        ] {
            assert_eq!(tree.conflict(&path(text)), conflict, "`{text}`");
        }
    }

    #[test]
    fn nothing_is_left_of_what_went() {
        let mut tree = tree(&["a/b/c", "a/b/d/e", "a/x"]);
        tree.wait(&Cardinality::new(path("a/b/d"), 7), (1, false));
        assert_eq!(tree.remove_below(&path("a/b")), 2);
        assert_eq!(tree.count(&path("/")), 1);
        assert!(tree.remove(&path("a/x")));
        assert!(!tree.remove(&path("a/x")));
        assert_eq!(tree.len(), 4, "the root, and the path that is waited for");
        tree.forget(&Cardinality::new(path("a/b/d"), 7), (1, false));
        assert!(tree.is_empty());
        assert_eq!(tree.len(), 1);
    }

    #[test]
    fn places_of_nodes_are_used_again() {
        let mut tree = Tree::new();
        for _ in 0..1000 {
            tree.insert(&path("a/b/c"));
            tree.remove(&path("a/b/c"));
        }
        assert_eq!(tree.nodes.len(), 4);
    }
}
