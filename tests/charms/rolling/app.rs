//! Charm `rolling`: members of a ring that tell each other a number, in versions that follow each other.
//!
//! Version two keeps something more, says something more, and calls a flag by another name.  Version three
//! is a mistake: it says the same as one word, which the ones before cannot read.

#![allow(dead_code, reason = "each program is one of the versions")]

use charms_reactive::prelude::*;
use serde::{Deserialize, Serialize};

use charm::{actions, endpoints, metadata};

#[expect(unreachable_pub, reason = "of programs, nobody takes anything")]
mod charm {
    use charms_reactive::Endpoint;

    charms_reactive::charm!("metadata.yaml", ring: Endpoint);
}

/// Set once the unit has told the others its number; from version two on `rolling.serving` instead.
const READY: Flag = Flag::new("rolling.ready");
const SERVING: Flag = Flag::new("rolling.serving");
/// Set while others may have told something new.
const STALE: Flag = Flag::new("rolling.stale");

/// What a member asks the others for.
#[derive(Deserialize, Serialize)]
struct Member {
    number: u32,
    /// From version two on; others are as good as average.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    weight: Option<u32>,
}

pub(crate) fn one() -> App {
    app(READY).handler(|hook: &mut Hook| publish(hook, &READY, member_of_one), none([READY]))
}

pub(crate) fn two() -> App {
    app(SERVING)
        .handler(rename, when(READY))
        .handler(keep_weight, none([SERVING]))
        .handler(|hook: &mut Hook| publish(hook, &SERVING, member_of_two), none([SERVING]))
}

pub(crate) fn three() -> App {
    app(SERVING).handler(|hook: &mut Hook| publish(hook, &SERVING, word), none([SERVING]))
}

/// What all versions have in common; `told` is the flag of a unit that has told its number.
fn app(told: Flag) -> App {
    let ring = endpoints::RING;
    let tell_again = move |hook: &mut Hook| -> Result<(), HandlerError> {
        // This version may have something else to say, and another view of what the others say.
        hook.clear(told.clone());
        hook.set(STALE);
        Ok(())
    };
    let bump = {
        let tell_again = tell_again.clone();
        move |hook: &mut Hook, _: actions::Bump| {
            let number = number(hook)? + 1;
            hook.keep("number", Some(&number.to_string()));
            tell_again(hook)
        }
    };
    App::new(metadata())
        .action(actions::BUMP, bump)
        .trigger(set(ring.changed()).sets(STALE))
        .trigger(set(ring.departed()).sets(STALE))
        .handler(tell_again, on(HookEvent::UpgradeCharm).or_on(HookEvent::Start))
        .handler(show, when(STALE))
}

/// The flag of version one has another name.
fn rename(hook: &mut Hook) -> Result<(), HandlerError> {
    hook.clear(READY);
    Ok(())
}

fn keep_weight(hook: &mut Hook) -> Result<(), HandlerError> {
    if hook.kept("weight").is_none() {
        hook.keep("weight", Some("2"));
    }
    Ok(())
}

fn member_of_one(_: &Hook, number: u32) -> Result<Member, HandlerError> {
    Ok(Member { number, weight: None })
}

fn member_of_two(hook: &Hook, number: u32) -> Result<Member, HandlerError> {
    let weight = hook.kept("weight").map(|text| text.parse()).transpose()?;
    Ok(Member { number, weight })
}

fn word(_: &Hook, number: u32) -> Result<String, HandlerError> {
    Ok(format!("{number}:2"))
}

fn number(hook: &Hook) -> Result<u32, HandlerError> {
    Ok(hook.kept("number").map_or(Ok(1), |text| text.parse())?)
}

/// Tells the others a number, in the form of a version.
fn publish<M: Serialize>(
    hook: &mut Hook,
    told: &Flag,
    message: fn(&Hook, u32) -> Result<M, HandlerError>,
) -> Result<(), HandlerError> {
    for relation in hook.endpoint(endpoints::RING).relations()? {
        relation.to_publish().set("member", message(hook, number(hook)?)?)?;
        hook.set(told.clone());
    }
    Ok(())
}

/// Shows the sum of what the others say.
fn show(hook: &mut Hook) -> Result<(), HandlerError> {
    let mut sum = 0;
    for unit in &hook.endpoint(endpoints::RING).all_joined_units()? {
        let member: Option<Member> = unit.received()?.parse("member")?;
        sum += member.map_or(0, |member| member.number);
    }
    hook.status(Active(sum.to_string()));
    hook.clear(endpoints::RING.changed());
    hook.clear(endpoints::RING.departed());
    hook.clear(STALE);
    Ok(())
}
