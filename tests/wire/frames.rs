//! Frames on a stream: whole, in pieces, cut, too long.

use std::io::{self, Read};

use groundwire::sys::counting;
use groundwire::wire::{FrameBuffer, FrameError, FrameReader, Frames, Limits, decode, encode};

use crate::types::*;

/// Gives its bytes in pieces of at most `piece`.
struct Pieces<'a> {
    bytes: &'a [u8],
    piece: usize,
}

impl Read for Pieces<'_> {
    fn read(&mut self, buffer: &mut [u8]) -> io::Result<usize> {
        let (now, later) = self
            .bytes
            .split_at(self.bytes.len().min(self.piece).min(buffer.len()));
        buffer[..now.len()].copy_from_slice(now);
        self.bytes = later;
        Ok(now.len())
    }
}

fn stream() -> Vec<u8> {
    let mut frames = Frames::new(Limits::default());
    frames.push("first").unwrap();
    frames.push(&record()).unwrap();
    frames.push(&vec![9_u8; 10_000]).unwrap();
    frames.bytes().to_vec()
}

#[test]
fn frames_come_whole_whatever_pieces_the_stream_comes_in() {
    let bytes = stream();
    for piece in [1, 2, 3, 5, 4096, usize::MAX] {
        let mut reader = FrameReader::new(
            Pieces {
                bytes: &bytes,
                piece,
            },
            20_000,
        );
        assert_eq!(
            decode::<&str>(reader.read().unwrap().unwrap()).unwrap(),
            "first"
        );
        assert_eq!(
            decode::<Record>(reader.read().unwrap().unwrap()).unwrap(),
            record()
        );
        assert_eq!(
            decode::<Vec<u8>>(reader.read().unwrap().unwrap()).unwrap(),
            [9; 10_000]
        );
        assert!(
            reader.read().unwrap().is_none(),
            "the stream ends between frames"
        );
    }
}

#[test]
fn a_cut_frame_is_an_error_and_no_end() {
    let bytes = stream();
    let mut borders = vec![0];
    for len in 0..bytes.len() {
        let mut reader = FrameReader::new(&bytes[..len], 20_000);
        let mut taken = 0;
        let end = loop {
            match reader.read() {
                Ok(Some(frame)) => taken += 4 + frame.len(),
                Ok(None) => break Ok(()),
                Err(error) => break Err(error),
            }
        };
        match end {
            Ok(()) => assert!(borders.contains(&len) || taken == len, "an end at {len}"),
            Err(FrameError::Cut { arrived }) => assert_eq!(taken + arrived, len),
            Err(error) => panic!("{error}"),
        }
        borders.push(taken);
    }
}

#[test]
fn a_frame_beyond_the_limit_is_refused_by_its_header_and_nothing_is_allocated_for_it() {
    let mut claim = u32::MAX.to_le_bytes().to_vec();
    claim.push(0);
    let (result, held) = counting::peak(|| {
        let mut reader = FrameReader::new(&claim[..], 4 << 20);
        reader.read().map(|frame| frame.is_some()).unwrap_err()
    });
    let text = result.to_string();
    assert_eq!(text, "frame of 4294967295 bytes, the limit is 4194304");
    assert!(held <= 4096, "{held} bytes held");
}

#[test]
fn a_claim_within_the_limit_makes_the_buffer_grow_with_what_arrives_only() {
    let mut claim = (4_u32 << 20).to_le_bytes().to_vec();
    claim.extend_from_slice(&[0; 5000]);
    let (_, held) = counting::peak(|| {
        let mut reader = FrameReader::new(&claim[..], 4 << 20);
        assert!(matches!(
            reader.read(),
            Err(FrameError::Cut { arrived: 5004 })
        ));
    });
    assert!(held <= 3 * 8192, "{held} bytes held for 5,004 that arrived");
}

#[test]
fn a_value_that_cannot_be_written_leaves_nothing_in_the_stream() {
    let limits = Limits {
        message: 20,
        ..Limits::default()
    };
    let mut frames = Frames::new(limits);
    frames.push("short").unwrap();
    assert!(frames.push("longer than twenty bytes").is_err());
    frames.push("end").unwrap();
    let mut reader = FrameReader::new(frames.bytes(), 20);
    assert_eq!(
        decode::<&str>(reader.read().unwrap().unwrap()).unwrap(),
        "short"
    );
    assert_eq!(
        decode::<&str>(reader.read().unwrap().unwrap()).unwrap(),
        "end"
    );
    assert!(reader.read().unwrap().is_none());
}

#[test]
fn the_buffer_alone_takes_bytes_and_gives_frames() {
    let mut buffer = FrameBuffer::new(100);
    buffer.push(&[3, 0, 0, 0, 1, 2]);
    assert!(!buffer.has_frame());
    assert!(buffer.next_frame().unwrap().is_none());
    buffer.push(&[3, 0, 0, 0, 0, 1]);
    assert_eq!(buffer.next_frame().unwrap(), Some(&[1, 2, 3][..]));
    assert_eq!(buffer.next_frame().unwrap(), Some(&[][..]));
    assert!(matches!(buffer.end(), Err(FrameError::Cut { arrived: 1 })));
    assert_eq!(encode(&()).unwrap(), [0; 4]);
}
