//! What is told of commands that are not there.

use super::*;

/// Juju 4 as Rust's own way to start programs tells of it.
struct Without;

impl HookCommands for Without {
    fn call(&mut self, request: &Request) -> Result<Answer, CommandError> {
        let command = request.name.to_owned();
        Err(CommandError::Start { command, source: io::ErrorKind::NotFound.into() })
    }
}

#[test]
fn a_command_of_other_releases_is_told_as_that() {
    let told = |error: CommandError| error.to_string();
    assert_eq!(
        told(Without.leader_get().unwrap_err()),
        "this Juju has no hook command `leader-get`, expected Juju 3 or older"
    );
    assert_eq!(
        told(Without.secret_ids().unwrap_err()),
        "this Juju has no hook command `secret-ids`, expected Juju 3 or newer"
    );
    let relation = RelationId::parse("db:1").unwrap();
    assert_eq!(
        told(Without.relation_model_get(&relation).unwrap_err()),
        "this Juju has no hook command `relation-model-get`, expected Juju 3.6.2 or newer"
    );
    // All releases have it: there is no Juju at all.
    assert_eq!(told(Without.is_leader().unwrap_err()), "cannot start hook command `is-leader`");
}
