//! Whatever a client sends, it gets an answer or a close code, and nobody else notices.

use std::fmt::Write as _;

use tabferry_protocol::limits::{SDP_BYTES, SIGNALING_MESSAGE_BYTES};
use tabferry_protocol::signaling::{ServerMessage, SignalingCode};
use tokio::io::AsyncWriteExt;
use tokio_tungstenite::tungstenite::Message;

use crate::client::{TestServer, card, hello, join, signal_to};

#[tokio::test]
async fn no_common_version_is_said_then_closed() {
    let server = TestServer::start();
    let mut client = server.connect().await;
    client.send(&hello(&[2, 65535])).await;
    client.expect_error(SignalingCode::Incompatible).await;
    assert_eq!(client.closed().await, (1008, "incompatible".to_owned()));
}

#[tokio::test]
async fn unknown_kinds_are_unsupported_and_the_socket_goes_on() {
    let server = TestServer::start();
    let mut client = server.greeted("Desk").await;
    for text in [
        r#"{"type":"relay"}"#,
        r#"{"type":"join","room":{"kind":"__proto__"}}"#,
        r#"{"type":"join","room":{"kind":""}}"#,
        r#"{"type":"join","room":{"kind":"203.0.113.7"}}"#,
        r#"{"type":"join","room":{"kind":"Nearby"}}"#,
        r#"{"type":"join","room":{"kind":"later","code":"ABCD"}}"#,
    ] {
        client.send_raw(Message::text(text)).await;
        client.expect_error(SignalingCode::Unsupported).await;
    }
    assert_eq!(client.join().await, []);
}

#[tokio::test]
async fn names_that_no_room_has_lead_nowhere() {
    let server = TestServer::start();
    let device = serde_json::to_string(&card("Desk")).unwrap();
    for (kind, field) in [("code", "nameplate"), ("group", "name"), ("pair", "tag")] {
        let mut client = server.greeted("Desk").await;
        for name in [
            r#""__proto__""#,
            r#""""#,
            r#""203.0.113.7""#,
            r#""7k3m""#,
            r#""f0rtyb1t""#,
            r#""MRSXM2LDMUWW6ZRNM5XWYZDFNY""#,
            r#"" 7K3M""#,
            r#""7K3U""#,
            "7",
            "null",
            r#"{"7K3M":1}"#,
        ] {
            let room = format!(r#"{{"kind":"{kind}","{field}":{name}}}"#);
            let text = format!(r#"{{"type":"join","room":{room},"device":{device}}}"#);
            client.send_raw(Message::text(text)).await;
            client.expect_error(SignalingCode::InvalidMessage).await;
        }
        // The name of another kind is none of this one.
        let text = format!(r#"{{"type":"join","room":{{"kind":"{kind}","id":"7K3M"}}}}"#);
        client.send_raw(Message::text(text)).await;
        client.expect_error(SignalingCode::InvalidMessage).await;
    }
    for kind in ["nearby", "code", "group", "pair"] {
        let metric = format!("tabferry_signaling_rooms{{kind=\"{kind}\"}}");
        assert_eq!(server.metric(&metric).await, 0);
    }
}

#[tokio::test]
async fn garbage_is_answered_and_after_too_much_of_it_closed() {
    let server = TestServer::start();
    let mut witness = server.joined("Witness").await;
    let mut client = server.greeted("Desk").await;
    let long_sdp = signal_to(witness.id, "v".repeat(SDP_BYTES + 1)).encode();
    let garbage = [
        Message::text(""),
        Message::text("hello"),
        Message::text("[]"),
        Message::text("{}"),
        Message::text(r#"{"type":7}"#),
        Message::text(r#"{"type":"join"}"#),
        Message::text(r#"{"type":"join","room":"nearby"}"#),
        Message::text(r#"{"type":"signal","to":"me","signal":{}}"#),
        Message::text("[".repeat(SIGNALING_MESSAGE_BYTES)),
        Message::text(long_sdp),
        Message::binary(&b"\x00\xff"[..]),
        Message::binary(join("Desk").encode().into_bytes()),
        Message::text("null"),
        Message::text("\u{0}"),
        Message::text("1e999"),
        Message::text(r#"{"type":"hello","versions":[]}"#),
    ];
    for message in garbage {
        client.send_raw(message).await;
        client.expect_error(SignalingCode::InvalidMessage).await;
    }
    client.send_raw(Message::text("once more")).await;
    client.expect_error(SignalingCode::InvalidMessage).await;
    assert_eq!(
        client.closed().await,
        (1008, "too-many-refusals".to_owned())
    );
    witness.expect_silence().await;
}

#[tokio::test]
async fn messages_out_of_order_are_refused() {
    let server = TestServer::start();
    let mut client = server.connect().await;
    client.send(&join("Desk")).await;
    client.expect_error(SignalingCode::OutOfOrder).await;
    client.greet("Desk").await;
    client.send(&hello(&[1])).await;
    client.expect_error(SignalingCode::OutOfOrder).await;
}

#[tokio::test]
async fn the_longest_message_passes_and_a_longer_one_closes() {
    let server = TestServer::start();
    let mut client = server.greeted("Desk").await;
    let join = join("Desk").encode();
    let mut longest = format!(r#"{},"padding":""#, join.strip_suffix('}').unwrap());
    let padding = SIGNALING_MESSAGE_BYTES - longest.len() - 2;
    write!(longest, "{:x>padding$}\"}}", "").unwrap();
    assert_eq!(longest.len(), SIGNALING_MESSAGE_BYTES);
    client.send_raw(Message::text(longest.clone())).await;
    assert!(matches!(client.next().await, ServerMessage::Joined { .. }));
    longest.push(' ');
    client.send_raw(Message::text(longest)).await;
    assert_eq!(client.closed().await, (1009, "too-long".to_owned()));
}

#[tokio::test]
async fn frames_that_are_not_websocket_close_with_the_reason() {
    for (bytes, code) in [
        // A text frame, masked with zeros, of bytes that are not UTF-8.
        (&b"\x81\x82\0\0\0\0\xff\xfe"[..], 1007),
        // A text frame that is not masked.
        (b"\x81\x01a", 1002),
        // Reserved bits; an unknown opcode; a continuation of nothing; a ping of 126 bytes.
        (b"\xf1\x80\0\0\0\0", 1002),
        (b"\x83\x80\0\0\0\0", 1002),
        (b"\x80\x80\0\0\0\0", 1002),
        (
            &[&b"\x89\xfe\x00\x7e\0\0\0\0"[..], &[0; 126]].concat(),
            1002,
        ),
        // The head of a frame of 2^62 bytes.
        (b"\x81\xff\x40\0\0\0\0\0\0\0\0\0\0\0", 1009),
    ] {
        let server = TestServer::start();
        let mut client = server.greeted("Desk").await;
        client.socket.get_mut().write_all(bytes).await.unwrap();
        assert_eq!(client.closed().await.0, code, "{bytes:x?}");
    }
}

#[tokio::test]
async fn a_message_in_endless_parts_is_cut_at_the_limit() {
    let server = TestServer::start();
    let mut client = server.greeted("Desk").await;
    let mut part = b"\x01\xfe\x7f\xff\0\0\0\0".to_vec();
    part.extend([b'a'; 0x7fff]);
    for _ in 0..3 {
        // The server may have closed already.
        let _ = client.socket.get_mut().write_all(&part).await;
        part[0] = 0;
    }
    assert_eq!(client.closed().await, (1009, "too-long".to_owned()));
}

#[tokio::test]
async fn a_clients_close_is_answered() {
    let server = TestServer::start();
    let mut client = server.greeted("Desk").await;
    let frame = tokio_tungstenite::tungstenite::protocol::CloseFrame {
        code: 1000.into(),
        reason: "".into(),
    };
    client.send_raw(Message::Close(Some(frame))).await;
    assert_eq!(client.closed().await, (1000, String::new()));
}
