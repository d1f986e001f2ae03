//! Random segments: no panic, and no more memory than the limits say.
//!
//! `GROUNDWIRE_FUZZ` is how many segments are tried (100,000 without it), `GROUNDWIRE_SEED` which.

use super::*;
use crate::capture::decode::Layers;
use crate::net::Seeded;

fn wanted() -> u64 {
    let wanted = std::env::var("GROUNDWIRE_FUZZ").ok();
    wanted.map_or(100_000, |text| {
        text.parse().expect("GROUNDWIRE_FUZZ: a number")
    })
}

const BYTES: &[u8] =
    b"GET / HTTP/1.1\r\nHost: a\r\n\r\ngwrpc 1\n\x05\0\0\0hello\0\x0cabcdefghijkl\xff\xff\xff\xff";

#[test]
fn segments_without_sense_cause_no_panic() {
    let mut random = Seeded::new(42);
    let rules = [Rule::parse("tcp.port==7100,frames").expect("a rule")];
    let (mut flows, mut applications) = (Flows::with_limit(50), Applications::new(&rules));
    let mut follow = Follow::new(Target {
        udp: false,
        stream: 0,
        form: Form::Hex,
    });
    let (mut explain, mut out) = (Explain::new(), String::new());
    for packet in 0..wanted() {
        let from = random.below(BYTES.len());
        let payload = &BYTES[from..from + random.below(BYTES.len() - from + 1)];
        let near = |random: &mut Seeded| (random.below(200) as u32).wrapping_sub(100);
        let step = Script {
            from_client: random.below(2) == 0,
            options: [
                &[] as &[u8],
                &[3, 3, 255],
                &[5, 10, 0, 0, 0, 1, 0, 0, 0, 9],
                &[5, 1],
            ][random.below(4)],
            window: random.below(3) as u16 * 60,
            ..c(
                0,
                near(&mut random),
                near(&mut random),
                random.below(512) as u16,
                payload.len() + random.below(2),
            )
        };
        let mut ends = step.ends();
        let server = if step.from_client {
            &mut ends.destination
        } else {
            &mut ends.source
        };
        server.1 = [53, 80, 7100, packet as u16][random.below(4)];
        let tcp = step.tcp(payload);
        let time = Duration::from_nanos(random.below(50_000_000) as u64);
        let segment = flows.tcp(ends, &tcp, packet, time);
        applications.tcp(&segment, ends, &tcp, &mut Layers::new());
        follow.tcp(&segment, ends, &tcp, packet, &mut out);
        explain.segment(&segment, &tcp, &mut out);
        out.clear();
    }
}
