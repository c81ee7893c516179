//! Operations that clients connect to.

use std::os::unix::net::UnixStream;
use std::time::Duration;

use serde_json::{Value, json};
use tungstenite::{Message, WebSocket};

use super::client::{Client, id_of};

/// Starts an echo; gives its id and the secret of its socket.
fn echo(client: &Client) -> (String, String) {
    let (status, answer) = client.post(&json!({"kind": "demo", "class": "websocket"}));
    assert_eq!(status, 202, "{answer}");
    let secret = answer["metadata"]["metadata"]["fds"]["0"].as_str().expect("a secret").to_owned();
    assert_eq!(secret.len(), 64);
    (id_of(&answer), secret)
}

/// A websocket, or the status and the text of the refusal.
fn connect(client: &Client, id: &str, secret: &str) -> Result<WebSocket<UnixStream>, (u16, String)> {
    let stream = UnixStream::connect(client.socket()).expect("connected");
    stream.set_read_timeout(Some(Duration::from_secs(20))).expect("set");
    let url = format!("ws://localhost/1.0/operations/{id}/websocket?secret={secret}");
    match tungstenite::client(url, stream) {
        Ok((socket, _)) => Ok(socket),
        Err(tungstenite::HandshakeError::Failure(tungstenite::Error::Http(response))) => {
            let body: Value =
                serde_json::from_slice(response.body().as_deref().unwrap_or_default()).unwrap_or_default();
            Err((response.status().as_u16(), body["error"].as_str().unwrap_or_default().to_owned()))
        }
        Err(other) => panic!("{other}"),
    }
}

fn end(client: &Client, id: &str) -> Value {
    client.get(&format!("/1.0/operations/{id}/wait?timeout=20")).1["metadata"].clone()
}

#[test]
fn a_client_connects_with_the_secret_once() {
    let (_folder, client) = Client::start();
    let (id, secret) = echo(&client);
    let code = |result: Result<WebSocket<UnixStream>, (u16, String)>| result.err().map(|(code, _)| code);
    assert_eq!(code(connect(&client, &id, "")), Some(403));
    assert_eq!(code(connect(&client, &id, "0123")), Some(403));
    let (status, answer) = client.get(&format!("/1.0/operations/{id}/websocket?secret={secret}"));
    assert_eq!(
        (status, &answer["type"]),
        (400, &json!("error")),
        "that is no websocket, and uses nothing up"
    );
    let mut socket = connect(&client, &id, &secret).expect("connected");
    assert_eq!(code(connect(&client, &id, &secret)), Some(403), "it has been used");
    for text in ["hello", "again"] {
        socket.send(Message::text(text)).expect("sent");
        assert_eq!(socket.read().expect("an echo"), Message::text(text));
    }
    socket.close(None).expect("closed");
    while socket.read().is_ok() {}
    let ended = end(&client, &id);
    assert_eq!((&ended["status"], &ended["metadata"]["echoed"]), (&json!("Success"), &json!(2)));
    assert_eq!(code(connect(&client, &id, &secret)), Some(400), "it is over");
}

#[test]
fn to_cancel_hangs_up() {
    let (_folder, client) = Client::start();
    let (id, secret) = echo(&client);
    let mut socket = connect(&client, &id, &secret).expect("connected");
    assert_eq!(client.delete(&format!("/1.0/operations/{id}"), "").0, 200);
    assert_eq!(end(&client, &id)["status"], "Cancelled");
    assert!(socket.read().is_err(), "nobody is there any more");
}

#[test]
fn other_operations_cannot_be_connected_to() {
    let (_folder, client) = Client::start();
    let id = client.start_demo(&json!({"duration": 30}));
    let refused = connect(&client, &id, "x").err();
    assert_eq!(refused.map(|(code, _)| code), Some(400));
    let refused = connect(&client, "01a1ff76-7ae3-7e36-ab99-db34ad3473d9", "x").err();
    assert_eq!(refused.map(|(code, _)| code), Some(404));
}
