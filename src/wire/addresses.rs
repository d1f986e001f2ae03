//! Internet addresses: octets in network order, as in every header; the other fields as numbers.
//!
//! ```text
//!  Ipv4Addr  4 octets           SocketAddrV4  address, u16 port
//!  Ipv6Addr  16 octets          SocketAddrV6  address, u16 port, u32 flow, u32 scope
//!  IpAddr, SocketAddr           a tag, 4 or 6, and what it says
//! ```

use std::net::{IpAddr, Ipv4Addr, Ipv6Addr, SocketAddr, SocketAddrV4, SocketAddrV6};

use super::{Decode, Encode, ErrorKind, Failed, Reader, Writer};

impl Encode for Ipv4Addr {
    fn encode(&self, writer: &mut Writer) {
        writer.put_array(self.octets());
    }
}

impl<'a> Decode<'a> for Ipv4Addr {
    const LEAST: usize = 4;

    fn decode(reader: &mut Reader<'a>) -> Result<Self, Failed> {
        Ok(reader.array::<Self, 4>()?.into())
    }
}

impl Encode for Ipv6Addr {
    fn encode(&self, writer: &mut Writer) {
        writer.put_array(self.octets());
    }
}

impl<'a> Decode<'a> for Ipv6Addr {
    const LEAST: usize = 16;

    fn decode(reader: &mut Reader<'a>) -> Result<Self, Failed> {
        Ok(reader.array::<Self, 16>()?.into())
    }
}

impl Encode for SocketAddrV4 {
    fn encode(&self, writer: &mut Writer) {
        (*self.ip(), self.port()).encode(writer);
    }
}

impl<'a> Decode<'a> for SocketAddrV4 {
    const LEAST: usize = 6;

    fn decode(reader: &mut Reader<'a>) -> Result<Self, Failed> {
        let (ip, port) = Decode::decode(reader)?;
        Ok(SocketAddrV4::new(ip, port))
    }
}

impl Encode for SocketAddrV6 {
    fn encode(&self, writer: &mut Writer) {
        (*self.ip(), self.port(), self.flowinfo(), self.scope_id()).encode(writer);
    }
}

impl<'a> Decode<'a> for SocketAddrV6 {
    const LEAST: usize = 26;

    fn decode(reader: &mut Reader<'a>) -> Result<Self, Failed> {
        let (ip, port, flow, scope) = Decode::decode(reader)?;
        Ok(SocketAddrV6::new(ip, port, flow, scope))
    }
}

/// The enums of the two families, tagged with the number in their name.
macro_rules! either_family {
    ($($either:ident: $four:ty, $six:ty;)*) => { $(
        impl Encode for $either {
            fn encode(&self, writer: &mut Writer) {
                match self {
                    $either::V4(four) => (4_u8, *four).encode(writer),
                    $either::V6(six) => (6_u8, *six).encode(writer),
                }
            }
        }

        impl<'a> Decode<'a> for $either {
            const LEAST: usize = 1 + <$four as Decode<'a>>::LEAST;

            fn decode(reader: &mut Reader<'a>) -> Result<Self, Failed> {
                match u8::decode(reader)? {
                    4 => Ok(<$four>::decode(reader)?.into()),
                    6 => Ok(<$six>::decode(reader)?.into()),
                    tag => Err(reader.fail::<Self>(ErrorKind::UnknownTag { tag })),
                }
            }
        }
    )* };
}

either_family! {
    IpAddr: Ipv4Addr, Ipv6Addr;
    SocketAddr: SocketAddrV4, SocketAddrV6;
}
