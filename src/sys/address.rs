//! Socket addresses as the bytes the kernel reads and writes (`sockaddr_in`, `_in6`, `_un`, `_nl`,
//! `_ll`).
//!
//! Safe code: the layouts are written and read byte by byte, so no C struct is cast. The family
//! comes first, two bytes in the machine's order; what follows depends on it:
//!
//! ```text
//! offset  0        2       4            8                       24         28
//! in      family   port    address      (8 zero bytes)          .
//! in6     family   port    flow info    address (16)            scope id   .
//! un      family   path (108 bytes, ended by NUL; abstract names begin with NUL)
//! nl      family   zero    port id      groups (4): all zero is the kernel
//! ll      family   proto   interface    hardware (2), packet type, address length, address (8)
//! ```
//!
//! Port, address and protocol are in network byte order (`ip(7)`, `ipv6(7)`, `unix(7)`,
//! `netlink(7)`, `packet(7)`). So is the flow info, but std passes it on unconverted, and this file
//! must agree with std.

use std::io;
use std::net::{Ipv4Addr, Ipv6Addr, SocketAddr, SocketAddrV4, SocketAddrV6};
use std::os::unix::ffi::OsStrExt;
use std::path::Path;

use super::abi::{AF_INET, AF_INET6, AF_NETLINK, AF_PACKET, AF_UNIX};

/// The longest path of a Unix socket, in bytes: `sun_path` has 108 with the closing NUL.
pub const UNIX_PATH_MAX: usize = 107;

/// Room for the largest address this crate meets (`sockaddr_un`: 110 bytes).
pub(crate) const CAPACITY: usize = 112;

/// One socket address in the kernel's layout.
#[derive(Clone, Copy)]
pub struct RawAddress {
    bytes: [u8; CAPACITY],
    len: usize,
}

impl RawAddress {
    /// An IPv4 or IPv6 address and port.
    pub fn ip(address: &SocketAddr) -> Self {
        match address {
            SocketAddr::V4(v4) => {
                let mut raw = Self::of(AF_INET);
                raw.push(&v4.port().to_be_bytes());
                raw.push(&v4.ip().octets());
                raw.push(&[0; 8]);
                raw
            }
            SocketAddr::V6(v6) => {
                let mut raw = Self::of(AF_INET6);
                raw.push(&v6.port().to_be_bytes());
                raw.push(&v6.flowinfo().to_ne_bytes());
                raw.push(&v6.ip().octets());
                raw.push(&v6.scope_id().to_ne_bytes());
                raw
            }
        }
    }

    /// A Unix path, or an abstract name when it begins with `@` (`unix(7)`: a NUL in its place).
    ///
    /// Fails for an empty path, one with a NUL inside and one longer than [`UNIX_PATH_MAX`].
    pub fn unix(path: &Path) -> io::Result<Self> {
        let text = path.as_os_str().as_bytes();
        let problem = if text.is_empty() {
            Some("the path is empty".to_string())
        } else if text.contains(&0) {
            Some("the path has a NUL byte inside".to_string())
        } else if text.len() > UNIX_PATH_MAX {
            Some(format!(
                "the path has {} bytes, {UNIX_PATH_MAX} are allowed",
                text.len()
            ))
        } else {
            None
        };
        if let Some(why) = problem {
            return Err(io::Error::new(io::ErrorKind::InvalidInput, why));
        }
        let mut raw = Self::of(AF_UNIX);
        match text.strip_prefix(b"@") {
            Some(name) => {
                raw.push(&[0]);
                raw.push(name);
            }
            None => {
                raw.push(text);
                raw.push(&[0]);
            }
        }
        Ok(raw)
    }

    /// No Unix name: a socket bound to it gets a free abstract name (`unix(7)`: autobind).
    pub(crate) fn unix_any() -> Self {
        Self::of(AF_UNIX)
    }

    /// The kernel's end of a netlink socket.
    pub(crate) fn kernel() -> Self {
        let mut raw = Self::of(AF_NETLINK);
        raw.push(&[0; 10]);
        raw
    }

    /// The packets of an EtherType on the interface with this index.
    pub(crate) fn link(protocol: u16, index: u32) -> Self {
        let mut raw = Self::of(AF_PACKET);
        raw.push(&protocol.to_be_bytes());
        raw.push(&index.to_ne_bytes());
        raw.push(&[0; 12]);
        raw
    }

    /// An address of this family with nothing else in it yet.
    fn of(family: i32) -> Self {
        let mut raw = Self {
            bytes: [0; CAPACITY],
            len: 0,
        };
        raw.push(&(family as u16).to_ne_bytes());
        raw
    }

    /// Whether it is an IPv4 or IPv6 address.
    pub fn is_ip(&self) -> bool {
        matches!(self.family(), AF_INET | AF_INET6)
    }

    /// The address family, as `socket` wants it.
    pub(crate) fn family(&self) -> i32 {
        i32::from(u16::from_ne_bytes([self.bytes[0], self.bytes[1]]))
    }

    /// The bytes in use.
    pub(crate) fn as_bytes(&self) -> &[u8] {
        self.bytes.get(..self.len).unwrap_or(&[])
    }

    fn push(&mut self, part: &[u8]) {
        // Constructors check or fix the lengths of all parts: at most 2 + 108 bytes.
        if let Some(room) = self.bytes.get_mut(self.len..self.len + part.len()) {
            room.copy_from_slice(part);
            self.len += part.len();
        }
    }
}

/// The IP address and port in the kernel's bytes; `None` for another family or a cut address.
pub(crate) fn read_ip(bytes: &[u8]) -> Option<SocketAddr> {
    let family = i32::from(u16::from_ne_bytes(field(bytes, 0)?));
    let port = u16::from_be_bytes(field(bytes, 2)?);
    if family == AF_INET {
        let ip = Ipv4Addr::from(field::<4>(bytes, 4)?);
        Some(SocketAddr::V4(SocketAddrV4::new(ip, port)))
    } else if family == AF_INET6 {
        let flow = u32::from_ne_bytes(field(bytes, 4)?);
        let ip = Ipv6Addr::from(field::<16>(bytes, 8)?);
        let scope = u32::from_ne_bytes(field(bytes, 24)?);
        Some(SocketAddr::V6(SocketAddrV6::new(ip, port, flow, scope)))
    } else {
        None
    }
}

/// `N` bytes at an offset.
pub(super) fn field<const N: usize>(bytes: &[u8], at: usize) -> Option<[u8; N]> {
    bytes.get(at..at + N)?.try_into().ok()
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn ip_addresses_survive_the_round_trip_through_the_kernels_layout() {
        for text in [
            "127.0.0.1:80",
            "255.255.255.255:65535",
            "0.0.0.0:0",
            "[2001:db8::1]:443",
        ] {
            let address: SocketAddr = text.parse().unwrap();
            assert_eq!(
                read_ip(RawAddress::ip(&address).as_bytes()),
                Some(address),
                "{text}"
            );
        }
        let zoned = SocketAddr::V6(SocketAddrV6::new("fe80::1".parse().unwrap(), 7, 5, 3));
        assert_eq!(read_ip(RawAddress::ip(&zoned).as_bytes()), Some(zoned));
    }

    #[test]
    fn the_layout_is_the_one_of_ip_7() {
        let raw = RawAddress::ip(&"1.2.3.4:258".parse().unwrap());
        assert_eq!(raw.as_bytes()[2..8], [1, 2, 1, 2, 3, 4]);
        assert_eq!(raw.as_bytes().len(), 16);
        assert_eq!(
            RawAddress::ip(&"[::1]:1".parse().unwrap()).as_bytes().len(),
            28
        );
    }

    #[test]
    fn flow_info_is_left_as_std_leaves_it() {
        let address = SocketAddrV6::new(Ipv6Addr::LOCALHOST, 1, 0x0102_0304, 0);
        let raw = RawAddress::ip(&SocketAddr::V6(address));
        assert_eq!(raw.as_bytes()[4..8], 0x0102_0304_u32.to_ne_bytes());
    }

    #[test]
    fn a_cut_or_foreign_address_is_none() {
        let raw = RawAddress::ip(&"[::1]:1".parse().unwrap());
        for len in 0..28 {
            assert_eq!(read_ip(&raw.as_bytes()[..len]), None, "{len} bytes");
        }
        assert_eq!(
            read_ip(RawAddress::unix(Path::new("/x")).unwrap().as_bytes()),
            None
        );
    }

    #[test]
    fn a_unix_path_is_bounded_and_a_leading_at_sign_is_an_abstract_name() {
        assert!(RawAddress::unix(Path::new("")).is_err());
        assert!(RawAddress::unix(Path::new("a\0b")).is_err());
        let longest = "p".repeat(UNIX_PATH_MAX);
        assert_eq!(
            RawAddress::unix(Path::new(&longest))
                .unwrap()
                .as_bytes()
                .len(),
            110
        );
        let error = RawAddress::unix(Path::new(&format!("{longest}p")))
            .err()
            .unwrap();
        assert_eq!(error.to_string(), "the path has 108 bytes, 107 are allowed");
        assert_eq!(
            RawAddress::unix(Path::new("@a")).unwrap().as_bytes()[2..],
            [0, b'a']
        );
    }
}
