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
        r##"{"seed":2006,"program":{"handlers":[{"name":"h3","hooks":["ring-relation-joined","config-changed"],"terms":[],"runs_max":2,"operations":[["ask","p","1.10"]]}],"triggers":[]},"events":[{"relate":["twin:ask","other-answerer:job"]},{"add-unit":"other-answerer"},{"run":3},{"write":["other-answerer/10","0","response_p-RELATION","{\"by\":\"hand\",\"value\":{\"a\":{\"é\":\"\\u0007\"},\"b\":[1,2.5,null]}}"]},"settle",{"configure":["number","0"]}]}"##,
    );
}

/// A handler for hooks asks before anybody looks at the flags of requests.
#[test]
fn a_request_of_a_handler_for_hooks() {
    replay(
        r##"{"seed":2,"program":{"handlers":[{"name":"h0","hooks":["leader-elected","update-status"],"terms":[],"runs_max":2,"operations":[["ask","p",true]]}],"triggers":[]},"events":[{"relate":["twin:ask","answerer:job"]}]}"##,
    );
}
