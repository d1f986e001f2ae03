//! Commands over real sockets: whole, in pieces, pipelined, wrong, hostile. Whatever a peer does
//! ends at most its own connection.

mod support;

use std::io::{ErrorKind, Read, Write};
use std::net::Shutdown;
use std::sync::mpsc;
use std::sync::{Arc, Mutex};
use std::thread;
use std::time::Duration;

use groundwire::endpoint::{
    Call, Client, ClientError, Commands, Endpoint, EndpointConfig, Fault, Next, Record,
};
use groundwire::net::{self, Conn, Deadline, Network};
use groundwire::server::{Config, Running, Server};
use groundwire::telemetry::{Format, Level, Log};
use groundwire::wire::{self, Frames};
use support::{Folder, Kept, PATIENCE, connect, eventually, serve};

const THANKS: &str = "Thank you.\n";

/// An endpoint with the built-in commands, and what they received.
struct Service {
    server: Running,
    address: String,
    commands: Commands,
    received: Arc<Mutex<Vec<String>>>,
}

fn service_with(config: EndpointConfig) -> Service {
    let received = Arc::new(Mutex::new(Vec::new()));
    let keep = received.clone();
    let commands = Commands::built_in(move |_, message| {
        keep.lock().unwrap().push(message.to_string());
    });
    let endpoint = Endpoint::new(config, commands.clone());
    let (server, address) = serve(Config::default(), endpoint);
    Service {
        server,
        address,
        commands,
        received,
    }
}

fn service() -> Service {
    service_with(EndpointConfig::default())
}

impl Service {
    fn client(&self) -> Client {
        Client::new(connect(&self.address), PATIENCE)
    }

    fn received(&self) -> Vec<String> {
        self.received.lock().unwrap().clone()
    }

    /// Sends bytes, half-closes, and returns all that is replied.
    fn exchange(&self, bytes: &[u8]) -> String {
        let mut conn = connect(&self.address);
        conn.write_all(bytes).unwrap();
        let _ = conn.shutdown(Shutdown::Write); // fails when the server has closed already
        text_of(&mut conn)
    }

    fn assert_still_serves(&self) {
        assert_eq!(self.client().string("alive?").unwrap(), "Thank you.");
    }
}

fn text_of(conn: &mut Conn) -> String {
    let mut text = String::new();
    conn.read_to_string(&mut text).unwrap();
    text
}

fn struct_command(record: &Record) -> Vec<u8> {
    let limits = wire::Limits {
        depth: 1000,
        ..wire::Limits::default()
    };
    let mut frames = Frames::new(limits);
    frames.push(record).unwrap();
    [b"STRUCT\n", frames.bytes()].concat()
}

/// A record of so many levels.
fn nested(levels: u32) -> Record {
    let mut record = Record::default();
    for _ in 1..levels {
        let c = Some(Box::new(record));
        record = Record {
            c,
            ..Record::default()
        };
    }
    record
}

fn upper(call: &mut Call<'_>) -> Result<Next, Fault> {
    let text = call.text()?;
    call.reply(text.to_uppercase())?;
    Ok(Next::Command)
}

#[test]
fn a_string_and_a_struct_are_received_and_thanked_for_on_one_connection() {
    let service = service();
    let mut client = service.client();
    assert_eq!(client.string("hello there").unwrap(), "Thank you.");
    assert_eq!(client.record(&Record::example()).unwrap(), "Thank you.");
    assert_eq!(client.string("").unwrap(), "Thank you.");
    drop(client);
    let received = service.received();
    assert_eq!(received[0], "STRING \"hello there\"");
    assert!(received[1].contains("\n  c:\n    n: 256\n"), "{received:?}");
    assert_eq!(received[2], "STRING \"\"");
    let totals = service.server.stop().unwrap();
    assert_eq!((totals.served, totals.failed), (1, 0));
}

#[test]
fn pipelined_commands_are_answered_in_order_whole_or_byte_by_byte() {
    let service = service();
    service.commands.register("UPPER", upper).unwrap();
    let structs = struct_command(&Record::example());
    let commands = [
        &b"STRING\none\n"[..],
        &structs,
        b"UPPER\ntwo\n",
        b"STRING\r\nthree\r\n",
        b"UPPER\nfour\n",
    ]
    .concat();
    let replies = "Thank you.\nThank you.\nTWO\nThank you.\nFOUR\n";
    assert_eq!(service.exchange(&commands), replies);

    let mut conn = connect(&service.address);
    for byte in &commands {
        conn.write_all(&[*byte]).unwrap();
    }
    conn.shutdown(Shutdown::Write).unwrap();
    assert_eq!(text_of(&mut conn), replies);
    let received = service.received();
    assert_eq!(received[..3], received[3..]);
    assert_eq!(received[2], "STRING \"three\"");
}

#[test]
fn two_strings_in_one_segment_get_two_replies() {
    let service = service();
    let mut conn = connect(&service.address);
    conn.write_all(b"STRING\na\nSTRING\nb\n").unwrap();
    let mut replies = [0; 22];
    conn.read_exact(&mut replies).unwrap();
    assert_eq!(replies, *b"Thank you.\nThank you.\n");
}

#[test]
fn a_reply_leaves_before_the_next_command_is_whole() {
    let service = service();
    let mut conn = connect(&service.address);
    conn.write_all(b"STRING\na\nSTR").unwrap();
    let mut reply = [0; 11];
    conn.read_exact(&mut reply).unwrap();
    conn.write_all(b"ING\nb\n").unwrap();
    conn.read_exact(&mut reply).unwrap();
    assert_eq!(&reply, THANKS.as_bytes());
}

#[test]
fn ten_thousand_pipelined_commands_do_not_stick() {
    let service = service();
    let count = 10_000;
    let mut conn = connect(&service.address);
    let writing = conn.clone();
    let sender = thread::spawn(move || {
        (&writing).write_all(&b"STRING\nx\n".repeat(count)).unwrap();
        writing.shutdown(Shutdown::Write).unwrap();
    });
    assert_eq!(text_of(&mut conn), THANKS.repeat(count));
    sender.join().unwrap();
}

#[test]
fn an_unknown_command_is_told_the_known_ones_and_its_payload_is_never_run() {
    let service = service();
    let replied = service.exchange(b"STRING\nfine\nFOO\nSTRING\nsmuggled\n");
    assert_eq!(
        replied,
        "Thank you.\nerror: unknown command FOO; known: STRING, STRUCT\n"
    );
    assert_eq!(service.received(), ["STRING \"fine\""]);
    service.assert_still_serves();
}

#[test]
fn the_error_arrives_though_much_is_unread() {
    let service = service();
    let mut conn = connect(&service.address);
    conn.write_all(b"FOO\n").unwrap();
    let _ = conn.write_all(&vec![b'x'; 200_000]); // the server may have closed by then
    let told = "error: unknown command FOO; known: STRING, STRUCT\n";
    assert_eq!(text_of(&mut conn), told);
}

#[test]
fn commands_are_registered_replaced_and_removed_while_serving() {
    let service = service();
    let mut client = service.client();
    assert_eq!(client.string("before").unwrap(), "Thank you.");
    let name = "UPPER".parse().unwrap();
    service.commands.register("UPPER", upper).unwrap();
    assert_eq!(client.call(&name, b"now\n").unwrap(), "NOW");
    let lower = |call: &mut Call<'_>| {
        let text = call.text()?;
        call.reply(text.to_lowercase())?;
        Ok(Next::Command)
    };
    service.commands.register("UPPER", lower).unwrap();
    assert_eq!(client.call(&name, b"NOW\n").unwrap(), "now");
    service.commands.remove("UPPER");
    let refused = client.call(&name, b"gone\n").unwrap_err().to_string();
    assert!(refused.ends_with("unknown command UPPER; known: STRING, STRUCT"));
}

#[test]
fn what_is_no_name_is_told_and_ends_the_connection() {
    let service = service();
    let space = "error: command name: byte 3: ' ' in a command's name\n";
    let long = "error: command name: byte 64: a command's name has at most 64 bytes\n";
    let empty = "error: command name: byte 0: a command has a name\n";
    let cut = "error: command name: byte 3: the stream ended here\n";
    let cases: [(Vec<u8>, &str); 6] = [
        (b"GET / HTTP/1.1\r\n\r\n".to_vec(), space),
        (b"\nSTRING\n".to_vec(), empty),
        (b"STR".to_vec(), cut),
        ([&[b'x'; 65][..], b"\n"].concat(), long),
        (vec![b'x'; 1 << 20], long), // a name without an end
        (Vec::new(), ""),
    ];
    for (bytes, told) in cases {
        let mut conn = connect(&service.address);
        let _ = conn.write_all(&bytes);
        let _ = conn.shutdown(Shutdown::Write);
        assert_eq!(text_of(&mut conn), told);
    }
    assert!(service.received().is_empty());
    service.assert_still_serves();
}

#[test]
fn a_name_without_an_end_is_refused_while_its_peer_still_sends() {
    let service = service();
    let mut conn = connect(&service.address);
    conn.write_all(&[b'x'; 66]).unwrap();
    assert!(text_of(&mut conn).starts_with("error: command name: byte 64: "));
}

#[test]
fn a_frame_that_claims_a_gibibyte_is_refused_by_its_header() {
    let service = service();
    let mut conn = connect(&service.address);
    conn.write_all(b"STRUCT\n\0\0\0\x40").unwrap();
    let told = "error: STRUCT: byte 0: frame of 1073741824 bytes, the limit is 1048576\n";
    assert_eq!(text_of(&mut conn), told);
    service.assert_still_serves();
}

#[test]
fn a_record_of_64_levels_is_received_on_a_small_stack_and_one_of_65_is_refused() {
    let service = service();
    let deepest = struct_command(&nested(64));
    assert_eq!(service.exchange(&deepest), THANKS);
    assert_eq!(service.received()[0].matches("c:").count(), 64);
    let told = service.exchange(&struct_command(&nested(65)));
    assert!(
        told.starts_with("error: STRUCT: byte ") && told.ends_with(": nested more than 64 deep\n"),
        "{told}"
    );
    service.assert_still_serves();
}

#[test]
fn a_payload_that_is_cut_names_the_byte() {
    let service = service();
    let whole = struct_command(&Record::example());
    for len in b"STRUCT\n".len()..whole.len() {
        let at = len - b"STRUCT\n".len();
        let told = format!("error: STRUCT: byte {at}: the stream ended here\n");
        assert_eq!(service.exchange(&whole[..len]), told);
    }
    assert_eq!(
        service.exchange(b"STRING\nabc"),
        "error: STRING: byte 3: the stream ended here\n"
    );
    assert!(service.received().is_empty());
}

#[test]
fn a_frame_that_holds_no_record_names_the_byte_and_the_cause() {
    let service = service();
    let cases: [(&[u8], &str); 3] = [
        (
            b"\0\0\0\0",
            "byte 4: the message is cut: 4 bytes needed, 0 left",
        ),
        (
            b"\x06\0\0\0\0\0\0\0ab",
            "byte 8: the message is cut: 8 bytes needed, 2 left",
        ),
        (
            b"\x06\0\0\0\x02\0\0\0\xc3\x28",
            "byte 8: the texts are not UTF-8",
        ),
    ];
    for (frame, told) in cases {
        let replied = service.exchange(&[b"STRUCT\n", frame].concat());
        assert_eq!(replied, format!("error: STRUCT: {told}\n"));
    }
    let mut trailing = struct_command(&Record::default());
    trailing.push(0);
    trailing[7] += 1;
    let replied = service.exchange(&trailing);
    assert!(
        replied.ends_with("1 bytes left over after the value\n"),
        "{replied}"
    );
}

#[test]
fn a_string_is_text_of_a_bounded_length_and_control_characters_are_escaped() {
    let service = service_with(EndpointConfig {
        max_line: 16,
        ..EndpointConfig::default()
    });
    assert_eq!(
        service.exchange(b"STRING\nab\xff\xfec\n"),
        "error: STRING: byte 2: not UTF-8\n"
    );
    assert_eq!(
        service.exchange(b"STRING\nfifteen letters\nSTRING\nsixteen letters!\n"),
        "Thank you.\nerror: STRING: byte 16: line longer than 16 bytes\n"
    );
    assert_eq!(service.exchange(b"STRING\n\x1b[31m\0\x07\n"), THANKS);
    assert_eq!(
        service.received(),
        [
            r#"STRING "fifteen letters""#,
            r#"STRING "\u{1b}[31m\0\u{7}""#
        ]
    );
}

#[test]
fn fifty_clients_at_a_time_each_get_their_own_replies() {
    let service = service();
    service.commands.register("UPPER", upper).unwrap();
    let address = &service.address;
    thread::scope(|scope| {
        for number in 0..50 {
            scope.spawn(move || {
                let mut client = Client::new(connect(address), PATIENCE);
                let name = "UPPER".parse().unwrap();
                for round in 0..20 {
                    let reply = client.call(&name, format!("c{number} r{round}\n").as_bytes());
                    assert_eq!(reply.unwrap(), format!("C{number} R{round}"));
                    assert_eq!(client.record(&Record::example()).unwrap(), "Thank you.");
                }
            });
        }
    });
    assert_eq!(service.received().len(), 1000);
    let totals = service.server.stop().unwrap();
    assert_eq!((totals.served, totals.failed), (50, 0));
}

#[test]
fn a_command_that_panics_ends_its_connection_after_the_replies_before_it() {
    let log = Kept::default();
    let commands = Commands::built_in(|_, _| ());
    let bad = |_: &mut Call<'_>| -> Result<Next, Fault> { panic!("on purpose") };
    commands.register("BAD", bad).unwrap();
    let config = Config {
        log: Log::to_writer(Level::Warn, Format::Text, Box::new(log.clone())),
        ..Config::default()
    };
    let endpoint = Endpoint::new(EndpointConfig::default(), commands);
    let (server, address) = serve(config, endpoint);
    let mut other = Client::new(connect(&address), PATIENCE);
    assert_eq!(other.string("before").unwrap(), "Thank you.");
    let mut conn = connect(&address);
    conn.write_all(b"STRING\nx\nBAD\n").unwrap();
    assert_eq!(text_of(&mut conn), THANKS);
    assert_eq!(other.string("after").unwrap(), "Thank you.");
    eventually("the panic is counted", || server.totals().failed == 1);
    assert!(log.text().contains("on purpose"), "{}", log.text());
}

#[test]
fn a_command_may_end_the_connection_after_its_reply() {
    let service = service();
    let quit = |call: &mut Call<'_>| {
        call.reply("Bye.")?;
        Ok(Next::End)
    };
    service.commands.register("QUIT", quit).unwrap();
    let replied = service.exchange(b"STRING\nx\nQUIT\nSTRING\nnever\n");
    assert_eq!(replied, "Thank you.\nBye.\n");
    assert_eq!(service.received().len(), 1);
}

#[test]
fn a_command_of_several_items_reads_them_in_turn_and_counts_its_bytes() {
    let service = service();
    let put = |call: &mut Call<'_>| {
        let key = call.text()?;
        let value: Vec<u32> = call.message()?;
        let raw = call.frame()?;
        if value.is_empty() {
            return Err(call.refusal("nothing to put"));
        }
        call.reply(format_args!("{key} {} {}", value.len(), raw.len()))?;
        call.reply_message(&value)?;
        Ok(Next::Command)
    };
    service.commands.register("PUT", put).unwrap();
    let put = |value: &[u32], raw: &[u8]| {
        let mut frames = Frames::new(wire::Limits::default());
        frames.push(value).unwrap();
        frames.push_bytes(&[raw]);
        [b"PUT\nkey\n", frames.bytes()].concat()
    };
    let replied = service.exchange(&put(&[7, 8], b"raw"));
    let mut frame = Frames::new(wire::Limits::default());
    frame.push(&[7_u32, 8][..]).unwrap();
    assert_eq!(replied.as_bytes(), [b"key 2 3\n", frame.bytes()].concat());
    // The key's 4 bytes, a frame of 4 and 8, one of 4 and 3.
    assert_eq!(
        service.exchange(&put(&[], b"raw")),
        "error: PUT: byte 23: nothing to put\n"
    );
    // The claim stands in the second item.
    let told = "error: PUT: byte 4: frame of 4294967295 bytes, the limit is 1048576\n";
    assert_eq!(service.exchange(b"PUT\nkey\n\xff\xff\xff\xff"), told);
}

#[test]
fn a_command_that_swallows_an_error_cannot_turn_payload_into_commands() {
    let service = service_with(EndpointConfig {
        max_line: 8,
        ..EndpointConfig::default()
    });
    let deaf = |call: &mut Call<'_>| {
        let said = call.text().map_or("no", |_| "yes");
        call.reply(said)?;
        Ok(Next::Command)
    };
    service.commands.register("DEAF", deaf).unwrap();
    // A line that was read to its end, though it is no text: what follows is a command.
    let replied = service.exchange(b"DEAF\n\xff\nSTRING\nx\n");
    assert_eq!(replied, "no\nThank you.\n");
    let replied = service.exchange(b"DEAF\n12345678STRING\nsmuggled\n");
    assert_eq!(replied, "no\n");
    assert_eq!(service.received(), ["STRING \"x\""]);
}

#[test]
fn the_replies_to_commands_of_one_read_leave_in_one_write() {
    let folder = Folder::new();
    let path = folder.path("endpoint.sock");
    // On a socket that keeps records apart, a write is a record, so it can be counted.
    let listener = net::listen(Network::Unixpacket, &path).unwrap();
    let commands = Commands::built_in(|_, _| ());
    let endpoint = Endpoint::new(EndpointConfig::default(), commands);
    let server = Server::new(Config::default(), endpoint);
    let server = server.start(listener).unwrap();
    let mut conn = net::dial(Network::Unixpacket, &path).unwrap();
    conn.set_deadline(Deadline::after(PATIENCE));
    let structs = struct_command(&Record::example());
    let sent = [&b"STRING\na\n"[..], &structs, b"STRING\nb\n"].concat();
    conn.write_all(&sent).unwrap();
    let mut record = [0; 256];
    let count = conn.read(&mut record).unwrap();
    assert_eq!(record[..count], *THANKS.repeat(3).as_bytes());
    drop(conn);
    server.stop().unwrap();
}

#[test]
fn a_payload_that_trickles_meets_its_deadline() {
    let service = service_with(EndpointConfig {
        item_timeout: Some(Duration::from_millis(100)),
        ..EndpointConfig::default()
    });
    for begun in [&b"STRING\n"[..], b"STRUCT\n\xff\0\0\0", b"STR"] {
        let mut conn = connect(&service.address);
        conn.write_all(begun).unwrap();
        let (ended, stop) = mpsc::channel::<()>();
        let slow = conn.clone();
        let sender = thread::spawn(move || {
            let step = Duration::from_millis(10);
            while stop.recv_timeout(step) == Err(mpsc::RecvTimeoutError::Timeout) {
                if (&slow).write_all(b"x").is_err() {
                    break;
                }
            }
        });
        let ending = conn.read(&mut [0; 64]);
        let gone = ending.as_ref().map_or_else(
            |error| error.kind() == ErrorKind::ConnectionReset,
            |count| *count == 0,
        );
        assert!(gone, "{ending:?}");
        drop(ended);
        sender.join().unwrap();
    }
    eventually("three have failed", || service.server.totals().failed == 3);
}

#[test]
fn a_peer_that_sends_nothing_meets_the_idle_deadline() {
    let service = service_with(EndpointConfig {
        idle_timeout: Some(Duration::from_millis(50)),
        ..EndpointConfig::default()
    });
    let mut conn = connect(&service.address);
    conn.write_all(b"STRING\nx\n").unwrap();
    assert_eq!(text_of(&mut conn), THANKS);
}

#[test]
fn the_log_says_which_time_out_it_was() {
    let kept = Kept::default();
    let log = Log::to_writer(Level::Warn, Format::Text, Box::new(kept.clone()));
    let short = Some(Duration::from_millis(200));
    let config = EndpointConfig {
        idle_timeout: short,
        item_timeout: short,
        write_timeout: short,
        ..EndpointConfig::default()
    };
    let server = Config {
        log,
        ..Config::default()
    };
    let commands = Commands::built_in(|_, _| ());
    let (_server, address) = serve(server, Endpoint::new(config, commands));
    for (says, cause) in [
        (String::new(), "no command within 200ms"),
        ("STR".into(), "no whole name, line or frame within 200ms"),
        (
            "STRING\nx".into(),
            "no whole name, line or frame within 200ms",
        ),
        (
            "STRING\nx\n".repeat(1 << 20),
            "replies not taken within 200ms",
        ),
    ] {
        let before = kept.text().len();
        let mut conn = connect(&address);
        let _ = conn.write_all(says.as_bytes());
        eventually("it has failed", || kept.text().len() > before);
        let line = kept.text()[before..].to_string();
        assert!(line.contains(&format!("timed out: {cause}")), "{line}");
    }
}

#[test]
fn a_client_beyond_the_limit_is_told_so() {
    let config = Config {
        max_connections: 1,
        ..Config::default()
    };
    let commands = Commands::built_in(|_, _| ());
    let (_server, address) = serve(config, Endpoint::new(EndpointConfig::default(), commands));
    let mut first = Client::new(connect(&address), PATIENCE);
    assert_eq!(first.string("in").unwrap(), "Thank you.");
    assert_eq!(
        text_of(&mut connect(&address)),
        "error: too many connections\n"
    );
    assert_eq!(first.string("still").unwrap(), "Thank you.");
}

#[test]
fn a_stop_lets_a_running_command_finish_and_answers_what_had_arrived() {
    let service = service();
    let (begun_tell, begun) = mpsc::channel();
    let (go_on, wait) = mpsc::channel::<()>();
    let (begun_tell, wait) = (Mutex::new(begun_tell), Mutex::new(wait));
    let slow = move |call: &mut Call<'_>| {
        begun_tell.lock().unwrap().send(()).unwrap();
        wait.lock().unwrap().recv().unwrap();
        call.reply("done")?;
        Ok(Next::Command)
    };
    service.commands.register("SLOW", slow).unwrap();
    let mut idle = connect(&service.address);
    let mut busy = connect(&service.address);
    busy.write_all(b"SLOW\nSTRING\nbehind\n").unwrap();
    begun.recv_timeout(PATIENCE).unwrap();
    eventually("both are served", || service.server.totals().active == 2);
    let stopping = thread::spawn(move || service.server.stop().unwrap());
    assert_eq!(text_of(&mut idle), "");
    drop(idle);
    go_on.send(()).unwrap();
    assert_eq!(text_of(&mut busy), "done\nThank you.\n");
    drop(busy);
    let totals = stopping.join().unwrap();
    assert_eq!((totals.served, totals.failed), (2, 0));
}

#[test]
fn a_client_hears_the_reason_though_its_payload_was_too_long_to_send() {
    let service = service();
    let mut client = service.client();
    let error = client.string(&"x".repeat(8 << 20)).unwrap_err();
    match error {
        ClientError::Refused(line) => {
            assert_eq!(
                line,
                "error: STRING: byte 65536: line longer than 65536 bytes"
            );
        }
        // 8 MiB are more than the server reads on for: a reset may win.
        ClientError::Io(_) | ClientError::Closed => {}
        other => panic!("{other}"),
    }
    let refused = service.client().call(&"FOO".parse().unwrap(), b"");
    assert!(matches!(refused, Err(ClientError::Refused(_))));
    service.assert_still_serves();
}
