//! Keys, and who may issue certificates: CAA (RFC 8659), TLSA (RFC 6698), SSHFP (RFC 4255), DS (RFC
//! 4034 §5).

use std::fmt;

use super::opaque::write_generic;
use crate::dns::error::{DecodeError, Fault, TextError};
use crate::dns::reader::Reader;
use crate::dns::text::{Fields, MAX_STRING, field, unescaped, write_hex, write_quoted};
use crate::dns::writer::{Full, Writer};

/// Who may issue certificates for a name.
#[derive(Clone, Debug, PartialEq, Eq, Hash)]
pub struct Caa {
    flags: u8,
    tag: Box<[u8]>,
    value: Box<[u8]>,
}

impl Caa {
    /// The flag that an issuer must not issue unless it understands the tag (RFC 8659 §4.1).
    pub const CRITICAL: u8 = 128;

    /// The flags; [`Caa::CRITICAL`] is the only one.
    pub fn flags(&self) -> u8 {
        self.flags
    }

    /// The property's name: 1 to 255 letters and digits.
    pub fn tag(&self) -> &[u8] {
        &self.tag
    }

    /// The property's value.
    pub fn value(&self) -> &[u8] {
        &self.value
    }

    pub(super) fn decode(r: &mut Reader<'_>) -> Result<Self, DecodeError> {
        let flags = r.u8()?;
        let at = r.clone();
        let tag = r.string()?;
        if !is_tag(tag) {
            return Err(at.fail(Fault::Tag));
        }
        Ok(Self {
            flags,
            tag: tag.into(),
            value: r.rest().into(),
        })
    }

    pub(super) fn encode(&self, w: &mut Writer) -> Result<(), Full> {
        w.u8(self.flags)?;
        w.u8(self.tag.len() as u8)?; // at most 255
        w.bytes(&self.tag)?;
        w.bytes(&self.value)
    }

    pub(super) fn parse(f: &mut Fields<'_>) -> Result<Self, TextError> {
        let flags = f.number("flags")?;
        let tag = f.token("tag")?;
        if !is_tag(tag.text.as_bytes()) {
            return Err(field("tag", tag, "not 1 to 255 letters and digits"));
        }
        let value = f.token("value")?;
        // The value fills the rest of the RDATA: no limit of 255 here.
        let octets = unescaped(&value.text).ok_or_else(|| field("value", value, "bad escape"))?;
        Ok(Self {
            flags,
            tag: tag.text.as_bytes().into(),
            value: octets.into(),
        })
    }
}

fn is_tag(tag: &[u8]) -> bool {
    (1..=MAX_STRING).contains(&tag.len()) && tag.iter().all(u8::is_ascii_alphanumeric)
}

impl fmt::Display for Caa {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        let tag = String::from_utf8_lossy(&self.tag); // ASCII, by every constructor
        write!(f, "{} {tag} ", self.flags)?;
        write_quoted(f, &self.value)
    }
}

/// Declares a record of numbers of 8 or 16 bits, followed by octets, which are written in
/// hexadecimal digits. A macro, because a function cannot name the fields.
macro_rules! digest {
    ($(#[$doc:meta])* $record:ident { $($(#[$about:meta])* $field:ident: $number:ident $words:literal,)* }, $(#[$end:meta])* $octets:ident $last:literal) => {
        $(#[$doc])*
        #[derive(Clone, Debug, PartialEq, Eq, Hash)]
        pub struct $record {
            $($(#[$about])* pub $field: $number,)*
            $(#[$end])* pub $octets: Box<[u8]>,
        }

        impl $record {
            pub(super) fn decode(r: &mut Reader<'_>) -> Result<Self, DecodeError> {
                Ok(Self { $($field: r.$number()?,)* $octets: r.rest().into() })
            }

            pub(super) fn encode(&self, w: &mut Writer) -> Result<(), Full> {
                $(w.$number(self.$field)?;)*
                w.bytes(&self.$octets)
            }

            pub(super) fn parse(f: &mut Fields<'_>) -> Result<Self, TextError> {
                Ok(Self { $($field: f.number($words)?,)* $octets: f.hex($last)?.into() })
            }
        }

        impl fmt::Display for $record {
            fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
                if self.$octets.is_empty() {
                    // Without octets the last field has no text.
                    let octets = [$(&self.$field.to_be_bytes()[..]),*].concat();
                    return write_generic(f, &octets);
                }
                $(write!(f, "{} ", self.$field)?;)*
                write_hex(f, &self.$octets)
            }
        }
    };
}

digest! {
    /// A server's certificate, or its key (RFC 6698 §2.1).
    Tlsa {
        /// Which certificate of the chain.
        usage: u8 "certificate usage",
        /// The whole certificate, or its key.
        selector: u8 "selector",
        /// The data itself, or a digest of it.
        matching: u8 "matching type",
    },
    /// The certificate or key, or its digest.
    data "certificate data"
}

digest! {
    /// A fingerprint of a host's SSH key (RFC 4255 §3.1).
    Sshfp {
        /// The key's algorithm.
        algorithm: u8 "algorithm",
        /// The digest's algorithm.
        digest: u8 "fingerprint type",
    },
    /// The fingerprint.
    fingerprint "fingerprint"
}

digest! {
    /// A digest of the key that signs a delegated zone (RFC 4034 §5.1).
    Ds {
        /// A short number for the key.
        key_tag: u16 "key tag",
        /// The key's algorithm.
        algorithm: u8 "algorithm",
        /// The digest's algorithm.
        digest_type: u8 "digest type",
    },
    /// The digest.
    digest "digest"
}
