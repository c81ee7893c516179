//! Lists whose elements can be found by position and by key.

use std::ops::Index;

/// An element of a [`KeyList`].
pub trait Keyed {
    /// What elements are found by.
    type Key: PartialEq + std::fmt::Display;

    /// The key of this element.
    fn key(&self) -> &Self::Key;
}

/// A list whose elements can be found by position and by key.
///
/// Keys may occur more than once (a unit that is related twice); the first one is found.
///
/// ```
/// use charms_reactive_runtime::key_list::{KeyList, Keyed};
///
/// struct Port(String, u16);
/// impl Keyed for Port {
///     type Key = String;
///     fn key(&self) -> &String {
///         &self.0
///     }
/// }
///
/// let ports: KeyList<Port> = [("web", 80), ("admin", 81)].map(|(name, port)| Port(name.into(), port)).into();
/// assert_eq!(ports[0].1, 80);
/// assert_eq!(ports["admin"].1, 81);
/// assert_eq!(ports.keys().collect::<Vec<_>>(), ["web", "admin"]);
/// ```
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct KeyList<T>(Vec<T>);

impl<T: Keyed> KeyList<T> {
    /// The element at a position.
    pub fn get(&self, position: usize) -> Option<&T> {
        self.0.get(position)
    }

    /// The first element with this key, as text.
    pub fn by_key(&self, key: &str) -> Option<&T> {
        self.0.iter().find(|element| element.key().to_string() == key)
    }

    /// The keys, in the order of the elements; one may occur more than once.
    pub fn keys(&self) -> impl Iterator<Item = &T::Key> {
        self.0.iter().map(Keyed::key)
    }

    /// The elements with their keys.
    pub fn items(&self) -> impl Iterator<Item = (&T::Key, &T)> {
        self.0.iter().map(|element| (element.key(), element))
    }
}

impl<T> KeyList<T> {
    /// The elements.
    pub fn iter(&self) -> std::slice::Iter<'_, T> {
        self.0.iter()
    }

    /// The first element.
    pub fn first(&self) -> Option<&T> {
        self.0.first()
    }

    /// How many elements there are.
    pub fn len(&self) -> usize {
        self.0.len()
    }

    /// Whether there is none.
    pub fn is_empty(&self) -> bool {
        self.0.is_empty()
    }
}

impl<T> Default for KeyList<T> {
    fn default() -> Self {
        Self(Vec::new())
    }
}

impl<T> From<Vec<T>> for KeyList<T> {
    fn from(elements: Vec<T>) -> Self {
        Self(elements)
    }
}

impl<T, const N: usize> From<[T; N]> for KeyList<T> {
    fn from(elements: [T; N]) -> Self {
        Self(elements.into())
    }
}

impl<T> FromIterator<T> for KeyList<T> {
    fn from_iter<I: IntoIterator<Item = T>>(elements: I) -> Self {
        Self(elements.into_iter().collect())
    }
}

impl<T> IntoIterator for KeyList<T> {
    type Item = T;
    type IntoIter = std::vec::IntoIter<T>;

    fn into_iter(self) -> Self::IntoIter {
        self.0.into_iter()
    }
}

impl<'a, T> IntoIterator for &'a KeyList<T> {
    type Item = &'a T;
    type IntoIter = std::slice::Iter<'a, T>;

    fn into_iter(self) -> Self::IntoIter {
        self.0.iter()
    }
}

impl<T> Index<usize> for KeyList<T> {
    type Output = T;

    /// # Panics
    ///
    /// When there is no element at this position; [`KeyList::get`] does not.
    fn index(&self, position: usize) -> &T {
        &self.0[position]
    }
}

impl<T: Keyed> Index<&str> for KeyList<T> {
    type Output = T;

    /// # Panics
    ///
    /// When there is no element with this key; [`KeyList::by_key`] does not.
    fn index(&self, key: &str) -> &T {
        match self.by_key(key) {
            Some(element) => element,
            None => panic!("no element with key `{key}`"),
        }
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    impl Keyed for (String, u32) {
        type Key = String;
        fn key(&self) -> &String {
            &self.0
        }
    }

    #[test]
    fn a_key_that_occurs_twice_finds_the_first() {
        let list: KeyList<(String, u32)> =
            [("a", 1), ("b", 2), ("a", 3)].map(|(k, v)| (k.to_owned(), v)).into();
        assert_eq!(list["a"].1, 1);
        assert_eq!(list.keys().collect::<Vec<_>>(), ["a", "b", "a"]);
        assert_eq!(list[2].1, 3);
        assert_eq!(list.by_key("c"), None);
        assert_eq!(list.get(3), None);
    }
}
