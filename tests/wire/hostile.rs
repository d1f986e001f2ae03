//! Lengths, counts and nestings that claim more than there is.
//!
//! The hostile inputs of the format, and the test for each (those of the protocol are listed in
//! `tests/rpc/hostile.rs`). "Refused vectors" are those of `docs/wire-format.md`, which
//! `vectors::every_refused_vector_is_refused` reads.
//!
//! | input | test |
//! |---|---|
//! | 1 a frame that claims 4 GiB | `frames::a_frame_beyond_the_limit_is_refused_by_its_header_and_nothing_is_allocated_for_it`, `frames::a_claim_within_the_limit_makes_the_buffer_grow_with_what_arrives_only` |
//! | 2-5 bytes, lists, maps that claim 2^28 to 2^32 | `a_claim_of_bytes_or_elements_that_are_not_there_allocates_nothing` (3, a length of 64 bits, cannot be written: lengths are four bytes) |
//! | 6 many inner claims | `many_inner_claims_are_bounded_by_one_budget` |
//! | 7 elements of no bytes | the `compile_fail` examples of `wire::Decode::LEAST` |
//! | 8, 9 nesting | `nesting_is_bounded_in_both_directions_and_fits_a_small_stack` |
//! | 10 trailing bytes | refused vectors |
//! | 11 every prefix | `derived::every_kind_of_item_comes_back_as_it_went_and_no_prefix_of_it_is_a_value`, `fuzz::every_prefix_and_every_flipped_bit_is_refused_or_another_value` |
//! | 12, 13 a bool of 2, an unknown tag | refused vectors, `derived::an_old_reader_keeps_a_later_variant_as_it_came_and_passes_it_on` |
//! | 14 no UTF-8 | `no_text_that_is_not_utf_8_is_taken_nor_one_that_is_cut_within_a_character` |
//! | 15, 16 repeated and unordered keys | `a_key_that_is_repeated_or_out_of_order_is_refused_by_maps_and_sets` |
//! | 17, 18 padded and long varints | there are none: every number has its width; `derived::an_absent_last_field_that_is_written_out_is_refused` for the one thing that could be left out |
//! | 19 NaN and -0.0 | `floats_keep_their_bits_whatever_they_are` |
//! | 20 times, addresses, characters out of range | refused vectors, `times_at_the_ends_of_their_range_come_back` |
//! | 21-28 | `tests/rpc/hostile.rs` |

use std::collections::{BTreeMap, BTreeSet, HashMap, HashSet, VecDeque};
use std::rc::Rc;
use std::sync::Arc;
use std::thread;

use groundwire::sys::counting;
use groundwire::wire::{
    Decode, Error, ErrorKind, Limits, decode, decode_within, encode, encode_within,
};

use crate::types::*;

/// The error, and that no more than its own few bytes were allocated on the way to it.
fn refused<T: for<'a> Decode<'a>>(message: &[u8]) -> Error {
    let (result, held) = counting::peak(|| decode::<T>(message).map(drop));
    assert_eq!(held, 0, "bytes held on the way to the error");
    result.unwrap_err()
}

fn message(body: &[u8]) -> Vec<u8> {
    [&[0; 4], body].concat()
}

#[test]
fn a_claim_of_bytes_or_elements_that_are_not_there_allocates_nothing() {
    let claims: [u32; 4] = [1 << 20, 1 << 28, u32::MAX - 1, u32::MAX];
    for claim in claims {
        let claimed = message(&[&claim.to_le_bytes()[..], &[0]].concat());
        refused::<Vec<u8>>(&claimed);
        refused::<String>(&claimed);
        refused::<Vec<u64>>(&claimed);
        refused::<Vec<String>>(&claimed);
        refused::<HashMap<u64, u64>>(&claimed);
        refused::<BTreeMap<String, Vec<u8>>>(&claimed);
        refused::<std::collections::HashSet<u8>>(&claimed);
        refused::<std::collections::VecDeque<u32>>(&claimed);
        refused::<std::path::PathBuf>(&claimed);
        refused::<Box<[u32]>>(&claimed);
    }
}

#[test]
fn a_header_that_claims_more_text_than_the_message_is_refused() {
    let error = refused::<String>(&[0xff, 0xff, 0xff, 0xff, 1, 0, 0, 0, b'a']);
    assert_eq!(
        error.kind,
        ErrorKind::Cut {
            needed: u32::MAX.into(),
            left: 5
        }
    );
}

#[test]
fn many_inner_claims_are_bounded_by_one_budget() {
    // 100,000 absent options of 1 KiB each: a byte on the wire, a KiB in memory.
    let absent = message(&[&100_000_u32.to_le_bytes()[..], &[0; 100_000]].concat());
    let (result, held) = counting::peak(|| decode::<Vec<Option<[u64; 128]>>>(&absent).map(drop));
    assert!(matches!(
        result.unwrap_err().kind,
        ErrorKind::OverBudget { .. }
    ));
    assert_eq!(held, 0);
    let limits = Limits {
        memory_factor: 2_000,
        ..Limits::default()
    };
    assert!(decode_within::<Vec<Option<[u64; 128]>>>(&absent, limits).is_ok());
}

#[test]
fn nesting_is_bounded_in_both_directions_and_fits_a_small_stack() {
    let nested = |levels: usize| {
        let mut record = Record::default();
        for _ in 1..levels {
            record = Record {
                c: Some(Box::new(record)),
                ..Record::default()
            };
        }
        record
    };
    // 128 KiB hold 64 levels in a debug build, to write and to read.
    let small = thread::Builder::new().stack_size(128 << 10);
    let run = small.spawn(move || {
        let deepest = nested(64);
        let bytes = encode(&deepest).unwrap();
        assert_eq!(decode::<Record>(&bytes).unwrap(), deepest);
        let error = encode(&nested(65)).unwrap_err();
        assert_eq!(error.kind, ErrorKind::TooDeep { limit: 64 });
    });
    run.unwrap().join().unwrap();
    let deep = Limits {
        depth: 65,
        ..Limits::default()
    };
    let bytes = encode_within(&nested(65), deep).unwrap();
    assert_eq!(
        decode::<Record>(&bytes).unwrap_err().kind,
        ErrorKind::TooDeep { limit: 64 }
    );
    // A bomb of a million levels is refused at the limit, whatever it claims further down.
    let level = [&[0; 8 + 4 + 4 + 4][..], &[1]].concat();
    let error = decode::<Record>(&message(&level.repeat(150_000))).unwrap_err();
    assert_eq!(error.kind, ErrorKind::TooDeep { limit: 64 });
    assert_eq!(error.offset, 4 + 64 * level.len());
}

#[test]
fn rows_of_nested_structs_count_their_levels_too() {
    groundwire::wire! {
        #[derive(Clone, Copy, Debug, PartialEq)]
        struct Inner { n: u8 }
        #[derive(Clone, Copy, Debug, PartialEq)]
        struct Outer { inner: Inner, m: u16 }
    }
    let rows = vec![
        Outer {
            inner: Inner { n: 1 },
            m: 2
        };
        3
    ];
    for depth in 0..2 {
        let limits = Limits {
            depth,
            ..Limits::default()
        };
        let error = encode_within(&rows, limits).unwrap_err();
        assert_eq!(error.kind, ErrorKind::TooDeep { limit: depth });
        let bytes = encode(&rows).unwrap();
        let error = decode_within::<Vec<Outer>>(&bytes, limits).unwrap_err();
        assert_eq!(error.kind, ErrorKind::TooDeep { limit: depth });
    }
    let limits = Limits {
        depth: 2,
        ..Limits::default()
    };
    let bytes = encode_within(&rows, limits).unwrap();
    assert_eq!(decode_within::<Vec<Outer>>(&bytes, limits).unwrap(), rows);
}

#[test]
fn limits_hold_for_the_writer_as_for_the_reader() {
    let limits = Limits {
        message: 100,
        elements: 10,
        ..Limits::default()
    };
    let eleven = vec![1_u16; 11];
    let too_many = ErrorKind::TooMany {
        count: 11,
        limit: 10,
    };
    assert_eq!(encode_within(&eleven, limits).unwrap_err().kind, too_many);
    let bytes = encode(&eleven).unwrap();
    assert_eq!(
        decode_within::<Vec<u16>>(&bytes, limits).unwrap_err().kind,
        too_many
    );
    // Bytes are limited by the message alone.
    let bytes = encode_within(&vec![7_u8; 50], limits).unwrap();
    assert_eq!(decode_within::<Vec<u8>>(&bytes, limits).unwrap(), [7; 50]);
    let ring = std::collections::VecDeque::from([7_u8; 50]);
    let bytes = encode_within(&ring, limits).unwrap();
    let read = decode_within::<std::collections::VecDeque<u8>>(&bytes, limits);
    assert_eq!(read.unwrap(), ring);
    let long = "x".repeat(93);
    let too_long = ErrorKind::MessageTooLong {
        len: 101,
        limit: 100,
    };
    assert_eq!(encode_within(&long, limits).unwrap_err().kind, too_long);
    let bytes = encode(&long).unwrap();
    assert_eq!(
        decode_within::<String>(&bytes, limits).unwrap_err().kind,
        too_long
    );
}

#[test]
fn an_error_names_the_type_the_place_and_the_rule() {
    let bytes = message(&[&0_u64.to_le_bytes()[..], &[0; 4], &[9, 0, 0, 0]].concat());
    let error = decode::<Record>(&bytes).unwrap_err();
    let map = std::any::type_name::<BTreeMap<String, i64>>();
    assert_eq!(
        error.to_string(),
        format!("{map} at byte 20: the message is cut: 108 bytes needed, 0 left")
    );
    let error = decode::<(u8, bool)>(&message(&[1, 2])).unwrap_err();
    assert_eq!(error.to_string(), "bool at byte 6: no variant has tag 2");
}

#[test]
fn equal_maps_are_equal_bytes_whatever_order_they_were_filled_in() {
    let forwards: HashMap<u32, u32> = (0..1000).map(|n| (n, n)).collect();
    let backwards: HashMap<u32, u32> = (0..1000).rev().map(|n| (n, n)).collect();
    assert_eq!(encode(&forwards).unwrap(), encode(&backwards).unwrap());
    assert_eq!(
        decode::<HashMap<u32, u32>>(&encode(&forwards).unwrap()).unwrap(),
        backwards
    );
}

#[test]
fn times_at_the_ends_of_their_range_come_back() {
    use std::time::{Duration, SystemTime, UNIX_EPOCH};
    for time in [
        UNIX_EPOCH,
        UNIX_EPOCH - Duration::from_nanos(1),
        UNIX_EPOCH - Duration::from_secs(1),
        UNIX_EPOCH + Duration::new(i64::MAX as u64, 999_999_999),
        UNIX_EPOCH - Duration::from_secs(1 << 63),
    ] {
        assert_eq!(
            decode::<SystemTime>(&encode(&time).unwrap()).unwrap(),
            time,
            "{time:?}"
        );
    }
    assert_eq!(
        decode::<Duration>(&encode(&Duration::MAX).unwrap()).unwrap(),
        Duration::MAX
    );
}

#[test]
fn floats_keep_their_bits_whatever_they_are() {
    let doubles = [
        0x8000_0000_0000_0000,
        0x7ff8_0000_0000_0000,
        0x7ff0_0000_0000_0001, // a signalling NaN
        0xffff_ffff_ffff_ffff,
        0x7ff0_0000_0000_0000,
        1,
    ];
    for bits in doubles {
        let value = f64::from_bits(bits);
        assert_eq!(
            decode::<f64>(&encode(&value).unwrap()).unwrap().to_bits(),
            bits
        );
    }
    for bits in [0x8000_0000, 0x7fc0_0000, 0x7f80_0001, 0xffff_ffff_u32] {
        let values = vec![f32::from_bits(bits); 3];
        let back: Vec<f32> = decode(&encode(&values).unwrap()).unwrap();
        assert!(back.iter().all(|value| value.to_bits() == bits));
    }
}

#[test]
fn no_text_that_is_not_utf_8_is_taken_nor_one_that_is_cut_within_a_character() {
    let text = |bytes: &[u8]| {
        let len = (bytes.len() as u32).to_le_bytes();
        [&len, &len, bytes].concat()
    };
    let bad: [&[u8]; 6] = [
        b"\xc0\x80",         // overlong
        b"\xed\xa0\x80",     // a surrogate
        b"\xf4\x90\x80\x80", // beyond U+10FFFF
        b"a\xff",
        b"\x80",
        b"\xe2\x82", // cut
    ];
    for bytes in bad {
        let error = refused::<String>(&text(bytes));
        assert_eq!(error.kind, ErrorKind::NotUtf8, "{bytes:x?}");
    }
    // UTF-8 as a whole, but the first of two texts ends within its character.
    let two = [&[2, 0, 0, 0, 1, 0, 0, 0, 1, 0, 0, 0][..], "é".as_bytes()].concat();
    let error = refused::<(String, String)>(&two);
    assert_eq!(error.kind, ErrorKind::SplitCharacter);
}

#[test]
fn a_key_that_is_repeated_or_out_of_order_is_refused_by_maps_and_sets() {
    use std::collections::{BTreeSet, HashSet};
    for keys in [[5, 5], [6, 5]] {
        let map = message(&[&[2, 0, 0, 0], &[keys[0], 1][..], &[keys[1], 2]].concat());
        let set = message(&[&[2, 0, 0, 0], &keys[..]].concat());
        let kinds = [
            decode::<BTreeMap<u8, u8>>(&map).unwrap_err().kind,
            decode::<HashMap<u8, u8>>(&map).unwrap_err().kind,
            decode::<BTreeSet<u8>>(&set).unwrap_err().kind,
            decode::<HashSet<u8>>(&set).unwrap_err().kind,
        ];
        assert_eq!(kinds, [ErrorKind::KeyOrder; 4], "{keys:?}");
    }
}

/// More than the most elements of other lists: each costs the byte that it is.
#[test]
fn a_list_of_one_byte_each_takes_a_byte_for_each_and_is_as_long_as_its_message() {
    const COUNT: usize = (4 << 20) - 8;
    let all = message(&[&(COUNT as u32).to_le_bytes(), &[1; COUNT][..]].concat());
    let held = |decoded: (bool, usize)| {
        assert!(decoded.0);
        decoded.1
    };
    let bytes = held(counting::peak(|| decode::<Vec<u8>>(&all).is_ok()));
    let bools = held(counting::peak(|| decode::<VecDeque<bool>>(&all).is_ok()));
    let shared = held(counting::peak(|| decode::<Arc<[i8]>>(&all).is_ok()));
    assert_eq!([bytes, bools], [COUNT; 2]);
    assert!((2 * COUNT..2 * COUNT + 64).contains(&shared), "{shared}");
}

/// Reads a message within ever wider limits until it is taken. Until then and then, what it takes at
/// most is what was promised.
fn is_within_the_promise<T: for<'a> Decode<'a>>(message: &[u8]) {
    let of = std::any::type_name::<T>();
    for memory_factor in 1..2_000 {
        let limits = Limits {
            memory_factor,
            ..Limits::default()
        };
        let (taken, held) = counting::peak(|| decode_within::<T>(message, limits).is_ok());
        let promised = message.len() * memory_factor + (64 << 10);
        assert!(held <= promised, "{of} by {memory_factor}: {held} bytes");
        if taken {
            return;
        }
    }
    panic!("{of} is refused");
}

/// The same for ten thousand elements of these bytes.
fn many_are_within_the_promise<T: for<'a> Decode<'a>>(element: &[u8]) {
    let all = [&10_000_u32.to_le_bytes(), &element.repeat(10_000)[..]].concat();
    is_within_the_promise::<Vec<T>>(&message(&all));
}

#[test]
fn the_memory_of_owners_maps_and_texts_is_within_the_promise() {
    many_are_within_the_promise::<Box<u8>>(&[7]);
    many_are_within_the_promise::<Rc<u8>>(&[7]);
    many_are_within_the_promise::<Arc<u8>>(&[7]);
    many_are_within_the_promise::<Rc<[u8]>>(&[0, 0, 0, 0]);
    many_are_within_the_promise::<HashMap<u8, u8>>(&[1, 0, 0, 0, 7, 7]);
    many_are_within_the_promise::<HashMap<u8, Option<u64>>>(&[1, 0, 0, 0, 7, 0]);
    many_are_within_the_promise::<HashSet<u8>>(&[1, 0, 0, 0, 7]);
    many_are_within_the_promise::<HashSet<u32>>(&[1, 0, 0, 0, 7, 7, 7, 7]);
    many_are_within_the_promise::<BTreeMap<u8, u8>>(&[1, 0, 0, 0, 7, 7]);
    many_are_within_the_promise::<BTreeSet<u8>>(&[1, 0, 0, 0, 7]);
    for count in [1_000, 30_000, 100_000] {
        let keys: BTreeSet<u32> = (0..count).collect();
        let message = encode(&keys).unwrap();
        is_within_the_promise::<BTreeSet<u32>>(&message);
        is_within_the_promise::<HashSet<u32>>(&message);
        let numbers: Vec<u32> = keys.into_iter().collect();
        is_within_the_promise::<Arc<[u32]>>(&encode(&numbers).unwrap());
    }
    let text = "x".repeat(500_000);
    let absent: Vec<Option<[u64; 128]>> = vec![None; 10_000];
    is_within_the_promise::<(String, Vec<Option<[u64; 128]>>)>(&encode(&(text, absent)).unwrap());
}
