//! Against what Go wrote, against what no Go writes, and against noise.

use super::gob::{self, builtin};
use super::*;

const CONTEXT: &str = "wordpress/0-db-relation-changed-00112233445566778899aabbccddeeff";

/// One side's turns in a capture, each as one piece of bytes.
fn turns(capture: &str, side: &str) -> Vec<Vec<u8>> {
    let mut turns = Vec::new();
    let mut is_wanted = false;
    for line in capture.lines().filter(|line| !line.is_empty() && !line.starts_with('#')) {
        if line == "caller" || line == "agent" {
            is_wanted = line == side;
            if is_wanted {
                turns.push(Vec::new());
            }
        } else if is_wanted {
            let bytes = line.split(' ').map(|hex| u8::from_str_radix(hex, 16).unwrap());
            turns.last_mut().unwrap().extend(bytes);
        }
    }
    turns
}

struct Capture {
    text: &'static str,
    /// What the caller said, turn by turn.
    calls: Vec<Call>,
    /// What the agent said, turn by turn.
    replies: Vec<Reply>,
}

fn call(command: &str, args: &[&str], stdin: Option<&str>) -> Call {
    Call {
        context_id: CONTEXT.to_owned(),
        dir: "/srv".to_owned(),
        command: command.to_owned(),
        args: args.iter().map(|arg| (*arg).to_owned()).collect(),
        stdin: stdin.map(|text| text.as_bytes().to_vec()),
        token: String::new(),
    }
}

fn done(code: i32, stdout: &str, stderr: &str) -> Reply {
    Reply::Done(Answer { code, stdout: stdout.into(), stderr: stderr.into() })
}

fn captures() -> [Capture; 4] {
    let set = ["-r", "db:1", "--file", "-"];
    let bag = "{\"egress-subnets\":\"10.0.0.7/32\",\"ingress-address\":\"10.0.0.7\",\
               \"private-address\":\"10.0.0.7\"}\n";
    let no_relation = "ERROR invalid value \"db:99\" for option -r: relation not found\n";
    [
        Capture {
            text: include_str!("captures/answer.hex"),
            calls: vec![call("relation-get", &["--format=json", "-", "mysql/0"], None)],
            replies: vec![done(0, bag, "")],
        },
        Capture {
            text: include_str!("captures/stdin.hex"),
            calls: vec![
                call("relation-set", &set, None),
                call("relation-set", &set, Some("hostname: db1\nport: \"3306\"\n")),
            ],
            replies: vec![Reply::Refused(STDIN_WANTED.to_owned()), done(0, "", "")],
        },
        Capture {
            text: include_str!("captures/failure.hex"),
            calls: vec![],
            replies: vec![done(2, "", no_relation)],
        },
        Capture {
            text: include_str!("captures/refusal.hex"),
            calls: vec![call("no-such-tool", &[], None)],
            replies: vec![Reply::Refused("bad request: unknown command: no-such-tool".to_owned())],
        },
    ]
}

/// Everything a server finds in `pieces`.
fn read_calls<'a>(pieces: impl IntoIterator<Item = &'a [u8]>) -> Result<Vec<(u64, Call)>, WireError> {
    let (mut codec, mut calls) = (ServerCodec::default(), Vec::new());
    for piece in pieces {
        codec.push(piece);
        while let Some(call) = codec.next_call()? {
            calls.push(call);
        }
    }
    Ok(calls)
}

/// Everything a client finds in `pieces`.
fn read_replies<'a>(pieces: impl IntoIterator<Item = &'a [u8]>) -> Result<Vec<(u64, Reply)>, WireError> {
    let (mut codec, mut replies) = (ClientCodec::default(), Vec::new());
    for piece in pieces {
        codec.push(piece);
        while let Some(reply) = codec.next_reply()? {
            replies.push(reply);
        }
    }
    Ok(replies)
}

#[test]
fn calls_are_written_as_go_writes_them() {
    for Capture { text, calls, .. } in captures() {
        let mut codec = ClientCodec::default();
        let written: Vec<_> = calls.iter().map(|call| codec.call(call)).collect();
        assert_eq!(written, turns(text, "caller"), "{text}");
    }
}

#[test]
fn replies_are_written_as_go_writes_them() {
    for Capture { text, replies, .. } in captures() {
        let mut codec = ServerCodec::default();
        let written: Vec<_> = (0..).zip(&replies).map(|(seq, reply)| codec.reply(seq, reply)).collect();
        assert_eq!(written, turns(text, "agent"), "{text}");
    }
}

#[test]
fn what_go_wrote_is_read_however_it_is_cut() {
    for Capture { text, calls, replies } in captures() {
        let calls: Vec<_> = (0..).zip(calls).collect();
        let replies: Vec<_> = (0..).zip(replies).collect();
        let sent = turns(text, "caller").concat();
        let received = turns(text, "agent").concat();
        assert_eq!(read_calls(sent.chunks(1)), Ok(calls.clone()), "{text}");
        assert_eq!(read_replies(received.chunks(1)), Ok(replies.clone()), "{text}");
        for cut in 0..=sent.len() {
            let (first, second) = sent.split_at(cut);
            assert_eq!(read_calls([first, second]), Ok(calls.clone()), "cut at {cut}: {text}");
        }
        for cut in 0..=received.len() {
            let (first, second) = received.split_at(cut);
            assert_eq!(read_replies([first, second]), Ok(replies.clone()), "cut at {cut}: {text}");
        }
    }
}

#[test]
fn a_caller_without_tokens_is_understood() {
    let call = Call { token: "secret".to_owned(), ..call("is-leader", &[], None) };
    let with = ClientCodec::default().call(&call);
    let without = ClientCodec::without_token().call(&call);
    assert!(!without.windows(5).any(|window| window == b"Token" || window == b"secre"));
    assert_eq!(read_calls([&with[..]]), Ok(vec![(0, call.clone())]));
    assert_eq!(read_calls([&without[..]]), Ok(vec![(0, Call { token: String::new(), ..call })]));
}

#[test]
fn empty_input_differs_from_none() {
    let call = call("state-set", &["--file", "-"], Some(""));
    let bytes = ClientCodec::default().call(&call);
    assert_eq!(read_calls([&bytes[..]]), Ok(vec![(0, call)]));
}

#[test]
fn extreme_values_cross_the_wire() {
    let long = "x".repeat(300_000);
    let sent = call(&long, &["", "-", "\u{1F980}", &long], Some(&long));
    let bytes = ClientCodec::default().call(&sent);
    assert_eq!(read_calls(bytes.chunks(65_536)), Ok(vec![(0, sent)]));
    for code in [i32::MIN, -2, -1, 0, 1, 63, 64, 255, i32::MAX] {
        let reply = done(code, &long, "no");
        let bytes = ServerCodec::default().reply(u64::MAX, &reply);
        assert_eq!(read_replies(bytes.chunks(65_536)), Ok(vec![(u64::MAX, reply)]));
    }
}

#[test]
fn text_that_is_no_utf8_is_read_with_replacements() {
    let mut bytes = ClientCodec::default().call(&call("juju-log", &["caf\u{e9}"], None));
    let accent = bytes.windows(2).position(|pair| pair == "\u{e9}".as_bytes()).unwrap();
    bytes[accent] = 0xff;
    bytes[accent + 1] = b'!';
    let calls = read_calls([&bytes[..]]).unwrap();
    assert_eq!(calls[0].1.args, ["caf\u{fffd}!"]);
}

/// A call that Go could write from other sources: other ids, the definitions backwards, more fields
/// in another order, of every type that gob has.
fn foreign_call() -> Vec<u8> {
    const HEADER: i64 = 1000;
    const CALL: i64 = 70;
    const TEXTS: i64 = 90;
    const MAP: i64 = 64;
    const TIME: i64 = 91;
    const INNER: i64 = 92;
    const ARRAY: i64 = 93;
    let mut out = Vec::new();
    gob::put_list_definition(&mut out, TEXTS, "Words", builtin::TEXT);
    let fields = [
        ("Args", TEXTS),
        ("Map", MAP),
        ("Time", TIME),
        ("Inner", INNER),
        ("Any", builtin::INTERFACE),
        ("Complex", builtin::COMPLEX),
        ("Float", builtin::FLOAT),
        ("Array", ARRAY),
        ("CommandName", builtin::TEXT),
    ];
    gob::put_struct_definition(&mut out, CALL, "Request2", &fields);
    gob::put_struct_definition(&mut out, INNER, "Inner", &[("Inner", INNER), ("Int", builtin::INT)]);
    gob::put_value(&mut out, -MAP, |definition| {
        definition.inner(4, |map| map.int(2, builtin::TEXT).int(3, TEXTS).end()).end();
    });
    gob::put_value(&mut out, -ARRAY, |definition| {
        definition.inner(1, |array| array.int(2, builtin::BOOL).int(3, 2).end()).end();
    });
    gob::put_value(&mut out, -TIME, |definition| {
        definition.inner(5, |own| own.inner(1, |common| common.text(1, "Time").end()).end()).end();
    });
    let fields = [("Seq", builtin::UINT), ("Extra", builtin::BYTES), ("ServiceMethod", builtin::TEXT)];
    gob::put_struct_definition(&mut out, HEADER, "Request2", &fields);
    gob::put_value(&mut out, HEADER, |header| header.uint(1, 7).bytes(2, b"x").text(3, METHOD).end());
    gob::put_value(&mut out, CALL, |body| {
        let put_text = |out: &mut Vec<u8>, text: &&str| gob::put_bytes(out, text.as_bytes());
        let put_entry = |out: &mut Vec<u8>, text: &&str| {
            put_text(out, text);
            gob::put_uint(out, 1);
            put_text(out, text);
        };
        let put_uint = |out: &mut Vec<u8>, value: &u64| gob::put_uint(out, *value);
        let body = body.list(1, &["a", "b"], put_text).list(2, &["k", "l"], put_entry).bytes(3, b"time");
        let mut body = body.inner(4, |inner| inner.inner(1, |inner| inner.int(2, -5).end()).int(2, 3).end());
        // An interface: the name of a type, its number, the length of the value, the value.
        body.begin(5).extend(b"\x06string\x0c\x03\x00\x01x");
        // A complex number: two floats.
        body.begin(6).extend(b"\xfe\xf0\x3f\x40");
        body.uint(7, 0xf8ff).list(8, &[1, 0], put_uint).text(9, "goal-state").end();
    });
    out
}

#[test]
fn what_we_do_not_know_is_skipped() {
    let expected = Call {
        command: "goal-state".to_owned(),
        args: vec!["a".to_owned(), "b".to_owned()],
        ..Call::default()
    };
    assert_eq!(read_calls([&foreign_call()[..]]), Ok(vec![(7, expected)]));
}

#[test]
fn a_method_that_does_not_exist_is_refused_as_go_does() {
    for (method, expected) in [
        ("Jujuc.main", "rpc: can't find method Jujuc.main"),
        ("Jujuc.", "rpc: can't find method Jujuc."),
        ("JujuRunServer.RunCommands", "rpc: can't find service JujuRunServer.RunCommands"),
        ("Jujuc.Main.Main", "rpc: can't find service Jujuc.Main.Main"),
        ("Main", "rpc: service/method request ill-formed: Main"),
        ("", "rpc: service/method request ill-formed: "),
    ] {
        let mut sent = Vec::new();
        let fields = [("ServiceMethod", builtin::TEXT)];
        gob::put_struct_definition(&mut sent, 65, "Request", &fields);
        gob::put_value(&mut sent, 65, |header| header.text(1, method).end());
        gob::put_value(&mut sent, 65, |body| body.text(1, "no matter").end());
        // The connection goes on: a good call follows.
        let mut client = ClientCodec::default();
        let mut server = ServerCodec::default();
        server.push(&sent);
        assert_eq!(server.next_call(), Ok(None));
        client.push(&server.take_refusals());
        assert_eq!(client.next_reply(), Ok(Some((0, Reply::Refused(expected.to_owned())))));
        assert!(server.take_refusals().is_empty(), "they are given out once");
    }
}

#[test]
fn a_body_of_another_form_is_refused_and_the_next_call_is_not() {
    let mut client = ClientCodec::default();
    let mut sent = client.call(&call("is-leader", &[], None));
    // A header in the place of a body.
    gob::put_value(&mut sent, 65, |header| header.text(1, METHOD).uint(2, 5).end());
    gob::put_struct_definition(&mut sent, 80, "Request", &[("Args", builtin::TEXT)]);
    gob::put_value(&mut sent, 80, |body| body.text(1, "one text").end());
    sent.extend(client.call(&call("goal-state", &[], None)));
    let mut server = ServerCodec::default();
    server.push(&sent);
    assert_eq!(server.next_call(), Ok(Some((0, call("is-leader", &[], None)))));
    assert_eq!(server.next_call(), Ok(Some((1, call("goal-state", &[], None)))));
    client.push(&server.take_refusals());
    let expected = "gob: `Args` is a string, expected a list of strings";
    assert_eq!(client.next_reply(), Ok(Some((5, Reply::Refused(expected.to_owned())))));
}

#[test]
fn a_refusal_without_words_stays_a_refusal() {
    let bytes = ServerCodec::default().reply(0, &Reply::Refused(String::new()));
    let expected = Reply::Refused("refused without a reason".to_owned());
    assert_eq!(read_replies([&bytes[..]]), Ok(vec![(0, expected)]));
}

/// A message made of `payload`.
fn message(payload: &[u8]) -> Vec<u8> {
    let mut out = Vec::new();
    gob::put_bytes(&mut out, payload);
    out
}

/// A header of type 65 whose field `Extra` has the type `id`, defined, begun and up to its value.
fn header_with_extra(id: i64, definitions: &[Vec<u8>], value: &[u8]) -> Vec<u8> {
    let mut out = Vec::new();
    gob::put_struct_definition(&mut out, 65, "Request", &[("Extra", id)]);
    out.extend(definitions.concat());
    out.extend(message(&[b"\xff\x82\x01", value].concat()));
    out
}

#[test]
fn bytes_that_break_the_rules_are_refused_by_name() {
    let mut many = Vec::new();
    for id in 65..=65 + i64::try_from(DEFINITIONS_MAX).unwrap() {
        gob::put_list_definition(&mut many, id, "", builtin::TEXT);
    }
    let mut wide = Vec::new();
    let fields = vec![("x", builtin::TEXT); FIELDS_MAX + 1];
    gob::put_struct_definition(&mut wide, 65, "", &fields);
    let mut long = Vec::new();
    gob::put_list_definition(&mut long, 65, &"x".repeat(DEFINITION_BYTES_MAX), builtin::TEXT);
    let mut list_of_itself = Vec::new();
    gob::put_list_definition(&mut list_of_itself, 66, "", 66);
    let deep = header_with_extra(66, &[list_of_itself], &[1; DEPTH_MAX + 5]);
    let mut twice = Vec::new();
    gob::put_list_definition(&mut twice, 65, "", builtin::TEXT);
    gob::put_list_definition(&mut twice, 65, "", builtin::TEXT);
    let mut built_in = Vec::new();
    gob::put_list_definition(&mut built_in, 6, "", builtin::TEXT);

    for (sent, expected) in [
        (
            b"\xfc\x7f\xff\xff\xff".to_vec(),
            "too many bytes in a message: 2147483647, expected at most 16842752",
        ),
        (
            b"\xf8\xff\xff\xff\xff\xff\xff\xff\xff".to_vec(),
            "too many bytes in a message: 18446744073709551615, expected at most 16842752",
        ),
        (b"\x80".to_vec(), "byte `0x80` does not begin a number"),
        (b"\x00".to_vec(), "a message ends in the middle of a value"),
        (b"\x02\x0c\x05".to_vec(), "`message` is a string, expected a struct"),
        (b"\x03\xff\x82\x00".to_vec(), "type 65 was not defined before its use"),
        (
            message(b"\xf8\xff\xff\xff\xff\xff\xff\xff\xff"),
            "type -9223372036854775808 was not defined before its use",
        ),
        (message(b"\xff\x81\x00"), "the definition of type 65 defines nothing we know"),
        (message(b"\xff\x81\x09"), "field 9 is not in the definition of its struct"),
        (message(b"\xff\x81\x03\x02\x7f"), "a message ends in the middle of a value"),
        (header_with_extra(builtin::TEXT, &[], b"\x7f"), "a message ends in the middle of a value"),
        (
            header_with_extra(builtin::UINT, &[], b"\x01\x01\x01\x00"),
            "field 2 is not in the definition of its struct",
        ),
        (
            header_with_extra(builtin::UINT, &[], b"\x01\xf8\xff\xff\xff\xff\xff\xff\xff\xff"),
            "field 18446744073709551615 is not in the definition of its struct",
        ),
        (header_with_extra(99, &[], b"\x01"), "type 99 was not defined before its use"),
        (many, "too many definitions: 65, expected at most 64"),
        (wide, "too many fields in a struct: 257, expected at most 256"),
        (long, "too many bytes in a definition: 16400, expected at most 16384"),
        (deep, "too many values in each other: 33, expected at most 32"),
        (twice, "type 65 cannot be defined, the number is taken"),
        (built_in, "type 6 cannot be defined, the number is taken"),
    ] {
        let error = read_calls([&sent[..]]).expect_err(expected);
        assert_eq!(error.to_string(), expected, "{sent:02x?}");
        let error = read_replies([&sent[..]]).expect_err(expected);
        assert_eq!(error.to_string(), expected, "{sent:02x?}");
    }
}

#[test]
fn an_answer_has_an_exit_code_of_a_process() {
    let mut sent = Vec::new();
    gob::put_struct_definition(&mut sent, 65, "Response", &[("Code", builtin::INT)]);
    gob::put_empty_value(&mut sent, 65);
    gob::put_value(&mut sent, 65, |body| body.int(1, 1 << 32).end());
    assert_eq!(read_replies([&sent[..]]), Err(WireError::ExitCode { code: 1 << 32 }));
}

#[test]
fn a_call_has_a_bounded_number_of_arguments() {
    let most = call("juju-log", &vec![""; ARGS_MAX], None);
    let bytes = ClientCodec::default().call(&most);
    assert_eq!(read_calls([&bytes[..]]), Ok(vec![(0, most)]));

    let bytes = ClientCodec::default().call(&call("juju-log", &vec![""; ARGS_MAX + 1], None));
    let mut server = ServerCodec::default();
    server.push(&bytes);
    assert_eq!(server.next_call(), Ok(None));
    let expected = "gob: too many arguments: 65537, expected at most 65536";
    let refusal = server.take_refusals();
    assert_eq!(read_replies([&refusal[..]]), Ok(vec![(0, Reply::Refused(expected.to_owned()))]));
}

/// A small generator (xorshift64*), so that a seed is a run.
struct Noise(u64);

impl Noise {
    fn from_seed(seed: u64) -> Self {
        Self(seed.wrapping_mul(0x9e37_79b9_7f4a_7c15) | 1)
    }

    fn next(&mut self) -> u64 {
        self.0 ^= self.0 >> 12;
        self.0 ^= self.0 << 25;
        self.0 ^= self.0 >> 27;
        self.0.wrapping_mul(0x2545_f491_4f6c_dd1d) >> 32
    }

    fn below(&mut self, end: usize) -> usize {
        usize::try_from(self.next()).unwrap() % end
    }

    fn one_in(&mut self, count: usize) -> bool {
        self.below(count) == 0
    }

    fn byte(&mut self) -> u8 {
        // Small numbers and the edges of gob's are where its decisions are.
        const EDGES: [u8; 12] = [0, 1, 2, 3, 4, 5, 0x7f, 0x80, 0x81, 0xf8, 0xfe, 0xff];
        if self.one_in(2) { EDGES[self.below(EDGES.len())] } else { self.next().to_le_bytes()[0] }
    }

    fn text(&mut self, bytes_max: usize) -> String {
        let letters = ["", "a", "-", " ", "=", "\u{0}", "\u{e9}", "\u{1F980}", "key"];
        let mut text = String::new();
        for _ in 0..self.below(bytes_max + 1) {
            text.push_str(letters[self.below(letters.len())]);
        }
        text
    }

    fn call(&mut self) -> Call {
        Call {
            context_id: self.text(80),
            dir: self.text(10),
            command: self.text(10),
            args: (0..self.below(6)).map(|_| self.text(200)).collect(),
            stdin: self.one_in(2).then(|| self.text(2_000).into_bytes()),
            token: self.text(3),
        }
    }

    fn reply(&mut self) -> Reply {
        if self.one_in(4) {
            return Reply::Refused(format!("bad request: {}", self.text(60)));
        }
        let code = i32::from(self.byte()) - 128;
        Reply::Done(Answer { code, stdout: self.text(3_000).into(), stderr: self.text(100).into() })
    }

    /// `bytes` in pieces of random sizes.
    fn pieces<'a>(&mut self, mut bytes: &'a [u8]) -> Vec<&'a [u8]> {
        let mut pieces = Vec::new();
        while !bytes.is_empty() {
            let (piece, rest) = bytes.split_at(1 + self.below(bytes.len()));
            pieces.push(piece);
            bytes = rest;
        }
        pieces
    }

    /// Bytes of a conversation with a few of them changed, removed, doubled or added.
    fn mutated(&mut self, mut bytes: Vec<u8>) -> Vec<u8> {
        for _ in 0..=self.below(4) {
            let at = self.below(bytes.len());
            match self.next() % 6 {
                0 => bytes[at] = self.byte(),
                1 => bytes[at] ^= 1 << self.below(8),
                2 if bytes.len() > 1 => drop(bytes.remove(at)),
                3 => bytes.insert(at, self.byte()),
                4 => bytes.truncate(at + 1),
                _ => bytes.extend_from_within(at..),
            }
        }
        bytes
    }
}

#[test]
fn random_conversations_are_read_as_they_were_meant() {
    for seed in 0..300 {
        let mut noise = Noise::from_seed(seed);
        let (mut client, mut server) = (ClientCodec::default(), ServerCodec::default());
        let calls: Vec<_> = (0..5).map(|seq| (seq, noise.call())).collect();
        let sent: Vec<u8> = calls.iter().flat_map(|(_, call)| client.call(call)).collect();
        assert_eq!(read_calls(noise.pieces(&sent)), Ok(calls), "seed {seed}");

        let replies: Vec<_> = (0..5).map(|_| (noise.next(), noise.reply())).collect();
        let sent: Vec<u8> = replies.iter().flat_map(|(seq, reply)| server.reply(*seq, reply)).collect();
        assert_eq!(read_replies(noise.pieces(&sent)), Ok(replies), "seed {seed}");
    }
}

#[test]
fn noise_is_read_or_refused() {
    let [answer, stdin, failure, refusal] = captures()
        .map(|capture| [turns(capture.text, "caller").concat(), turns(capture.text, "agent").concat()]);
    let foreign = [foreign_call(), foreign_call()];
    let sources = [answer, stdin, failure, refusal, foreign].concat();
    let sources: Vec<_> = sources.into_iter().filter(|bytes| !bytes.is_empty()).collect();
    let mut survivors = 0;
    for seed in 0..30_000 {
        let mut noise = Noise::from_seed(seed);
        let source = noise.below(sources.len() + 1);
        let bytes = match sources.get(source) {
            Some(bytes) => noise.mutated(bytes.clone()),
            None => (0..noise.below(300)).map(|_| noise.byte()).collect(),
        };
        // What comes out is made of what went in.
        if let Ok(calls) = read_calls(noise.pieces(&bytes)) {
            let args: usize = calls.iter().map(|(_, call)| call.args.len()).sum();
            assert!(args <= bytes.len(), "seed {seed}");
            survivors += calls.len();
        }
        if let Ok(replies) = read_replies(noise.pieces(&bytes)) {
            assert!(replies.len() <= bytes.len(), "seed {seed}");
            survivors += replies.len();
        }
    }
    assert!(survivors > 3_000, "the noise is too loud to reach the inner rooms: {survivors}");
}
