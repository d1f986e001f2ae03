//! What an interface is: its name and number, its flags, its addresses, its counters.
//!
//! Plain values. [`netlink`](super::netlink) reads them out of the kernel's messages, and
//! [`interfaces`](super::interfaces()) asks for those.

use std::fmt;
use std::net::IpAddr;

use super::prefix::Prefix;

/// A network interface of this machine, as it was when the kernel was asked.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct Interface {
    /// Its number: the scope id of link-local addresses on it.
    pub index: u32,
    /// Its name, at most 15 bytes.
    pub name: String,
    /// Its capabilities and current state.
    pub flags: Flags,
    /// The largest packet that it sends whole, in bytes, IP header included.
    pub mtu: u32,
    /// Its address on the link, if it has one: six bytes on Ethernet.
    pub hardware: Option<HardwareAddress>,
    /// Its IP addresses, in the kernel's order, IPv4 first.
    pub addresses: Vec<InterfaceAddress>,
    /// What it has received since it was created.
    pub received: Counters,
    /// What it has sent since then.
    pub sent: Counters,
}

/// The traffic in one direction.
#[derive(Debug, Clone, Copy, Default, PartialEq, Eq)]
pub struct Counters {
    /// Packets.
    pub packets: u64,
    /// Their bytes, link headers included.
    pub bytes: u64,
    /// Packets that were broken or could not leave.
    pub errors: u64,
    /// Packets that were dropped for lack of room.
    pub dropped: u64,
}

/// An address of an interface.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub struct InterfaceAddress {
    /// The address.
    pub ip: IpAddr,
    /// How many of its leading bits are the same for all hosts on the link.
    pub prefix_len: u8,
    /// The other end of a point-to-point link.
    pub peer: Option<IpAddr>,
    /// The broadcast address of the link.
    pub broadcast: Option<IpAddr>,
}

impl InterfaceAddress {
    /// The network that the address is in.
    pub fn prefix(&self) -> Prefix {
        let around = Prefix::around(self.peer.unwrap_or(self.ip), self.prefix_len);
        around.unwrap_or_else(|| Prefix::from(self.ip))
    }
}

impl fmt::Display for InterfaceAddress {
    /// With the length of its prefix: `192.0.2.1/24`.
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        write!(f, "{}/{}", self.ip, self.prefix_len)
    }
}

/// An address on the link (a MAC address), of as many bytes as the link wants.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct HardwareAddress(pub Vec<u8>);

impl fmt::Display for HardwareAddress {
    /// In hexadecimal, with colons: `02:00:5e:10:00:00`.
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        for (number, byte) in self.0.iter().enumerate() {
            let colon = if number == 0 { "" } else { ":" };
            write!(f, "{colon}{byte:02x}")?;
        }
        Ok(())
    }
}

/// Names of the flags, by bit (`netdevice(7)`, `linux/if.h`).
const NAMES: [&str; 19] = [
    "UP",
    "BROADCAST",
    "DEBUG",
    "LOOPBACK",
    "POINTOPOINT",
    "NOTRAILERS",
    "RUNNING",
    "NOARP",
    "PROMISC",
    "ALLMULTI",
    "MASTER",
    "SLAVE",
    "MULTICAST",
    "PORTSEL",
    "AUTOMEDIA",
    "DYNAMIC",
    "LOWER_UP",
    "DORMANT",
    "ECHO",
];

/// The capabilities and the state of an interface.
#[derive(Debug, Clone, Copy, Default, PartialEq, Eq)]
pub struct Flags(pub u32);

impl Flags {
    /// Whether an administrator has switched it on.
    pub fn is_up(self) -> bool {
        self.0 & 1 != 0
    }

    /// Whether packets could leave: it is on, and has a cable, a radio link or a peer.
    pub fn is_running(self) -> bool {
        self.0 & 0x40 != 0
    }

    /// Whether what it sends comes back to this machine.
    pub fn is_loopback(self) -> bool {
        self.0 & 8 != 0
    }

    /// The names of the flags that are set, by bit; bits without a name are left out.
    pub fn names(self) -> impl Iterator<Item = &'static str> {
        let named = NAMES.into_iter().enumerate();
        named.filter_map(move |(bit, name)| (self.0 >> bit & 1 == 1).then_some(name))
    }
}

impl fmt::Display for Flags {
    /// Joined by commas: `UP,LOOPBACK,RUNNING,LOWER_UP`; `-` for none.
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        let names: Vec<&str> = self.names().collect();
        match names.is_empty() {
            true => f.write_str("-"),
            false => f.write_str(&names.join(",")),
        }
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn flags_have_the_names_of_the_kernels_bits() {
        assert_eq!(Flags(0x10049).to_string(), "UP,LOOPBACK,RUNNING,LOWER_UP");
        assert_eq!(
            Flags(0x11043).to_string(),
            "UP,BROADCAST,RUNNING,MULTICAST,LOWER_UP"
        );
        assert_eq!(Flags(0).to_string(), "-");
        assert_eq!(Flags(1 << 31).to_string(), "-");
        assert_eq!(Flags(u32::MAX).names().count(), NAMES.len());
        let loopback = Flags(0x49);
        assert!(loopback.is_up() && loopback.is_running() && loopback.is_loopback());
        assert!(!Flags(0x1002).is_up());
    }

    #[test]
    fn addresses_show_what_belongs_to_them() {
        let ethernet = HardwareAddress(vec![2, 0, 0x5e, 0x10, 0, 0xff]);
        assert_eq!(ethernet.to_string(), "02:00:5e:10:00:ff");
        assert_eq!(HardwareAddress(Vec::new()).to_string(), "");
        let mut address = InterfaceAddress {
            ip: "192.0.2.17".parse().unwrap(),
            prefix_len: 24,
            peer: None,
            broadcast: None,
        };
        assert_eq!(address.to_string(), "192.0.2.17/24");
        assert_eq!(address.prefix().to_string(), "192.0.2.0/24");
        address.peer = Some("198.51.100.1".parse().unwrap());
        assert_eq!(address.prefix().to_string(), "198.51.100.0/24");
    }
}
