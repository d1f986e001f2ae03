//! Each fault alone: the same from the same seed, however the stream is split into chunks.

use super::*;

#[test]
fn the_largest_times_and_numbers_neither_overflow_nor_take_long() {
    let faults = Faults {
        throttle: Some(1),
        delay: Some(Delay {
            time: Duration::MAX,
            jitter: Duration::MAX,
        }),
        ..Faults::default()
    };
    let mut plan = Plan::new(&faults, u64::MAX, u64::MAX, Direction::Back);
    plan.step(Duration::MAX, &mut [0; 9]);
    plan.lost(usize::MAX);
    assert_eq!(plan.room(9), 9);
    assert_eq!(plan.end(Duration::MAX), Duration::MAX);
}

const MS: Duration = Duration::from_millis(1);

/// The result for a stream: its bytes after corruption, the lengths of its writes, the end.
fn streamed(faults: &Faults, seed: u64, bytes: &[u8], chunk: usize) -> (Vec<u8>, Vec<usize>, Then) {
    let mut plan = Plan::new(faults, seed, 0, Direction::Forward);
    let (mut out, mut writes) = (Vec::new(), Vec::new());
    for part in bytes.chunks(chunk) {
        let mut part = part.to_vec();
        let mut rest = &mut part[..];
        while !rest.is_empty() {
            let step = plan.step(Duration::ZERO, rest);
            let (now, later) = rest.split_at_mut(step.take);
            out.extend_from_slice(now);
            writes.push(step.take);
            if step.then != Then::GoOn {
                return (out, writes, step.then);
            }
            rest = later;
        }
    }
    (out, writes, Then::GoOn)
}

fn corrupting(text: &str) -> Faults {
    Faults {
        corrupt: Some(text.parse().unwrap()),
        ..Faults::default()
    }
}

#[test]
fn without_faults_everything_passes_at_once_as_it_came() {
    let bytes: Vec<u8> = (0..=255).collect();
    let (out, writes, then) = streamed(&Faults::default(), 1, &bytes, 100);
    assert_eq!((out, then), (bytes, Then::GoOn));
    assert_eq!(writes, [100, 100, 56]);
}

#[test]
fn a_seed_corrupts_the_same_bytes_however_the_stream_is_cut_into_chunks() {
    let clean = vec![0; 20_000];
    for text in ["0.001", "1%", "every:1000"] {
        let run = |seed, chunk| streamed(&corrupting(text), seed, &clean, chunk).0;
        let whole = run(5, 20_000);
        for chunk in [1, 7, 1460, 4096] {
            assert_eq!(run(5, chunk), whole, "{text} {chunk}");
        }
        assert_ne!(run(6, 20_000), whole, "{text}");
        assert!(whole.iter().all(|byte| byte.count_ones() <= 1));
    }
}

#[test]
fn the_share_of_corrupted_bytes_is_the_probability() {
    let clean = vec![0; 1_000_000];
    for (text, least, most) in [
        ("0.01", 9_500, 10_500),
        ("0", 0, 0),
        ("1", 1_000_000, 1_000_000),
    ] {
        let (out, ..) = streamed(&corrupting(text), 11, &clean, 65_536);
        let wrong = out.iter().filter(|byte| **byte != 0).count();
        assert!((least..=most).contains(&wrong), "{text}: {wrong}");
    }
}

#[test]
fn every_n_bytes_is_byte_n_and_its_multiples() {
    let (out, ..) = streamed(&corrupting("every:10"), 1, &[0; 35], 8);
    let wrong: Vec<usize> = (0..35).filter(|at| out[*at] != 0).collect();
    assert_eq!(wrong, [9, 19, 29]);
}

#[test]
fn a_cut_and_a_reset_come_behind_exactly_so_many_bytes() {
    for chunk in [1, 3, 5, 100] {
        let cut = Faults {
            cut: Some(5),
            ..Faults::default()
        };
        let (out, _, then) = streamed(&cut, 1, b"hello, world", chunk);
        assert_eq!((&out[..], then), (&b"hello"[..], Then::Cut), "{chunk}");
        let first = Faults {
            cut: Some(9),
            reset: Some(2),
            ..cut
        };
        let (out, _, then) = streamed(&first, 1, b"hello, world", chunk);
        assert_eq!((&out[..], then), (&b"he"[..], Then::Reset), "{chunk}");
    }
    let at_once = Faults {
        cut: Some(0),
        ..Faults::default()
    };
    assert_eq!(streamed(&at_once, 1, b"x", 1), (vec![], vec![0], Then::Cut));
}

#[test]
fn split_writes_are_no_longer_than_asked() {
    let split = Faults {
        split: Some(3),
        ..Faults::default()
    };
    assert_eq!(streamed(&split, 1, b"12345678", 5).1, [3, 2, 3]);
}

#[test]
fn faults_one_way_leave_the_other_alone() {
    let faults = Faults {
        cut: Some(1),
        which: Which::ToClient,
        ..Faults::default()
    };
    let step = |way| Plan::new(&faults, 1, 0, way).step(MS, &mut [0; 4]);
    assert_eq!(
        (step(Direction::Forward).take, step(Direction::Back).take),
        (4, 1)
    );
}

#[test]
fn a_delay_shifts_every_write_and_jitter_never_reorders_a_stream() {
    let delay = |text: &str| Faults {
        delay: Some(text.parse().unwrap()),
        ..Faults::default()
    };
    let mut plain = Plan::new(&delay("50ms"), 1, 0, Direction::Forward);
    for now in [0, 1, 2, 500] {
        assert_eq!(plain.step(MS * now, &mut [0; 9]).due, MS * (now + 50));
    }
    assert_eq!(plain.end(MS * 600), MS * 650);
    let dues = |seed| {
        let mut plan = Plan::new(&delay("50ms±20ms"), seed, 0, Direction::Forward);
        (0..1000)
            .map(|n| plan.step(MS * n, &mut [0]).due)
            .collect::<Vec<_>>()
    };
    let some = dues(4);
    assert_eq!(dues(4), some);
    assert_ne!(dues(5), some);
    assert!(some.windows(2).all(|pair| pair[0] <= pair[1]));
    let late = |(n, due): (u32, &Duration)| *due - MS * n;
    assert!(
        (0..)
            .zip(&some)
            .map(late)
            .all(|late| (MS * 30..MS * 70).contains(&late))
    );
}

#[test]
fn a_throttled_link_carries_its_rate_in_slices() {
    let faults = Faults {
        throttle: Some(1000),
        ..Faults::default()
    };
    let mut plan = Plan::new(&faults, 1, 0, Direction::Forward);
    let (mut bytes, mut due) = (vec![0; 500], Duration::ZERO);
    let mut rest = &mut bytes[..];
    while !rest.is_empty() {
        let step = plan.step(Duration::ZERO, rest);
        assert_eq!(step.take, 50);
        due = step.due;
        rest = &mut rest[step.take..];
    }
    assert_eq!(due, MS * 500);
    // An idle link has not saved up any capacity.
    assert_eq!(plan.step(MS * 9000, &mut [0; 50]).due, MS * 9050);
    assert_eq!((plan.is_slow(), plan.room(1 << 20)), (true, 100));
}

#[test]
fn datagrams_without_room_before_a_throttled_link_do_not_keep_it_busy() {
    let faults = Faults {
        throttle: Some(1000),
        ..Faults::default()
    };
    let mut plan = Plan::new(&faults, 1, 0, Direction::Forward);
    assert_eq!(plan.datagram(MS, &mut [0; 500]).due, MS * 501);
    for _ in 0..100 {
        assert_eq!(plan.datagram(MS, &mut [0; 500]).due, MS * 1001);
        plan.lost(500);
    }
}

#[test]
fn datagrams_are_lost_doubled_and_overtaken_as_often_as_asked_and_the_same_ones_again() {
    let share = |share: &str| share.parse::<Share>().unwrap();
    let faults = Faults {
        drop: share("0.1"),
        duplicate: share("0.2"),
        reorder: share("0.3"),
        ..Faults::default()
    };
    let fates = |seed| {
        let mut plan = Plan::new(&faults, seed, 0, Direction::Back);
        (0..10_000)
            .map(|_| plan.datagram(MS, &mut [0; 10]))
            .collect::<Vec<_>>()
    };
    let some = fates(8);
    assert_eq!(fates(8), some);
    assert_ne!(fates(9), some);
    let count = |copies| some.iter().filter(|fate| fate.copies == copies).count();
    assert!((900..1100).contains(&count(0)), "{}", count(0));
    assert!((1650..1950).contains(&count(2)), "{}", count(2));
    let held = some.iter().filter(|fate| fate.held).count();
    assert!((1800..2300).contains(&held), "{held}"); // one at a time: .27 / 1.27
    assert!(some.iter().all(|fate| !fate.held || fate.copies > 0));
}

#[test]
fn texts_of_faults_are_read_and_wrong_ones_are_told() {
    let delay = |text: &str| text.parse::<Delay>().map(|d| (d.time, d.jitter));
    assert_eq!(delay("50ms"), Ok((MS * 50, Duration::ZERO)));
    assert_eq!(delay("50ms±10ms"), Ok((MS * 50, MS * 10)));
    assert_eq!(delay("1s+-1s"), Ok((MS * 1000, MS * 1000)));
    for wrong in ["", "50", "10ms±20ms", "±1ms", "1ms±"] {
        assert!(delay(wrong).is_err(), "{wrong}");
    }
    assert_eq!("1%".parse::<Share>(), Ok(Share(0.01)));
    for wrong in ["", "1.1", "-0.1", "101%", "NaN", "half"] {
        assert!(wrong.parse::<Share>().is_err(), "{wrong}");
    }
    assert_eq!("every:4K".parse::<Corrupt>(), Ok(Corrupt::Every(4096)));
    for wrong in ["every:0", "every:", "2", "each"] {
        assert!(wrong.parse::<Corrupt>().is_err(), "{wrong}");
    }
}
