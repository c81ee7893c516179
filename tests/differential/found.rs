//! Sequences that once showed a mismatch, as the search for them printed them.

use crate::layout::Player;

/// Plays a sequence, which must show no difference but those that are meant.
#[track_caller]
fn replay(text: &str) {
    let sequence = serde_json::from_str(text).expect("a sequence");
    let played = Player::new().play(&sequence);
    if let Some(mismatch) = played.mismatch {
        panic!("{}\n{mismatch}", played.transcripts);
    }
}

/// In Python a request that is made again under its id has lost its answer until the next dispatch.
#[test]
fn a_request_that_is_asked_again() {
    replay(
        r#"{"seed":2006,"program":{"handlers":[{"name":"h3","hooks":["ring-relation-joined","config-changed"],"terms":[],"runs_max":2,"operations":[["ask","p","1.10"]]}],"triggers":[]},"events":[{"relate":["twin:ask","other-answerer:job"]},{"add-unit":"other-answerer"},{"run":3},{"write":["other-answerer/10","0","response_p-RELATION","{\"by\":\"hand\",\"value\":{\"a\":{\"é\":\"\\u0007\"},\"b\":[1,2.5,null]}}"]},"settle",{"configure":["number","0"]}]}"#,
    );
}

/// A handler for hooks asks before anybody looks at the flags of requests.
#[test]
fn a_request_of_a_handler_for_hooks() {
    replay(
        r#"{"seed":2,"program":{"handlers":[{"name":"h0","hooks":["leader-elected","update-status"],"terms":[],"runs_max":2,"operations":[["ask","p",true]]}],"triggers":[]},"events":[{"relate":["twin:ask","answerer:job"]}]}"#,
    );
}

/// What is asked brings flags up to date, which once had the rest of the round tested again.
#[test]
fn a_request_in_the_middle_of_a_round() {
    replay(
        r#"{"seed":6030,"program":{"handlers":[{"name":"h2","hooks":[],"terms":[["when","f.c"]],"runs_max":3,"operations":[["ask","q",true],["toggle","f.a"]]},{"name":"h4","hooks":[],"terms":[["when-not","f.a","f.a"],["when-not","f.f","config.changed.text"]],"runs_max":2,"operations":[]},{"name":"h7","hooks":[],"terms":[["when-not-all","f.f","endpoint.tell.joined"]],"runs_max":1,"operations":[["set","f.é"]]}],"triggers":[{"flag":"f.é","edge":"set","set_flag":[],"clear_flag":["f.f"]},{"flag":"f.f","edge":"cleared","set_flag":["f.c","f.b"],"clear_flag":["f.a"]}]},"events":[{"relate":["twin:ask","answerer:job"]},{"configure":["apply","-f.é -f.b +f.f"]}]}"#,
    );
}

/// To Python, which did not answer what was asked in between, the request is what it answered.
#[test]
fn a_request_that_becomes_what_it_was() {
    replay(
        r#"{"seed":140,"program":{"handlers":[],"triggers":[]},"events":[{"relate":["twin:tell","asker:job"]},{"run":1},{"write":["asker/9","0","request_x_asker-9","{\"data\":1,\"name\":\"x\",\"request_id\":\"x_asker-9\"}"]},"settle",{"write":["asker/9","0","request_x_asker-9","{\"data\":\"other\",\"name\":\"x\",\"request_id\":\"x_asker-9\"}"]},"settle",{"write":["asker/9","0","request_x_asker-9","{\"data\":1,\"name\":\"x\",\"request_id\":\"x_asker-9\"}"]}]}"#,
    );
}

/// In Python the answer to a request that was gone is there when the request comes back.
#[test]
fn a_request_that_comes_back() {
    replay(
        r#"{"seed":140,"program":{"handlers":[],"triggers":[]},"events":[{"relate":["twin:tell","asker:job"]},{"run":1},{"write":["asker/9","0","request_x_asker-9","{\"data\":1,\"name\":\"x\",\"request_id\":\"x_asker-9\"}"]},"settle",{"write":["asker/9","0","request_x_asker-9",""]},"settle",{"write":["asker/9","0","request_x_asker-9","{\"data\":1,\"name\":\"x\",\"request_id\":\"x_asker-9\"}"]}]}"#,
    );
}

/// The requests of a relation that is broken still count in Python, where Juju lists it.
#[test]
fn a_request_on_a_broken_relation() {
    replay(
        r#"{"seed":179,"program":{"handlers":[{"name":"h2","hooks":[],"terms":[["when-none","endpoint.ring.joined"]],"runs_max":2,"operations":[["ask","p",true]]}],"triggers":[]},"events":[{"relate":["twin:ask","other-answerer:job"]},{"relate":["twin:ask","answerer:job"]},"settle",{"write":["answerer/9","0","response_p-RELATION","{\"value\":\"nine\"}"]},{"unrelate":["twin:ask","other-answerer:job"]}]}"#,
    );
}
