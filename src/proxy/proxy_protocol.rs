//! The PROXY protocol: the client's address, sent before the first byte of its connection.
//!
//! A proxy in front of this program connects from its own address. It may begin each connection
//! with a header that gives the client's; this program may do the same for its backends. Version 1
//! is a line of text, version 2 is binary:
//!
//! ```text
//! PROXY TCP4 192.0.2.1 198.51.100.9 56324 443\r\n
//!
//!  0                       12     13     14      16
//! +------------------------+------+------+-------+-----------------------------+
//! | \r\n\r\n\0\r\nQUIT\n   | 2|cmd| fam  | length| addresses, ports, then TLVs |
//! +------------------------+------+------+-------+-----------------------------+
//!                            cmd: 0 LOCAL, 1 PROXY    fam: 0x11 TCP4, 0x21 TCP6, 0 unknown
//! ```
//!
//! Anyone who can send a header can claim any address. So it is read only where configured, and
//! only from trusted peers. There it is required, since a connection with a header cannot be told
//! safely from one without (§2). A header that is not exactly right is refused, which ends the
//! connection: to guess would mean to attribute a request to the wrong client.
//!
//! TLVs (§2.2) are skipped; none is interpreted. UDP is refused: the listeners are streams. (§2.2 lets
//! a receiver take what it does not support for an unspecified family, and refuse that.)
//!
//! Source: "The PROXY protocol, versions 1 & 2", haproxy.org, `doc/proxy-protocol.txt`.

use std::fmt;
use std::io::Write;
use std::net::{IpAddr, SocketAddr};
use std::str::FromStr;

use crate::net::ip::{in_one_family, parse_ipv4, parse_ipv6};

/// The longest version 1 header with its CRLF, in bytes (§2.1).
pub const MAX_V1: usize = 107;
/// The longest version 2 header, in bytes. The format allows 64 KiB; addresses with every TLV in
/// use take a few hundred.
pub const MAX_V2: usize = 4096;

/// How a version 1 header begins (§2.1).
const V1: &[u8] = b"PROXY ";
/// How a version 2 header begins (§2.2). No other protocol begins like this, and HTTP/1 refuses it
/// at once.
const SIGNATURE: [u8; 12] = *b"\r\n\r\n\0\r\nQUIT\n";
/// Signature, version and command, family, length.
const FIXED: usize = 16;
const TCP4: u8 = 0x11;
const TCP6: u8 = 0x21;
const UNIX_STREAM: u8 = 0x31;
const UNSPECIFIED: u8 = 0x00;

/// The version of a header.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum Version {
    /// A line of text.
    V1,
    /// Binary.
    V2,
}

impl FromStr for Version {
    type Err = &'static str;

    fn from_str(text: &str) -> Result<Version, &'static str> {
        match text {
            "v1" => Ok(Version::V1),
            "v2" => Ok(Version::V2),
            _ => Err("must be v1, v2 or off"),
        }
    }
}

impl fmt::Display for Version {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.write_str(match self {
            Version::V1 => "v1",
            Version::V2 => "v2",
        })
    }
}

/// What a header says.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum Header {
    /// The proxy speaks for itself, as in a health check: use the connection's own addresses.
    /// Version 1 cannot say this; it is written as unknown.
    Local,
    /// It speaks for a client without an IP address: use the connection's own addresses.
    Unknown,
    /// It speaks for this client.
    Tcp {
        /// The client.
        source: SocketAddr,
        /// The address that the client connected to.
        destination: SocketAddr,
    },
}

/// Why bytes are not a header.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum HeaderError {
    /// Neither version begins like this.
    NoHeader,
    /// Version 1: no CRLF within [`MAX_V1`] bytes, or a CR or LF alone.
    LineEnd,
    /// Version 1: not TCP4, TCP6 or UNKNOWN.
    Protocol,
    /// Version 1: not four words after the protocol, each after one space.
    Words,
    /// Version 1: an address not of the family named.
    Address,
    /// Version 1: not a number from 0 to 65535 without leading zeros.
    Port,
    /// Version 2: another version, or a command that is neither LOCAL nor PROXY.
    Command,
    /// Version 2: a family or transport that is not for streams.
    Family,
    /// Version 2: more than [`MAX_V2`] bytes.
    TooLong,
    /// Version 2: too short for the addresses of its family.
    TooShort,
    /// Version 2: the bytes after the addresses are not a sequence of TLVs.
    Tlv,
}

impl fmt::Display for HeaderError {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.write_str(match self {
            HeaderError::NoHeader => "does not begin as a PROXY protocol header",
            HeaderError::LineEnd => "PROXY v1: must end in CRLF within 107 bytes",
            HeaderError::Protocol => "PROXY v1: must be TCP4, TCP6 or UNKNOWN",
            HeaderError::Words => "PROXY v1: must have two addresses and two ports, a space apart",
            HeaderError::Address => "PROXY v1: an address is none of its family",
            HeaderError::Port => "PROXY v1: a port is no number from 0 to 65535",
            HeaderError::Command => "PROXY v2: must be version 2 and LOCAL or PROXY",
            HeaderError::Family => "PROXY v2: must be TCP4, TCP6, a Unix stream or unspecified",
            HeaderError::TooLong => "PROXY v2: longer than 4096 bytes",
            HeaderError::TooShort => "PROXY v2: too short for its addresses",
            HeaderError::Tlv => "PROXY v2: its extra values do not fit its length",
        })
    }
}

impl std::error::Error for HeaderError {}

/// Reads the header at the beginning of `bytes`: what it says, and its length. `None` if more bytes
/// are needed, never more than [`MAX_V2`] in all. A wrong byte is refused as soon as it is there.
pub fn parse(bytes: &[u8]) -> Result<Option<(Header, usize)>, HeaderError> {
    let begins = |with: &[u8]| bytes.iter().zip(with).all(|(a, b)| a == b);
    if begins(V1) {
        return parse_v1(bytes);
    }
    match begins(&SIGNATURE) {
        true => parse_v2(bytes),
        false => Err(HeaderError::NoHeader),
    }
}

/// Parses version 1; `bytes` are `PROXY `, as far as they go.
fn parse_v1(bytes: &[u8]) -> Result<Option<(Header, usize)>, HeaderError> {
    let is_end = |byte: &u8| matches!(byte, b'\r' | b'\n');
    let Some(end) = bytes.iter().take(MAX_V1).position(is_end) else {
        return match bytes.len() < MAX_V1 {
            true => Ok(None),
            false => Err(HeaderError::LineEnd),
        };
    };
    let (line, ending) = bytes.split_at(end);
    match ending {
        [b'\r', b'\n', ..] if end + 2 <= MAX_V1 => {}
        [b'\r'] if end + 2 <= MAX_V1 => return Ok(None),
        _ => return Err(HeaderError::LineEnd),
    }
    let words = line.strip_prefix(V1).unwrap_or_default();
    let text = std::str::from_utf8(words).map_err(|_| HeaderError::Words)?;
    Ok(Some((v1_header(text)?, end + 2)))
}

fn v1_header(text: &str) -> Result<Header, HeaderError> {
    let (protocol, rest) = text.split_once(' ').unwrap_or((text, ""));
    let address: fn(&str) -> Option<IpAddr> = match protocol {
        "TCP4" => |text| parse_ipv4(text).ok().map(IpAddr::V4),
        "TCP6" => |text| parse_ipv6(text).ok().map(IpAddr::V6),
        // What follows UNKNOWN is ignored (§2.1).
        "UNKNOWN" => return Ok(Header::Unknown),
        _ => return Err(HeaderError::Protocol),
    };
    let mut words = rest.split(' ');
    let mut next = || words.next().ok_or(HeaderError::Words);
    let (source, destination) = (next()?, next()?);
    let (source_port, destination_port) = (next()?, next()?);
    if words.next().is_some() {
        return Err(HeaderError::Words);
    }
    let end = |host: &str, number: &str| {
        let host = address(host).ok_or(HeaderError::Address)?;
        Ok(SocketAddr::new(host, port(number)?))
    };
    Ok(Header::Tcp {
        source: end(source, source_port)?,
        destination: end(destination, destination_port)?,
    })
}

fn port(text: &str) -> Result<u16, HeaderError> {
    let is_plain = text.bytes().all(|byte| byte.is_ascii_digit());
    if !is_plain || (text.len() > 1 && text.starts_with('0')) {
        return Err(HeaderError::Port);
    }
    text.parse().map_err(|_| HeaderError::Port)
}

/// Parses version 2; `bytes` are the signature, as far as they go.
fn parse_v2(bytes: &[u8]) -> Result<Option<(Header, usize)>, HeaderError> {
    let command = bytes.get(12).copied();
    if command.is_some_and(|command| !matches!(command, 0x20 | 0x21)) {
        return Err(HeaderError::Command);
    }
    let (Some(command), Some(&family), Some(&[high, low])) = (
        command,
        bytes.get(13),
        bytes.get(14..FIXED).and_then(|two| two.first_chunk()),
    ) else {
        return Ok(None);
    };
    let len = FIXED + usize::from(u16::from_be_bytes([high, low]));
    if len > MAX_V2 {
        return Err(HeaderError::TooLong);
    }
    let Some(block) = bytes.get(FIXED..len) else {
        return Ok(None);
    };
    // For LOCAL, the family and what follows are ignored (§2.2).
    let header = match command {
        0x20 => Header::Local,
        _ => v2_header(family, block)?,
    };
    Ok(Some((header, len)))
}

fn v2_header(family: u8, block: &[u8]) -> Result<Header, HeaderError> {
    let (header, tlvs) = match family {
        UNSPECIFIED => return Ok(Header::Unknown),
        TCP4 => v2_tcp::<4>(block)?,
        TCP6 => v2_tcp::<16>(block)?,
        UNIX_STREAM => {
            let tlvs = block.get(216..).ok_or(HeaderError::TooShort)?;
            (Header::Unknown, tlvs)
        }
        _ => return Err(HeaderError::Family),
    };
    step_over(tlvs).map(|()| header)
}

/// Both addresses, of `N` bytes, and both ports; and what follows them.
fn v2_tcp<const N: usize>(block: &[u8]) -> Result<(Header, &[u8]), HeaderError>
where
    IpAddr: From<[u8; N]>,
{
    let short = HeaderError::TooShort;
    let (source, rest) = block.split_first_chunk::<N>().ok_or(short)?;
    let (destination, rest) = rest.split_first_chunk::<N>().ok_or(short)?;
    let (&[p, q, r, s], tlvs) = rest.split_first_chunk().ok_or(short)?;
    let header = Header::Tcp {
        source: (*source, u16::from_be_bytes([p, q])).into(),
        destination: (*destination, u16::from_be_bytes([r, s])).into(),
    };
    Ok((header, tlvs))
}

/// Skips types, lengths and values, until nothing is left (§2.2).
fn step_over(mut tlvs: &[u8]) -> Result<(), HeaderError> {
    while let Some((&[_, high, low], rest)) = tlvs.split_first_chunk() {
        let len = usize::from(u16::from_be_bytes([high, low]));
        tlvs = rest.get(len..).ok_or(HeaderError::Tlv)?;
    }
    match tlvs {
        [] => Ok(()),
        _ => Err(HeaderError::Tlv),
    }
}

/// Appends a header.
pub fn write(version: Version, header: Header, out: &mut Vec<u8>) {
    match version {
        Version::V1 => write_v1(header, out),
        Version::V2 => write_v2(header, out),
    }
}

fn write_v1(header: Header, out: &mut Vec<u8>) {
    let Header::Tcp {
        source,
        destination,
    } = header
    else {
        return out.extend(b"PROXY UNKNOWN\r\n");
    };
    let (from, to) = in_one_family(source.ip(), destination.ip());
    let protocol = if from.is_ipv4() { "TCP4" } else { "TCP6" };
    // Writing to a Vec cannot fail.
    let _ = write!(
        out,
        "PROXY {protocol} {from} {to} {} {}\r\n",
        source.port(),
        destination.port()
    );
}

fn write_v2(header: Header, out: &mut Vec<u8>) {
    out.extend(SIGNATURE);
    let (source, destination) = match header {
        Header::Local => return out.extend([0x20, UNSPECIFIED, 0, 0]),
        Header::Unknown => return out.extend([0x21, UNSPECIFIED, 0, 0]),
        Header::Tcp {
            source,
            destination,
        } => (source, destination),
    };
    let (from, to) = in_one_family(source.ip(), destination.ip());
    out.extend(match from {
        IpAddr::V4(_) => [0x21, TCP4, 0, 12],
        IpAddr::V6(_) => [0x21, TCP6, 0, 36],
    });
    for ip in [from, to] {
        match ip {
            IpAddr::V4(ip) => out.extend(ip.octets()),
            IpAddr::V6(ip) => out.extend(ip.octets()),
        }
    }
    out.extend(source.port().to_be_bytes());
    out.extend(destination.port().to_be_bytes());
}

#[cfg(test)]
mod tests;
