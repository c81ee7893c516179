//! Whose a file is: users and groups, by name.

use std::fs;
use std::io;

/// Where users are, and in which field their number is.
const USERS: (&str, usize) = ("/etc/passwd", 2);

/// Where groups are, and in which field their number is.
const GROUPS: (&str, usize) = ("/etc/group", 2);

/// Whose a file is: a user and a group of this machine, by name or number.
///
/// Names are looked up in `/etc/passwd` and `/etc/group` when the file is written, so a handler of the
/// same dispatch may have made them.  Users of directories elsewhere are known by number alone.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct Owner {
    user: String,
    group: String,
}

impl Owner {
    /// This user and this group.
    pub fn new(user: &str, group: &str) -> Self {
        Self { user: user.to_owned(), group: group.to_owned() }
    }

    /// Their numbers.
    pub(crate) fn ids(&self) -> io::Result<(u32, u32)> {
        Ok((id_of(&self.user, USERS)?, id_of(&self.group, GROUPS)?))
    }
}

fn id_of(name: &str, (path, field): (&str, usize)) -> io::Result<u32> {
    if let Ok(id) = name.parse() {
        return Ok(id);
    }
    let missing = || io::Error::new(io::ErrorKind::NotFound, format!("no `{name}` in {path}"));
    number_in(&fs::read_to_string(path)?, name, field).ok_or_else(missing)
}

/// The number in the line of `name`.
fn number_in(text: &str, name: &str, field: usize) -> Option<u32> {
    let lines = text.lines().map(|line| line.split(':').collect::<Vec<_>>());
    let mut ours = lines.filter(|fields| fields.first() == Some(&name));
    ours.next()?.get(field)?.parse().ok()
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn names_are_found_by_their_line() {
        let users = "root:x:0:0:root:/root:/bin/bash\nprometheus:x:107:113::/var/lib:/bin/false\nodd\n";
        assert_eq!(number_in(users, "prometheus", 2), Some(107));
        assert_eq!(number_in(users, "prom", 2), None);
        assert_eq!(number_in(users, "odd", 2), None);
        assert_eq!(Owner::new("7", "9").ids().expect("numbers"), (7, 9));
        let error = Owner::new("nobody-has-this-name", "0").ids().expect_err("no such user");
        assert_eq!(error.to_string(), "no `nobody-has-this-name` in /etc/passwd");
    }
}
