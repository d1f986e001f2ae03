//! The options of TCP and IPv4, one by one. Pure.
//!
//! Both have the same form (RFC 9293 §3.1, RFC 791 §3.1): kind 0 ends the list, kind 1 is one byte
//! of padding, and every other kind is followed by a length, which counts the kind and length
//! bytes, too.
//!
//! Sources: RFC 9293 §3.2 (end, no-operation, maximum segment size), RFC 7323 (window scale,
//! timestamps), RFC 2018 (SACK), RFC 791, RFC 2113 (router alert).

/// One option, split off the list.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
enum Raw<'a> {
    End,
    NoOperation,
    /// The bytes after the length byte.
    Value {
        kind: u8,
        value: &'a [u8],
    },
    /// The length is impossible, so the rest of the list is lost.
    Broken {
        kind: u8,
        length: Option<u8>,
    },
}

/// Takes the first option off the list; after a broken one or the end, the list is empty.
fn next<'a>(list: &mut &'a [u8]) -> Option<Raw<'a>> {
    let (&kind, behind) = list.split_first()?;
    if kind == 0 {
        *list = &[];
        return Some(Raw::End);
    }
    if kind == 1 {
        *list = behind;
        return Some(Raw::NoOperation);
    }
    let length = behind.first().copied();
    let whole = length.and_then(|length| list.split_at_checked(length.into()));
    match whole.map(|(option, rest)| (option.get(2..), rest)) {
        Some((Some(value), rest)) => {
            *list = rest;
            Some(Raw::Value { kind, value })
        }
        _ => {
            *list = &[];
            Some(Raw::Broken { kind, length })
        }
    }
}

/// An option of TCP.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum TcpOption<'a> {
    /// 0: the list ends here.
    End,
    /// 1: a byte of padding.
    NoOperation,
    /// 2: the largest segment that the sender accepts, in bytes.
    MaximumSegmentSize(u16),
    /// 3: the sender's windows have this many more bits than their field.
    WindowScale(u8),
    /// 4: the sender understands SACK.
    SackPermitted,
    /// 5: blocks that have arrived out of order.
    Sack(SackBlocks<'a>),
    /// 8: timestamps.
    Timestamps {
        /// The sender's clock, in ticks of its own.
        value: u32,
        /// The receiver's clock, as last seen; valid only with ACK.
        echo: u32,
    },
    /// Any other.
    Other {
        /// Its number (<https://www.iana.org/assignments/tcp-parameters>).
        kind: u8,
        /// The bytes after its length byte.
        value: &'a [u8],
    },
    /// An option whose length does not fit its kind, or which runs past the list and so ends it.
    Malformed {
        /// Its number.
        kind: u8,
        /// Its length as written, if there is one.
        length: Option<u8>,
    },
}

/// The options of a TCP header, in their order.
#[derive(Clone, Debug)]
pub struct TcpOptions<'a>(&'a [u8]);

impl<'a> TcpOptions<'a> {
    /// The options in [`Tcp::options`](super::Tcp::options).
    pub fn of(bytes: &'a [u8]) -> Self {
        Self(bytes)
    }
}

impl<'a> Iterator for TcpOptions<'a> {
    type Item = TcpOption<'a>;

    fn next(&mut self) -> Option<TcpOption<'a>> {
        Some(match next(&mut self.0)? {
            Raw::End => TcpOption::End,
            Raw::NoOperation => TcpOption::NoOperation,
            Raw::Broken { kind, length } => TcpOption::Malformed { kind, length },
            Raw::Value { kind, value } => tcp_option(kind, value),
        })
    }
}

fn tcp_option(kind: u8, value: &[u8]) -> TcpOption<'_> {
    match (kind, value) {
        (2, &[a, b]) => TcpOption::MaximumSegmentSize(u16::from_be_bytes([a, b])),
        (3, &[shift]) => TcpOption::WindowScale(shift),
        (4, &[]) => TcpOption::SackPermitted,
        (5, blocks) if !blocks.is_empty() && blocks.len() % 8 == 0 => {
            TcpOption::Sack(SackBlocks(blocks))
        }
        (8, &[a, b, c, d, w, x, y, z]) => TcpOption::Timestamps {
            value: u32::from_be_bytes([a, b, c, d]),
            echo: u32::from_be_bytes([w, x, y, z]),
        },
        (2..=5 | 8, value) => TcpOption::Malformed {
            kind,
            length: u8::try_from(value.len() + 2).ok(),
        },
        (kind, value) => TcpOption::Other { kind, value },
    }
}

/// The blocks of a SACK option, each as its first sequence number and the one after its last.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub struct SackBlocks<'a>(&'a [u8]);

impl Iterator for SackBlocks<'_> {
    type Item = (u32, u32);

    fn next(&mut self) -> Option<(u32, u32)> {
        let (&[a, b, c, d, w, x, y, z], rest) = self.0.split_first_chunk::<8>()?;
        self.0 = rest;
        let left = u32::from_be_bytes([a, b, c, d]);
        Some((left, u32::from_be_bytes([w, x, y, z])))
    }
}

/// An option of IPv4.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum Ipv4Option<'a> {
    /// 0: the list ends here.
    End,
    /// 1: a byte of padding.
    NoOperation,
    /// 7 record route, 131 loose and 137 strict source route.
    Route {
        /// Its kind.
        kind: u8,
        /// The place of the next address, counted from 1 at the option's first byte.
        pointer: u8,
        /// The addresses, 4 bytes each.
        addresses: &'a [u8],
    },
    /// 148: routers should look at this packet (RFC 2113).
    RouterAlert(u16),
    /// Any other.
    Other {
        /// Its number (<https://www.iana.org/assignments/ip-parameters>).
        kind: u8,
        /// The bytes after its length byte.
        value: &'a [u8],
    },
    /// As in TCP.
    Malformed {
        /// Its number.
        kind: u8,
        /// Its length as written, if there is one.
        length: Option<u8>,
    },
}

/// The options of an IPv4 header, in their order.
#[derive(Clone, Debug)]
pub struct Ipv4Options<'a>(&'a [u8]);

impl<'a> Ipv4Options<'a> {
    /// The options in [`Ipv4::options`](super::Ipv4::options).
    pub fn of(bytes: &'a [u8]) -> Self {
        Self(bytes)
    }
}

impl<'a> Iterator for Ipv4Options<'a> {
    type Item = Ipv4Option<'a>;

    fn next(&mut self) -> Option<Ipv4Option<'a>> {
        Some(match next(&mut self.0)? {
            Raw::End => Ipv4Option::End,
            Raw::NoOperation => Ipv4Option::NoOperation,
            Raw::Broken { kind, length } => Ipv4Option::Malformed { kind, length },
            Raw::Value { kind, value } => match (kind, value) {
                (7 | 131 | 137, &[pointer, ref addresses @ ..]) => Ipv4Option::Route {
                    kind,
                    pointer,
                    addresses,
                },
                (148, &[a, b]) => Ipv4Option::RouterAlert(u16::from_be_bytes([a, b])),
                (7 | 131 | 137 | 148, value) => Ipv4Option::Malformed {
                    kind,
                    length: u8::try_from(value.len() + 2).ok(),
                },
                (kind, value) => Ipv4Option::Other { kind, value },
            },
        })
    }
}
