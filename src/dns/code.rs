//! The numbers of the protocol that have names: record types, classes, opcodes, response codes.
//!
//! They are open sets: a number without a name here is as valid as any other, is kept as it is, and
//! is written `TYPE65280`, `CLASS32` (RFC 3597 §5) or as its number.

use std::fmt;
use std::str::FromStr;

/// Declares an open set of numbers with names, and its text both ways. A macro, because a generic
/// type cannot have different constants for each set.
macro_rules! numbers {
    ($(#[$doc:meta])* $set:ident, $number:ty, $unnamed:literal, { $($(#[$entry:meta])* $name:ident = $value:literal $text:literal,)* }) => {
        $(#[$doc])*
        #[derive(Clone, Copy, Debug, PartialEq, Eq, Hash, PartialOrd, Ord)]
        pub struct $set(pub $number);

        impl $set {
            $($(#[$entry])* #[doc = concat!("`", $text, "`, ", $value, ".")] pub const $name: $set = $set($value);)*

            /// All numbers that have a name here.
            pub const NAMED: &[$set] = &[$($set($value)),*];

            /// Its name, if it has one here.
            pub fn name(self) -> Option<&'static str> {
                match self.0 {
                    $($value => Some($text),)*
                    _ => None,
                }
            }
        }

        impl fmt::Display for $set {
            fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
                match self.name() {
                    Some(name) => f.pad(name),
                    None => f.pad(&format!(concat!($unnamed, "{}"), self.0)),
                }
            }
        }

        impl FromStr for $set {
            type Err = UnknownCode;

            /// Reads a name, whatever its case, or the generic form.
            fn from_str(text: &str) -> Result<Self, UnknownCode> {
                $(if text.eq_ignore_ascii_case($text) { return Ok($set($value)); })*
                let number = match text.get(..$unnamed.len()) {
                    Some(prefix) if prefix.eq_ignore_ascii_case($unnamed) => &text[$unnamed.len()..],
                    _ => return Err(UnknownCode),
                };
                // `parse` would accept a sign.
                if !number.bytes().all(|octet| octet.is_ascii_digit()) {
                    return Err(UnknownCode);
                }
                number.parse().map($set).map_err(|_| UnknownCode)
            }
        }
    };
}

/// Text that names no number of its set.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub struct UnknownCode;

impl fmt::Display for UnknownCode {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.write_str("not a known name")
    }
}

impl std::error::Error for UnknownCode {}

numbers! {
    /// The type of a record, or of a question (RFC 1035 §3.2.2 and the registry of IANA).
    RecordType, u16, "TYPE", {
        A = 1 "A", NS = 2 "NS", MD = 3 "MD", MF = 4 "MF", CNAME = 5 "CNAME", SOA = 6 "SOA",
        MB = 7 "MB", MG = 8 "MG", MR = 9 "MR", NULL = 10 "NULL", WKS = 11 "WKS", PTR = 12 "PTR",
        HINFO = 13 "HINFO", MINFO = 14 "MINFO", MX = 15 "MX", TXT = 16 "TXT", RP = 17 "RP",
        AFSDB = 18 "AFSDB", RT = 21 "RT", SIG = 24 "SIG", KEY = 25 "KEY", PX = 26 "PX",
        AAAA = 28 "AAAA", LOC = 29 "LOC", NXT = 30 "NXT", SRV = 33 "SRV", NAPTR = 35 "NAPTR", CERT = 37 "CERT",
        DNAME = 39 "DNAME",
        /// EDNS: not a record but an extension of the header.
        OPT = 41 "OPT",
        APL = 42 "APL", DS = 43 "DS", SSHFP = 44 "SSHFP", IPSECKEY = 45 "IPSECKEY",
        RRSIG = 46 "RRSIG", NSEC = 47 "NSEC", DNSKEY = 48 "DNSKEY", DHCID = 49 "DHCID",
        NSEC3 = 50 "NSEC3", NSEC3PARAM = 51 "NSEC3PARAM", TLSA = 52 "TLSA", SMIMEA = 53 "SMIMEA",
        CDS = 59 "CDS", CDNSKEY = 60 "CDNSKEY", OPENPGPKEY = 61 "OPENPGPKEY", CSYNC = 62 "CSYNC",
        ZONEMD = 63 "ZONEMD", SVCB = 64 "SVCB", HTTPS = 65 "HTTPS", SPF = 99 "SPF",
        TKEY = 249 "TKEY", TSIG = 250 "TSIG",
        /// A question only: the changes of a zone.
        IXFR = 251 "IXFR",
        /// A question only: a whole zone.
        AXFR = 252 "AXFR",
        /// A question only: records of any type.
        ANY = 255 "ANY",
        URI = 256 "URI", CAA = 257 "CAA",
    }
}

impl RecordType {
    /// Whether this type occurs only in questions or control records, never in a zone (RFC 6895
    /// §3.1: 128 to 255, and OPT).
    pub fn is_meta(self) -> bool {
        self == Self::OPT || (128..=255).contains(&self.0) || self.0 == 0
    }
}

numbers! {
    /// The class of a record: in practice always `IN`.
    Class, u16, "CLASS", {
        IN = 1 "IN",
        CH = 3 "CH",
        HS = 4 "HS",
        /// No class (RFC 2136).
        NONE = 254 "NONE",
        /// A question only.
        ANY = 255 "ANY",
    }
}

numbers! {
    /// What a message asks for (RFC 1035 §4.1.1), 4 bits.
    Opcode, u8, "OPCODE", {
        QUERY = 0 "QUERY", IQUERY = 1 "IQUERY", STATUS = 2 "STATUS", NOTIFY = 4 "NOTIFY",
        UPDATE = 5 "UPDATE", DSO = 6 "DSO",
    }
}

numbers! {
    /// How a request ended: 4 bits in the header, 8 more in an OPT record (RFC 6891 §6.1.3).
    Rcode, u16, "RCODE", {
        NOERROR = 0 "NOERROR",
        FORMERR = 1 "FORMERR",
        SERVFAIL = 2 "SERVFAIL",
        /// The name does not exist, for any type (RFC 2308 §2.1).
        NXDOMAIN = 3 "NXDOMAIN",
        NOTIMP = 4 "NOTIMP",
        REFUSED = 5 "REFUSED",
        YXDOMAIN = 6 "YXDOMAIN", YXRRSET = 7 "YXRRSET", NXRRSET = 8 "NXRRSET",
        NOTAUTH = 9 "NOTAUTH", NOTZONE = 10 "NOTZONE",
        /// The server does not support this version of EDNS.
        BADVERS = 16 "BADVERS",
        BADKEY = 17 "BADKEY", BADTIME = 18 "BADTIME", BADMODE = 19 "BADMODE",
        BADNAME = 20 "BADNAME", BADALG = 21 "BADALG", BADTRUNC = 22 "BADTRUNC",
        BADCOOKIE = 23 "BADCOOKIE",
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn every_name_leads_back_to_its_number() {
        for &code in RecordType::NAMED {
            let text = code.to_string();
            assert_eq!(text.parse(), Ok(code));
            assert_eq!(text.to_ascii_lowercase().parse(), Ok(code));
        }
        assert_eq!("in".parse(), Ok(Class::IN));
        assert_eq!("nxdomain".parse(), Ok(Rcode::NXDOMAIN));
        assert_eq!("notify".parse(), Ok(Opcode::NOTIFY));
    }

    #[test]
    fn numbers_without_a_name_are_written_in_the_generic_form() {
        assert_eq!(RecordType(65280).to_string(), "TYPE65280");
        assert_eq!("type65280".parse(), Ok(RecordType(65280)));
        assert_eq!("TYPE1".parse(), Ok(RecordType::A));
        assert_eq!(Class(32).to_string(), "CLASS32");
        for bad in ["TYPE", "TYPE65536", "TYPE+1", "TYPE-1", "", "Ä", "TYPEÄ"] {
            assert_eq!(bad.parse::<RecordType>(), Err(UnknownCode), "{bad:?}");
        }
    }
}
