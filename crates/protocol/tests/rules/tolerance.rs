//! What a newer version may add without breaking this one, and what is broken nevertheless.

use std::fs;
use std::path::Path;

use serde_json::{Value, json};
use tabferry_protocol::card::{DeviceKind, EndpointKind};
use tabferry_protocol::code::Code;
use tabferry_protocol::frame::{ControlFrame, Decline, Propose};
use tabferry_protocol::id::{PeerId, ResumeId, WireTransferId};
use tabferry_protocol::manifest::{Entry, FileEntry, Manifest};
use tabferry_protocol::relay::{RelayClientMessage, RelayServerMessage};
use tabferry_protocol::signaling::{
    ClientMessage, PassedSignal, Room, ServerMessage, SignalBody, SignalingCode,
};

fn golden(folder: &str) -> Vec<Vec<u8>> {
    let dir = Path::new(env!("CARGO_MANIFEST_DIR"))
        .join("tests/golden")
        .join(folder);
    let files: Vec<_> = fs::read_dir(&dir)
        .expect("the golden folder is there")
        .map(|entry| fs::read(entry.expect("readable").path()).expect("readable"))
        .collect();
    assert!(!files.is_empty());
    files
}

fn id() -> PeerId {
    PeerId::from_bytes([9; 16])
}

fn with_unknown_fields(value: &mut Value) {
    match value {
        Value::Object(fields) => {
            fields.values_mut().for_each(with_unknown_fields);
            fields.insert("aa_later".to_owned(), json!({ "kind": [1, null, "x"] }));
            fields.insert("zz_later".to_owned(), json!([{ "type": 1.5 }]));
        }
        Value::Array(elements) => elements.iter_mut().for_each(with_unknown_fields),
        _ => {}
    }
}

fn extended(json: &[u8]) -> String {
    let mut value = serde_json::from_slice(json).expect("golden files are JSON");
    with_unknown_fields(&mut value);
    value.to_string()
}

#[test]
fn unknown_fields_are_ignored_everywhere() {
    for frame in golden("control") {
        let (kind, body) = frame.split_first().expect("no golden frame is empty");
        // Some have no body, one has a body that is no JSON.
        if !body.starts_with(b"{") {
            continue;
        }
        let more = [&[*kind][..], extended(body).as_bytes()].concat();
        assert_eq!(ControlFrame::decode(&more), ControlFrame::decode(&frame));
    }
    for message in golden("client") {
        let text = str::from_utf8(&message).expect("golden files are text");
        let read = ClientMessage::decode(text);
        assert!(read.is_ok());
        assert_eq!(ClientMessage::decode(&extended(&message)), read);
    }
    for message in golden("server") {
        let text = str::from_utf8(&message).expect("golden files are text");
        let read = ServerMessage::decode(text);
        assert!(read.is_ok());
        assert_eq!(ServerMessage::decode(&extended(&message)), read);
    }
    for message in golden("relay-client") {
        let text = str::from_utf8(&message).expect("golden files are text");
        let read = RelayClientMessage::decode(text);
        assert!(read.is_ok());
        assert_eq!(RelayClientMessage::decode(&extended(&message)), read);
    }
    for message in golden("relay-server") {
        let text = str::from_utf8(&message).expect("golden files are text");
        let read = RelayServerMessage::decode(text);
        assert!(read.is_ok());
        assert_eq!(RelayServerMessage::decode(&extended(&message)), read);
    }
}

/// The message with each of its top-level fields written a second time.
fn doubled(json: &str) -> Vec<String> {
    let value: Value = serde_json::from_str(json).expect("golden files are JSON");
    let fields = value.as_object().expect("messages are objects");
    let open = json.strip_suffix('}').expect("messages are objects");
    fields
        .iter()
        .map(|(key, value)| format!("{open},{}:{value}}}", json!(key)))
        .collect()
}

#[test]
fn a_signal_of_a_newer_version_is_not_passed_on_as_it_is() {
    let from = PeerId::from_bytes([7; 16]);
    let signal = |extra: &str, within: &str| {
        format!(
            r#"{{"type":"signal","to":"{}"{extra},"signal":{{"connection":"{}","signal":"offer","sdp":""{within}}}}}"#,
            id(),
            id(),
        )
    };
    assert!(PassedSignal::read(&signal("", ""), from).is_some());
    let deep = format!(r#","deep":{}{}"#, "[".repeat(200), "]".repeat(200));
    for (extra, within) in [
        (r#","later":1"#, ""),
        ("", r#","later":1"#),
        (deep.as_str(), ""),
        ("", deep.as_str()),
        ("", r#","sdp":"""#),
        ("", r#","nonce":5"#),
    ] {
        assert!(PassedSignal::read(&signal(extra, within), from).is_none());
    }
    // What a receiver would take for broken: it leaves a server that says such things.
    let array = format!(r#"["{}","end-of-candidates",null,null,null,null]"#, id());
    let within = format!(r#"{{"type":"signal","to":"{}","signal":{array}}}"#, id());
    let whole = format!(
        r#"["signal","{}",{{"connection":"{}","signal":"end-of-candidates"}}]"#,
        id(),
        id()
    );
    for message in [within, whole] {
        assert!(PassedSignal::read(&message, from).is_none(), "{message}");
        assert!(ClientMessage::decode(&message).is_err(), "{message}");
    }
    // Fields of other kinds, however long, are not passed on.
    let smuggled = signal("", r#","mid":"0""#);
    assert!(PassedSignal::read(&smuggled, from).is_none());
    let wide = signal(&" ".repeat(10), &" ".repeat(40_000));
    assert!(PassedSignal::read(&wide, from).is_none());
    assert!(ClientMessage::decode(&wide).is_ok());
    // As long as a message may be, but not with the longer name of the field that names the sender.
    let longest = signal("", "");
    let padding = " ".repeat(tabferry_protocol::limits::SIGNALING_MESSAGE_BYTES - longest.len());
    let padded = longest.replace(r#""sdp":"""#, &format!(r#""sdp":{padding}"""#));
    assert!(ClientMessage::decode(&padded).is_ok());
    assert!(PassedSignal::read(&padded, from).is_none());
}

#[test]
fn a_field_stands_once() {
    for frame in golden("control") {
        let (kind, body) = frame.split_first().expect("no golden frame is empty");
        // Some have no body, one has a body that is no JSON.
        if !body.starts_with(b"{") {
            continue;
        }
        for twice in doubled(str::from_utf8(body).expect("golden files are text")) {
            let frame = [&[*kind][..], twice.as_bytes()].concat();
            assert!(ControlFrame::decode(&frame).is_err(), "{twice}");
        }
    }
    for message in golden("client") {
        for twice in doubled(str::from_utf8(&message).expect("golden files are text")) {
            assert!(ClientMessage::decode(&twice).is_err(), "{twice}");
        }
    }
    for message in golden("server") {
        for twice in doubled(str::from_utf8(&message).expect("golden files are text")) {
            assert!(ServerMessage::decode(&twice).is_err(), "{twice}");
        }
    }
    for signal in golden("signal") {
        for twice in doubled(str::from_utf8(&signal).expect("golden files are text")) {
            let message = format!(r#"{{"type":"signal","to":"{}","signal":{twice}}}"#, id());
            assert!(ClientMessage::decode(&message).is_err(), "{message}");
        }
    }
    for entry in golden("entry") {
        for twice in doubled(str::from_utf8(&entry).expect("golden files are text")) {
            let frame = format!("\u{4}{{\"transfer\":1,\"entries\":[{twice}]}}");
            assert!(ControlFrame::decode(frame.as_bytes()).is_err(), "{frame}");
        }
    }
}

#[test]
fn unknown_kinds_of_control_frames_are_no_error() {
    for kind in (0..=0).chain(22..=255) {
        for body in [&b""[..], b"{}", b"\xff\0garbage"] {
            let frame = [&[kind][..], body].concat();
            assert_eq!(
                ControlFrame::decode(&frame),
                Ok(ControlFrame::Unknown(kind))
            );
        }
    }
}

#[test]
fn frames_without_a_body_take_none() {
    for kind in [11, 12] {
        assert!(ControlFrame::decode(&[kind]).is_ok());
        for body in [&b"{}"[..], b" ", b"\0"] {
            assert!(ControlFrame::decode(&[&[kind][..], body].concat()).is_err());
        }
    }
}

#[test]
fn unknown_types_of_messages_are_read_as_unknown() {
    for text in [
        r#"{"type":"later"}"#,
        r#"{"type":"later","room":5,"deep":[[[{}]]]}"#,
        r#"{"first":1,"type":"later"}"#,
    ] {
        assert_eq!(ClientMessage::decode(text), Ok(ClientMessage::Unknown));
        assert_eq!(ServerMessage::decode(text), Ok(ServerMessage::Unknown));
    }
}

#[test]
fn an_unknown_room_is_read_as_unknown() {
    for kind in [
        "later",
        "__proto__",
        "constructor",
        "",
        "203.0.113.7",
        "Code",
        "NEARBY",
    ] {
        let join = format!(r#"{{"type":"join","room":{{"kind":"{kind}","code":"1234"}}}}"#);
        assert_eq!(
            ClientMessage::decode(&join),
            Ok(ClientMessage::Join {
                room: Room::Unknown,
                device: None,
            })
        );
    }
}

#[test]
fn a_known_room_that_is_broken_is_no_unknown_room() {
    for room in [
        r#"{"kind":"code"}"#,
        r#"{"kind":"code","nameplate":null}"#,
        r#"{"kind":"code","nameplate":1234}"#,
        r#"{"kind":"code","nameplate":""}"#,
        r#"{"kind":"code","nameplate":"7k3m"}"#,
        r#"{"kind":"code","nameplate":"7K3O"}"#,
        r#"{"kind":"code","nameplate":"__proto__"}"#,
        r#"{"kind":"code","nameplate":"203.0.113.7"}"#,
        r#"{"kind":"code","nameplate":"7K3M","nameplate":"7K3M"}"#,
        r#"{"kind":"group"}"#,
        r#"{"kind":"group","name":""}"#,
        r#"{"kind":"group","name":"7K3M"}"#,
        r#"{"kind":"group","name":"f0rtyb1t"}"#,
        r#"{"kind":"group","name":"__proto__"}"#,
        r#"{"kind":"pair"}"#,
        r#"{"kind":"pair","tag":""}"#,
        r#"{"kind":"pair","tag":"7K3M"}"#,
        r#"{"kind":"pair","tag":"ORQWOLLPMYWWCLLQMFUXELJRG4"}"#,
        r#"{"kind":"pair","tag":["orqwollpmywwcllqmfuxeljrg4"]}"#,
    ] {
        let join = format!(r#"{{"type":"join","room":{room}}}"#);
        assert!(ClientMessage::decode(&join).is_err(), "{join}");
        let left = format!(r#"{{"type":"joined","room":{room},"peers":[]}}"#);
        assert!(ServerMessage::decode(&left).is_err(), "{left}");
    }
}

#[test]
fn an_unknown_signal_is_read_as_unknown() {
    let signal = json!({
        "connection": id(), "signal": "later", "sdp": 5, "more": { "connection": 1 },
    });
    let client = json!({ "type": "signal", "to": id(), "signal": signal }).to_string();
    let Ok(ClientMessage::Signal { signal: read, .. }) = ClientMessage::decode(&client) else {
        panic!("{client} is a signal");
    };
    assert_eq!(read.body, SignalBody::Unknown);
    let server = json!({ "type": "signal", "from": id(), "signal": signal }).to_string();
    let Ok(ServerMessage::Signal { signal: read, .. }) = ServerMessage::decode(&server) else {
        panic!("{server} is a signal");
    };
    assert_eq!(read.body, SignalBody::Unknown);
}

#[test]
fn unknown_words_are_read_as_such() {
    let code: Code = serde_json::from_str("\"later\"").expect("a word");
    assert_eq!(code, Code::Unknown);
    let code: SignalingCode = serde_json::from_str("\"later\"").expect("a word");
    assert_eq!(code, SignalingCode::Unknown);
    let kind: DeviceKind = serde_json::from_str("\"later\"").expect("a word");
    assert_eq!(kind, DeviceKind::Other);
    let endpoint: EndpointKind = serde_json::from_str("\"later\"").expect("a word");
    assert_eq!(endpoint, EndpointKind::Other);
    assert_eq!(
        ControlFrame::decode(b"\x06{\"transfer\":1,\"code\":\"later\"}"),
        Ok(ControlFrame::Decline(Decline {
            transfer: WireTransferId(1),
            code: Code::Unknown
        }))
    );
    // A role decides which transfer is meant: an unknown one cannot be guessed.
    let cancel = b"\x0a{\"transfer\":1,\"role\":\"later\",\"code\":\"cancelled\"}";
    assert!(ControlFrame::decode(cancel).is_err());
}

#[test]
fn an_entry_of_an_unknown_kind_spoils_its_proposal_only() {
    let frame =
        b"\x03{\"transfer\":1,\"resume\":\"aeaqcaibaeaqcaibaeaqcaibae\",\"count\":2,\"entries\":[\
        {\"kind\":\"later\",\"name\":5},{\"kind\":\"file\",\"name\":\"a\",\"bytes\":1}]}";
    let file = FileEntry {
        name: "a".to_owned(),
        folder: String::new(),
        bytes: 1,
        media_type: None,
    };
    let entries = vec![Entry::Unknown, Entry::File(file)];
    assert_eq!(
        ControlFrame::decode(frame),
        Ok(ControlFrame::Propose(Propose {
            transfer: WireTransferId(1),
            resume: ResumeId::from_bytes([1; 16]),
            count: 2,
            entries: entries.clone()
        }))
    );
    assert_eq!(Manifest::new(entries), Err(Code::Incompatible));
}

#[test]
fn a_known_kind_that_is_broken_is_no_unknown_kind() {
    for text in [
        "{}",
        r#"{"type":null}"#,
        r#"{"type":"hello"}"#,
        r#"{"type":"join"}"#,
        r#"{"type":"join","room":"nearby"}"#,
        r#"{"type":"join","room":{}}"#,
        r#"{"type":"join","room":{"kind":"nearby"},"device":{}}"#,
        r#"{"type":"join","room":{"kind":"nearby"},"device":"Desk"}"#,
        r#"{"type":"open"}"#,
        r#"{"type":"open","room":{"kind":"code","nameplate":"7K3M"}}"#,
        r#"{"type":"open","nameplate":"7k3m"}"#,
        r#"{"type":"update","device":null}"#,
        r#"{"type":"signal","to":"x","signal":{}}"#,
        "null",
        "\"hello\"",
        "",
        " ",
    ] {
        assert!(ClientMessage::decode(text).is_err(), "{text}");
    }
    for text in [
        "{}",
        r#"{"type":"welcome"}"#,
        r#"{"type":"joined","room":{"kind":"nearby"}}"#,
        r#"{"type":"joined","room":{"kind":"nearby"},"peers":[{}]}"#,
        r#"{"type":"peer-left","room":{"kind":"nearby"},"peer":"x"}"#,
        r#"{"type":"error"}"#,
        r#"{"type":"error","code":5}"#,
        "[]",
        "",
    ] {
        assert!(ServerMessage::decode(text).is_err(), "{text}");
    }
    for text in [
        "{}",
        r#"{"type":"join"}"#,
        r#"{"type":"join","ticket":"x"}"#,
        r#"{"type":"join","ticket":null}"#,
        "[]",
        "",
    ] {
        assert!(RelayClientMessage::decode(text).is_err(), "{text}");
    }
    for text in [
        "{}",
        r#"{"type":"joined"}"#,
        r#"{"type":"joined","credit":-1}"#,
        r#"{"type":"credit","bytes":1.5}"#,
        r#"{"type":"credit","bytes":"1"}"#,
        "[]",
        "",
    ] {
        assert!(RelayServerMessage::decode(text).is_err(), "{text}");
    }
    for signal in [
        r#"{"signal":"bye"}"#,
        r#"{"connection":"CONN","signal":"relay"}"#,
        r#"{"connection":"CONN","signal":"relay","ticket":"CONN1"}"#,
        r#"{"connection":"CONN","signal":"relay-answer"}"#,
        r#"{"connection":"CONN","signal":"offer"}"#,
        r#"{"connection":"CONN","signal":"offer","sdp":null}"#,
        r#"{"connection":"CONN","signal":"candidate","candidate":1}"#,
        r#"{"connection":"CONN"}"#,
        r#"{"connection":"conn","signal":"bye"}"#,
    ] {
        let signal = signal.replace("CONN", &id().to_string());
        let text = format!(r#"{{"type":"signal","to":"{}","signal":{signal}}}"#, id());
        assert!(ClientMessage::decode(&text).is_err(), "{text}");
    }
    for entry in [
        r#"{}"#,
        r#"{"kind":"file"}"#,
        r#"{"kind":"file","name":"a"}"#,
        r#"{"kind":"file","name":"a","bytes":-1}"#,
        r#"{"kind":"page","url":"https://a.example/"}"#,
        r#"{"kind":"page","url":"file:///etc/passwd","title":""}"#,
        r#"{"kind":"link","url":"javascript:alert(1)","title":""}"#,
        r#"{"kind":"text","text":["a"]}"#,
        "\"file\"",
        "null",
    ] {
        let frame = format!("\u{4}{{\"transfer\":1,\"entries\":[{entry}]}}");
        assert!(ControlFrame::decode(frame.as_bytes()).is_err(), "{entry}");
    }
}

#[test]
fn numbers_are_whole_and_in_range() {
    let credit = |bytes: &str| {
        let frame = format!("\u{7}{{\"transfer\":1,\"epoch\":1,\"bytes\":{bytes}}}");
        ControlFrame::decode(frame.as_bytes()).is_ok()
    };
    assert!(credit("0") && credit("18446744073709551615"));
    for wrong in [
        "-0",
        "-1",
        "1.0",
        "0.5",
        "1e3",
        "1e400",
        "18446744073709551616",
        "NaN",
        "Infinity",
        "-Infinity",
        "01",
        "+1",
        "0x10",
        "\"1\"",
        "null",
        "true",
        "[1]",
        "{}",
        "",
    ] {
        assert!(!credit(wrong), "{wrong}");
    }
    let transfer = |id: &str| {
        let frame = format!("\u{9}{{\"transfer\":{id},\"entry\":0}}");
        ControlFrame::decode(frame.as_bytes()).is_ok()
    };
    assert!(transfer("4294967295") && !transfer("4294967296") && !transfer("-1"));
}

#[test]
fn what_is_not_json_is_refused() {
    let json = br#"{"transfer":1,"entry":0}"#;
    let frame = |body: &[u8]| ControlFrame::decode(&[&[9][..], body].concat());
    assert!(frame(json).is_ok());
    assert!(frame(&[b" \r\n\t", &json[..], b"\n"].concat()).is_ok());
    for (before, after) in [
        (&b"\xEF\xBB\xBF"[..], &b""[..]),
        (b"", b"\0"),
        (b"", b"}"),
        (b"", b"{}"),
        (b"\x0c", b""),
        (b"//\n", b""),
    ] {
        let body = [before, json, after].concat();
        assert!(
            frame(&body).is_err(),
            "{:?}",
            String::from_utf8_lossy(&body)
        );
    }
    let text = |text: &[u8]| {
        let body = [
            b"\x04{\"transfer\":1,\"entries\":[{\"kind\":\"text\",\"text\":\"",
            text,
            b"\"}]}",
        ]
        .concat();
        ControlFrame::decode(&body).is_ok()
    };
    assert!(text(b"\\ud83d\\udea2") && text("🚢".as_bytes()));
    for wrong in [
        &b"\\ud83d"[..],
        b"\\udea2",
        b"\xff",
        b"\xc0\xaf",
        b"\xed\xa0\xbd",
        b"\n",
        b"\\x41",
    ] {
        assert!(!text(wrong), "{:?}", String::from_utf8_lossy(wrong));
    }
}

/// Nesting as deep as a frame can hold neither overflows the stack nor passes where it would be kept.
#[test]
fn nesting_is_bounded() {
    for (open, close) in [("[", "]"), ("{\"a\":", "}")] {
        for depth in [100, 1_000, 30_000] {
            let deep = format!("{}1{}", open.repeat(depth), close.repeat(depth));
            for field in ["transfer", "later"] {
                let frame = format!("\u{9}{{\"entry\":0,\"{field}\":{deep}}}");
                assert!(ControlFrame::decode(frame.as_bytes()).is_err());
            }
            let entry = format!("\u{4}{{\"transfer\":1,\"entries\":[{deep}]}}");
            assert!(ControlFrame::decode(entry.as_bytes()).is_err());
            // A field that nobody reads may be as deep as serde_json reads it.
            let ignored = format!("\u{9}{{\"transfer\":1,\"entry\":0,\"later\":{deep}}}");
            assert_eq!(
                ControlFrame::decode(ignored.as_bytes()).is_ok(),
                ignored.len() <= 256 * 1024
            );
            let message = format!("{{\"type\":\"later\",\"more\":{deep}}}");
            assert_eq!(ClientMessage::decode(&message).is_ok(), depth == 100);
            assert_eq!(ServerMessage::decode(&message).is_ok(), depth == 100);
        }
    }
}
