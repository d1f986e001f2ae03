//! Messages reassembled from segments.

use super::*;
use crate::capture::decode::{Layer, Layers, Udp};

/// A connection of a client at port 1000, with the bytes that each side has sent.
pub(super) struct Talk {
    flows: Flows,
    applications: Applications,
    port: u16,
    sent: [u32; 2],
}

impl Talk {
    pub(super) fn new(rules: &[&str], port: u16) -> Self {
        let rules: Vec<Rule> = rules.iter().filter_map(|text| Rule::parse(text)).collect();
        Self {
            flows: Flows::new(),
            applications: Applications::new(&rules),
            port,
            sent: [0; 2],
        }
    }

    /// The client's next bytes: the layers of their segment, as text.
    pub(super) fn client(&mut self, bytes: &[u8]) -> String {
        self.sent[0] += bytes.len() as u32;
        self.again(true, self.sent[0] - bytes.len() as u32, bytes)
    }

    pub(super) fn server(&mut self, bytes: &[u8]) -> String {
        self.sent[1] += bytes.len() as u32;
        self.again(false, self.sent[1] - bytes.len() as u32, bytes)
    }

    /// Bytes of a side after its first `from`.
    fn again(&mut self, from_client: bool, from: u32, bytes: &[u8]) -> String {
        self.segment(from_client, A, from, bytes)
    }

    fn segment(&mut self, from_client: bool, flags: u16, from: u32, bytes: &[u8]) -> String {
        let step = Script {
            from_client,
            ..c(
                0,
                500 + from,
                500 + self.sent[usize::from(from_client)],
                flags,
                bytes.len(),
            )
        };
        let mut ends = step.ends();
        let server = if from_client {
            &mut ends.destination
        } else {
            &mut ends.source
        };
        server.1 = self.port;
        let tcp = step.tcp(bytes);
        let segment = self.flows.tcp(ends, &tcp, 1, Duration::ZERO);
        let mut layers = Layers::new();
        let more = self.applications.tcp(&segment, ends, &tcp, &mut layers);
        let names = layers.as_slice().iter().map(|layer| match layer {
            Layer::Http(bytes) => format!("http{} ", bytes.len()),
            Layer::Dns(bytes) => format!("dns{} ", bytes.len()),
            Layer::Rpc(bytes) => format!("rpc{} ", bytes.len()),
            Layer::Frame(bytes) => format!("frame{} ", bytes.len()),
            Layer::Data(bytes) => format!("data{} ", bytes.len()),
            _ => "?".to_owned(),
        });
        names.collect::<String>() + if more { "more" } else { "" }
    }
}

/// The layers of each segment, as text, when the client's bytes are cut at these places.
fn layers(rules: &[&str], port: u16, bytes: &[u8], cuts: &[usize]) -> Vec<String> {
    let mut talk = Talk::new(rules, port);
    let mut from = 0;
    let cuts = cuts.iter().copied().chain([bytes.len()]);
    cuts.map(|to| talk.client(&bytes[std::mem::replace(&mut from, to)..to]))
        .collect()
}

const POST: &[u8] = b"POST / HTTP/1.1\r\nHost: a\r\nContent-Length: 5\r\n\r\nGET xGET / HTTP/1.1\r\nHost: a\r\n\r\n";

#[test]
fn http_is_known_by_its_start_line_and_a_body_is_passed_over() {
    assert_eq!(layers(&[], 8123, POST, &[]), ["http47 data5 http27 "]);
}

#[test]
fn a_section_ends_at_an_empty_line_without_a_carriage_return_as_well() {
    for first in [
        "GET / HTTP/1.0\nHost: a\n\n",
        "GET / HTTP/1.0\r\nHost: a\n\n",
        "GET / HTTP/1.0\nHost: a\n\r\n",
    ] {
        for cut in 1..first.len() {
            let mut talk = Talk::new(&[], 8123);
            assert_eq!(talk.client(&first.as_bytes()[..cut]), "more");
            let whole = format!("http{} ", first.len());
            assert_eq!(talk.client(&first.as_bytes()[cut..]), whole, "{cut}");
            assert_eq!(talk.client(&POST[..47]), "http47 ");
        }
    }
}

#[test]
fn a_body_behind_bare_line_feeds_is_passed_over_too() {
    let bare: Vec<u8> = POST.iter().copied().filter(|byte| *byte != b'\r').collect();
    assert_eq!(layers(&[], 8123, &bare, &[]), ["http43 data5 http24 "]);
}

#[test]
fn what_a_reset_says_is_no_message_and_ends_none() {
    let mut talk = Talk::new(&[], 8123);
    assert_eq!(talk.client(&POST[..20]), "more");
    assert_eq!(talk.segment(true, R | A, 20, &POST[20..47]), "data27 ");
    assert_eq!(talk.segment(false, R, 0, &POST[..47]), "data47 ");
}

#[test]
fn a_message_cut_at_any_byte_is_put_together() {
    let messages: [(&[&str], u16, &[u8], &str); 4] = [
        (&[], 8123, &POST[..47], "http47 "),
        (&[], 53, b"\0\x0cabcdefghijkl", "dns12 "),
        (
            &["tcp.port==7100,frames"],
            7100,
            b"\x05\0\0\0hello",
            "frame5 ",
        ),
        (&[], 9, b"gwrpc 1\n\x03\0\0\0abc", "rpc3 "),
    ];
    for (rules, port, bytes, expected) in messages {
        for cut in 1..bytes.len() {
            let told = layers(rules, port, bytes, &[cut]);
            assert_eq!(told[1], expected, "cut at {cut}");
            assert!(
                told[0] == "more" || (cut == 8 && told[0].is_empty()),
                "cut at {cut}: {}",
                told[0]
            );
        }
        let every: Vec<usize> = (1..bytes.len()).collect();
        assert_eq!(
            layers(rules, port, bytes, &every).pop().as_deref(),
            Some(expected)
        );
    }
}

#[test]
fn what_nobody_claims_is_data() {
    assert_eq!(layers(&[], 9, b"hello", &[]), ["data5 "]);
    assert_eq!(layers(&["tcp.port==9,data"], 9, POST, &[]), ["data79 "]);
}

/// The layers of segments that follow each other, of which only this many bytes were kept.
fn layers_of_cut(segments: &[(&[u8], usize)]) -> Vec<usize> {
    let (mut flows, mut applications) = (Flows::new(), Applications::new(&[]));
    let mut from = 500;
    let mut messages = Vec::new();
    for (bytes, kept) in segments {
        let step = c(0, from, 1, A, bytes.len());
        let tcp = step.tcp(&bytes[..*kept]);
        let segment = flows.tcp(step.ends(), &tcp, 1, Duration::ZERO);
        let mut layers = Layers::new();
        applications.tcp(&segment, step.ends(), &tcp, &mut layers);
        messages.extend(layers.as_slice().iter().filter_map(|layer| match layer {
            Layer::Http(bytes) => Some(bytes.len()),
            _ => None,
        }));
        from += bytes.len() as u32;
    }
    messages
}

#[test]
fn nothing_goes_on_behind_bytes_that_were_not_kept() {
    let get = b"GET / HTTP/1.1\r\nHost: a\r\n\r\n";
    // The part of a head that was kept is shown, and not joined with the bytes after the gap.
    let (one, other) = (&get[..20], &get[20..]);
    assert_eq!(layers_of_cut(&[(one, 20), (other, other.len())]), [27]);
    assert_eq!(layers_of_cut(&[(one, 18), (other, other.len())]), [18]);
    // The part of a body that was not kept is skipped as well.
    let post = b"POST / HTTP/1.1\r\nHost: a\r\nContent-Length: 100\r\n\r\n";
    let body = [b'x'; 100];
    let cut = [
        (&post[..], post.len()),
        (&body[..], 60),
        (&get[..], get.len()),
    ];
    assert_eq!(layers_of_cut(&cut), [post.len(), 27]);
}

#[test]
fn a_frame_longer_than_the_limit_is_passed_over() {
    let mut bytes = 70_000_u32.to_le_bytes().to_vec();
    bytes.resize(70_004, 0);
    bytes.extend(b"\x01\0\0\0x");
    let told = layers(&["tcp.port==7,frames"], 7, &bytes, &[40_000]);
    assert_eq!(told, ["data39996 ", "data30004 frame1 "]);
}

#[test]
fn a_head_without_an_end_is_given_up() {
    let mut bytes = b"GET / HTTP/1.1\r\n".to_vec();
    bytes.resize(80_000, b'a');
    let told = layers(&[], 80, &bytes, &[30_000, 60_000]);
    assert_eq!(told, ["more", "more", "data20000 "]);
}

#[test]
fn several_dns_messages_in_a_segment_are_several_layers() {
    let bytes = b"\0\x0cabcdefghijkl\0\x0dabcdefghijklm\0\x0eabc";
    assert_eq!(layers(&[], 53, bytes, &[]), ["dns12 dns13 more"]);
}

#[test]
fn after_the_greeting_frames_of_both_directions_are_rpc() {
    let mut talk = Talk::new(&[], 9);
    assert_eq!(
        talk.client(b"gwrpc 1\n\x01\0\0\0a\x02\0\0\0bc"),
        "rpc1 rpc2 "
    );
    assert_eq!(talk.server(b"gwrpc 1\n\x03\0\0\0abc\x04\0"), "rpc3 more");
    assert_eq!(talk.server(b"\0\0abcd"), "rpc4 ");
}

#[test]
fn a_segment_that_comes_late_or_again_is_not_read_twice() {
    let mut talk = Talk::new(&[], 80);
    let request = b"GET / HTTP/1.1\r\nHost: a\r\n\r\n";
    assert_eq!(talk.client(request), "http27 ");
    assert_eq!(talk.again(true, 0, request), "data27 ");
    assert_eq!(talk.again(true, 20, b"\r\n\r\n"), "data4 ");
    // The first half is repeated, the second half is a message.
    let both = [&request[..], &request[..]].concat();
    assert_eq!(talk.again(true, 0, &both), "http27 ");
    // A gap; then what fills it.
    assert_eq!(talk.again(true, 81, request), "http27 ");
    assert_eq!(talk.again(true, 54, request), "data27 ");
}

#[test]
fn a_stream_that_begins_in_the_middle_is_data_up_to_a_start_line() {
    let mut talk = Talk::new(&[], 80);
    assert_eq!(talk.server(b"half of a body"), "data14 ");
    assert_eq!(
        talk.server(b"HTTP/1.1 200 OK\r\nContent-Length: 2\r\n\r\nab"),
        "http38 data2 "
    );
    assert_eq!(
        talk.client(b"ost: a\r\n\r\nGET / HTTP/1.1\r\n\r\n"),
        "data28 "
    );
    assert_eq!(talk.client(b"GET / HTTP/1.1\r\nHost: a\r\n\r\n"), "http27 ");
}

#[test]
fn a_message_in_a_syn_is_read_and_so_is_what_follows() {
    let mut flows = Flows::new();
    let mut applications = Applications::new(&[]);
    for (sequence, flags, bytes) in [(99, S, &b"GET / "[..]), (106, A, b"HTTP/1.1\r\n\r\n")] {
        let step = c(0, sequence, 1, flags, bytes.len());
        let tcp = step.tcp(bytes);
        let segment = flows.tcp(step.ends(), &tcp, 1, Duration::ZERO);
        let mut layers = Layers::new();
        let more = applications.tcp(&segment, step.ends(), &tcp, &mut layers);
        assert_eq!(more, flags == S);
        assert_eq!(matches!(layers.as_slice(), [Layer::Http(_)]), flags == A);
    }
}

#[test]
fn a_rule_says_more_than_the_ports_of_a_datagram_and_of_two_ports_the_lower_one() {
    let layer = |rules: &[&str], (from, to): (u16, u16)| {
        let rules: Vec<Rule> = rules.iter().filter_map(|text| Rule::parse(text)).collect();
        let end = |port| (IpAddr::V4(Ipv4Addr::LOCALHOST), port);
        let ends = Ends {
            source: end(from),
            destination: end(to),
        };
        let message = [0; 12];
        let udp = Udp {
            is_whole: true,
            source: from,
            destination: to,
            length: 20,
            checksum: 0,
            check: Check::Unverified,
            payload: &message,
        };
        let mut applications = Applications::new(&rules);
        let mut layers = Layers::new();
        applications.udp(ends, &udp, &mut layers);
        let name = format!("{:?}", layers.as_slice());
        name.split('(').next().unwrap_or_default().to_owned()
    };
    for (rules, ports, expected) in [
        (&[][..], (5353, 5353), "[Mdns"),
        (&[], (4000, 5355), "[Llmnr"),
        (&[], (5353, 53), "[Dns"),
        (&[], (5355, 5353), "[Mdns"),
        (&[], (4000, 5354), "[Data"),
        (&["udp.port==5353,dns"], (4000, 5353), "[Dns"),
        (&["udp.port==5353,data"], (4000, 5353), "[Data"),
        (&["tcp.port==5353,dns"], (4000, 5353), "[Mdns"),
    ] {
        assert_eq!(layer(rules, ports), expected, "{rules:?} {ports:?}");
    }
}
