//! The Internet checksum over several pieces (RFC 1071), and the pseudo header that TCP, UDP and
//! ICMPv6 sum with their message (RFC 9293 §3.1, RFC 768, RFC 8200 §8.1). Pure.

use std::net::IpAddr;

use super::Check;
use crate::net::icmp::checksum::fold;

/// Checks the checksum of a TCP segment or UDP datagram between these ends. `message` is all of it,
/// including the checksum's field.
// Not inline: callers that do not verify should not pay for its registers.
#[inline(never)]
pub(super) fn of_message(
    ends: (IpAddr, IpAddr),
    protocol: u8,
    message: &[u8],
    stored: u16,
) -> Check {
    Sum::default()
        .with_pseudo_header(ends, protocol, message.len())
        .with(message)
        .check(stored)
}

/// A one's complement sum that grows piece by piece; only the last may have an odd length.
#[derive(Clone, Copy, Debug, Default)]
pub(in crate::capture) struct Sum(u64);

impl Sum {
    /// Adds these bytes. Words of 32 bits fold to the same 16 (RFC 1071 §2 C), and the carries
    /// collect in the upper half: 2^32 words fit, more than any packet has.
    #[inline(never)]
    pub fn with(self, bytes: &[u8]) -> Self {
        let words = bytes.chunks_exact(4);
        let mut last = [0; 4];
        for (place, byte) in last.iter_mut().zip(words.remainder()) {
            *place = *byte;
        }
        let words = words.map(|word| match *word {
            [a, b, c, d] => u64::from(u32::from_be_bytes([a, b, c, d])),
            _ => 0,
        });
        Self(self.0 + words.sum::<u64>() + u64::from(u32::from_be_bytes(last)))
    }

    /// Adds the pseudo header of a message of `length` bytes.
    pub fn with_pseudo_header(self, ends: (IpAddr, IpAddr), protocol: u8, length: usize) -> Self {
        let sum = match ends {
            (IpAddr::V4(source), IpAddr::V4(destination)) => {
                self.with(&source.octets()).with(&destination.octets())
            }
            (IpAddr::V6(source), IpAddr::V6(destination)) => {
                self.with(&source.octets()).with(&destination.octets())
            }
            _ => self,
        };
        Self(sum.0 + length as u64 + u64::from(protocol))
    }

    /// The value for the checksum's field, which was summed as zero.
    pub fn finish(self) -> u16 {
        !fold(self.0)
    }

    /// Checks a sum that includes the checksum's field: all ones is good.
    pub fn check(self, stored: u16) -> Check {
        if fold(self.0) == 0xffff {
            return Check::Good;
        }
        // To subtract a number from a one's complement sum, add its complement.
        Check::Bad(!fold(self.0 + u64::from(!stored)))
    }
}
