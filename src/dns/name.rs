//! Domain names: a sequence of labels, held in wire form.
//!
//! ```text
//!   www.Example.     3 'w' 'w' 'w'  7 'E' 'x' 'a' 'm' 'p' 'l' 'e'  0
//!                    |              |                              |
//!                    length octet   length octet                   the root
//! ```
//!
//! A label has 1 to 63 octets of any value. A name has at most 255 octets, counting its length
//! octets and the root (RFC 1035 §2.3.4, RFC 2181 §11). A name keeps the case in which it came;
//! comparison ignores case (RFC 4343). A length octet is at most 63, so it is never a letter, and a
//! whole name can be folded to lower case octet by octet.
//!
//! Text: [`Name::parse`] and `Display` are in `name_text.rs`.

use std::cmp::Ordering;
use std::hash::{Hash, Hasher};
use std::net::{IpAddr, Ipv4Addr, Ipv6Addr};

use super::error::NameError;
use crate::net::reverse_name;

/// The longest label, in octets (RFC 1035 §2.3.4).
pub const MAX_LABEL: usize = 63;
/// The longest name in wire form, in octets, with length octets and root (RFC 1035 §2.3.4).
pub const MAX_NAME: usize = 255;
/// The most labels of a name, not counting the root.
const MAX_LABELS: usize = MAX_NAME / 2;

/// An absolute domain name.
#[derive(Clone)]
pub struct Name {
    /// Uncompressed wire form with the root's octet; every constructor enforces the limits.
    wire: Box<[u8]>,
}

impl Name {
    /// The root, `.`.
    pub fn root() -> Self {
        Self {
            wire: Box::new([0]),
        }
    }

    /// A name from its labels, the leftmost first.
    pub fn from_labels<L: AsRef<[u8]>>(
        labels: impl IntoIterator<Item = L>,
    ) -> Result<Self, NameError> {
        let mut builder = Builder::default();
        for label in labels {
            builder.label(label.as_ref())?;
        }
        Ok(builder.finish())
    }

    /// A name from its wire form; the reader has checked its labels, root and length.
    pub(super) fn from_wire(wire: Box<[u8]>) -> Self {
        Self { wire }
    }

    /// The name that holds an address's PTR record: `1.2.0.192.in-addr.arpa.` (RFC 1035 §3.5), or
    /// 32 nibbles under `ip6.arpa.` (RFC 3596 §2.5).
    pub fn reverse(address: IpAddr) -> Self {
        let mut builder = Builder::default();
        for label in reverse_name(address).split('.') {
            let fits = builder.label(label.as_bytes());
            debug_assert!(fits.is_ok(), "74 octets at most");
        }
        builder.finish()
    }

    /// The address whose reverse name this is; `None` for others, `01.2.0.192.in-addr.arpa.` too.
    pub fn reverse_address(&self) -> Option<IpAddr> {
        self.reverse_numbers()
            .filter(|address| Name::reverse(*address) == *self)
    }

    /// The address that the labels spell; leading zeros and signs are accepted here.
    fn reverse_numbers(&self) -> Option<IpAddr> {
        let labels: Vec<&[u8]> = self.labels().collect();
        let (numbers, zone) = labels.split_at(labels.len().checked_sub(2)?);
        if !zone[1].eq_ignore_ascii_case(b"arpa") {
            return None;
        }
        if zone[0].eq_ignore_ascii_case(b"in-addr") && numbers.len() == 4 {
            let mut octets = [0; 4];
            for (octet, label) in octets.iter_mut().rev().zip(numbers) {
                *octet = std::str::from_utf8(label).ok()?.parse().ok()?;
            }
            return Some(Ipv4Addr::from(octets).into());
        }
        if zone[0].eq_ignore_ascii_case(b"ip6") && numbers.len() == 32 {
            let mut value = 0u128;
            for label in numbers.iter().rev() {
                let [digit] = label else { return None };
                value = value << 4 | u128::from(char::from(*digit).to_digit(16)?);
            }
            return Some(Ipv6Addr::from(value).into());
        }
        None
    }

    /// The wire form, uncompressed, with the root's octet.
    pub fn wire(&self) -> &[u8] {
        &self.wire
    }

    /// Whether this is the root.
    pub fn is_root(&self) -> bool {
        self.wire.len() == 1
    }

    /// The labels, the leftmost first, without the root.
    pub fn labels(&self) -> Labels<'_> {
        Labels { rest: &self.wire }
    }

    /// The number of labels, not counting the root.
    pub fn label_count(&self) -> usize {
        self.labels().count()
    }

    /// The name without its leftmost label; `None` for the root.
    pub fn parent(&self) -> Option<Name> {
        let first = self.labels().next()?;
        Some(Self {
            wire: self.wire[first.len() + 1..].into(),
        })
    }

    /// The name with one more label on the left.
    pub fn child(&self, label: &[u8]) -> Result<Name, NameError> {
        let mut builder = Builder::default();
        builder.label(label)?;
        builder.append(self)?;
        Ok(builder.finish())
    }

    /// Whether this name is `zone` or below it.
    pub fn is_within(&self, zone: &Name) -> bool {
        let Some(start) = self.wire.len().checked_sub(zone.wire.len()) else {
            return false;
        };
        // The suffix has to start at a label: `notexample.` is not within `example.`.
        self.suffix_starts().any(|at| at == start)
            && self.wire[start..].eq_ignore_ascii_case(&zone.wire)
    }

    /// This name with the suffix `from` replaced by `to` (a DNAME's substitution, RFC 6672 §2.2);
    /// `None` if it is not below `from`.
    pub fn with_suffix(&self, from: &Name, to: &Name) -> Option<Result<Name, NameError>> {
        if self == from || !self.is_within(from) {
            return None;
        }
        let kept = self.label_count() - from.label_count();
        Some(Name::from_labels(
            self.labels().take(kept).chain(to.labels()),
        ))
    }

    /// Whether the leftmost label is `*` (RFC 4592 §2.1.1).
    pub fn is_wildcard(&self) -> bool {
        self.wire.starts_with(b"\x01*")
    }

    /// Where each label starts in the wire form, and how many labels there are.
    pub(super) fn label_starts(&self) -> ([u8; MAX_LABELS], usize) {
        let mut starts = [0; MAX_LABELS];
        let (mut count, mut at) = (0, 0);
        for (label, start) in self.labels().zip(&mut starts) {
            *start = at;
            at += 1 + label.len() as u8; // at most 254, the offset of the root
            count += 1;
        }
        (starts, count)
    }

    fn labels_from_right(&self) -> impl Iterator<Item = &[u8]> {
        let (starts, mut count) = self.label_starts();
        let mut end = self.wire.len() - 1;
        std::iter::from_fn(move || {
            count = count.checked_sub(1)?;
            let start = usize::from(starts[count]);
            let label = &self.wire[start + 1..end];
            end = start;
            Some(label)
        })
    }

    /// The offsets in the wire form at which a label or the root starts.
    fn suffix_starts(&self) -> impl Iterator<Item = usize> + '_ {
        let mut next = Some(0);
        std::iter::from_fn(move || {
            let at = next?;
            next = match self.wire.get(at) {
                None | Some(0) => None,
                Some(length) => Some(at + 1 + usize::from(*length)),
            };
            Some(at)
        })
    }
}

/// The labels of a name, the leftmost first.
#[derive(Clone, Debug)]
pub struct Labels<'a> {
    rest: &'a [u8],
}

impl<'a> Iterator for Labels<'a> {
    type Item = &'a [u8];

    fn next(&mut self) -> Option<&'a [u8]> {
        let (length, rest) = self.rest.split_first()?;
        let label = rest.get(..usize::from(*length)).filter(|l| !l.is_empty())?;
        self.rest = &rest[label.len()..];
        Some(label)
    }
}

/// A name under construction: labels are added on the right.
pub(super) struct Builder {
    wire: [u8; MAX_NAME],
    used: usize,
}

impl Default for Builder {
    fn default() -> Self {
        Self {
            wire: [0; MAX_NAME],
            used: 0,
        }
    }
}

impl Builder {
    pub(super) fn label(&mut self, label: &[u8]) -> Result<(), NameError> {
        match label.len() {
            0 => return Err(NameError::EmptyLabel),
            1..=MAX_LABEL => {}
            octets => return Err(NameError::LabelTooLong(octets)),
        }
        let end = self.used + 1 + label.len();
        // One octet stays free for the root.
        if end >= MAX_NAME {
            return Err(NameError::TooLong);
        }
        self.wire[self.used] = label.len() as u8;
        self.wire[self.used + 1..end].copy_from_slice(label);
        self.used = end;
        Ok(())
    }

    pub(super) fn append(&mut self, suffix: &Name) -> Result<(), NameError> {
        suffix.labels().try_for_each(|label| self.label(label))
    }

    pub(super) fn finish(&self) -> Name {
        // `used` is at most 254, and the next octet is still zero: the root.
        Name {
            wire: self.wire[..self.used + 1].into(),
        }
    }
}

impl PartialEq for Name {
    fn eq(&self, other: &Self) -> bool {
        self.wire.eq_ignore_ascii_case(&other.wire)
    }
}

impl Eq for Name {}

impl Hash for Name {
    fn hash<H: Hasher>(&self, state: &mut H) {
        let mut folded = [0; MAX_NAME];
        for (to, from) in folded.iter_mut().zip(&self.wire) {
            *to = from.to_ascii_lowercase();
        }
        state.write(&folded[..self.wire.len()]);
    }
}

/// The canonical order of RFC 4034 §6.1: the rightmost label is compared first, so a name directly
/// precedes the names below it.
impl Ord for Name {
    fn cmp(&self, other: &Self) -> Ordering {
        let (mut mine, mut theirs) = (self.labels_from_right(), other.labels_from_right());
        loop {
            let order = match (mine.next(), theirs.next()) {
                (None, None) => return Ordering::Equal,
                (None, Some(_)) => Ordering::Less,
                (Some(_), None) => Ordering::Greater,
                (Some(mine), Some(theirs)) => {
                    let [mine, theirs] = [mine, theirs].map(|label| label.iter());
                    let mine = mine.map(u8::to_ascii_lowercase);
                    mine.cmp(theirs.map(u8::to_ascii_lowercase))
                }
            };
            if order.is_ne() {
                return order;
            }
        }
    }
}

impl PartialOrd for Name {
    fn partial_cmp(&self, other: &Self) -> Option<Ordering> {
        Some(self.cmp(other))
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    fn name(text: &str) -> Name {
        Name::parse(text).unwrap()
    }

    #[test]
    fn names_compare_and_hash_without_case_and_keep_theirs() {
        let hash = |name: &Name| {
            let mut hasher = std::hash::DefaultHasher::new();
            name.hash(&mut hasher);
            hasher.finish()
        };
        let (upper, lower) = (name("WWW.Example."), name("www.example."));
        assert_eq!(upper, lower);
        assert_eq!(hash(&upper), hash(&lower));
        assert_eq!(upper.to_string(), "WWW.Example.");
        // Only A to Z are letters (RFC 4343 §3): `[` is not `{`.
        assert_ne!(name("a[.example"), name("a{.example"));
    }

    #[test]
    fn a_name_of_255_octets_fits_and_one_of_256_does_not() {
        let long = [vec![b'a'; 63], vec![b'b'; 63], vec![b'c'; 63]];
        let with = |last: usize| {
            let last = vec![b'd'; last];
            Name::from_labels(long.iter().chain([&last]))
        };
        assert_eq!(with(61).unwrap().wire().len(), 255);
        assert_eq!(with(62), Err(NameError::TooLong));
        let label = [0; 64];
        assert_eq!(Name::from_labels([label]), Err(NameError::LabelTooLong(64)));
    }

    #[test]
    fn being_within_a_zone_is_decided_by_whole_labels() {
        for (inner, zone, within) in [
            ("www.example.", "example.", true),
            ("WWW.EXAMPLE.", "example.", true),
            ("example.", "example.", true),
            ("notexample.", "example.", false),
            ("example.", "www.example.", false),
            ("anything.", ".", true),
            (".", ".", true),
        ] {
            assert_eq!(name(inner).is_within(&name(zone)), within, "{inner} {zone}");
        }
    }

    #[test]
    fn reverse_names_of_both_families_lead_back_to_the_address() {
        for (address, text) in [
            // The examples of RFC 1035 §3.5 and RFC 3596 §2.5.
            ("10.2.0.52", "52.0.2.10.in-addr.arpa."),
            (
                "4321:0:1:2:3:4:567:89ab",
                "b.a.9.8.7.6.5.0.4.0.0.0.3.0.0.0.2.0.0.0.1.0.0.0.0.0.0.0.1.2.3.4.ip6.arpa.",
            ),
        ] {
            let address: IpAddr = address.parse().unwrap();
            let reverse = Name::reverse(address);
            assert_eq!(reverse.to_string(), text);
            assert_eq!(reverse.reverse_address(), Some(address));
        }
        for no_address in ["01.2.0.192.in-addr.arpa", "+1.2.0.192.in-addr.arpa"] {
            assert_eq!(name(no_address).reverse_address(), None, "{no_address}");
        }
        for no_address in ["2.0.192.in-addr.arpa", "a.b.c.d.in-addr.arpa", "arpa", "."] {
            assert_eq!(name(no_address).reverse_address(), None, "{no_address}");
        }
    }

    #[test]
    fn the_canonical_order_is_that_of_rfc_4034() {
        // The list of RFC 4034 §6.1.
        let ordered = [
            "example.",
            "a.example.",
            "yljkjljk.a.example.",
            "Z.a.example.",
            "zABC.a.EXAMPLE.",
            "z.example.",
            "\\001.z.example.",
            "*.z.example.",
            "\\200.z.example.",
        ];
        let mut names: Vec<Name> = ordered.iter().rev().map(|text| name(text)).collect();
        names.sort();
        let texts: Vec<String> = names.iter().map(Name::to_string).collect();
        assert_eq!(texts, ordered);
    }

    #[test]
    fn a_suffix_is_replaced_as_in_table_1_of_rfc_6672() {
        for (asked, owner, target, result) in [
            ("com.", "example.com.", "example.net.", ""),
            ("example.com.", "example.com.", "example.net.", ""),
            (
                "a.example.com.",
                "example.com.",
                "example.net.",
                "a.example.net.",
            ),
            (
                "a.b.example.com.",
                "example.com.",
                "example.net.",
                "a.b.example.net.",
            ),
            ("ab.example.com.", "b.example.com.", "example.net.", ""),
            (
                "foo.example.com.",
                "example.com.",
                "example.net.",
                "foo.example.net.",
            ),
            (
                "a.x.example.com.",
                "x.example.com.",
                "example.net.",
                "a.example.net.",
            ),
            (
                "a.example.com.",
                "example.com.",
                "y.example.net.",
                "a.y.example.net.",
            ),
            (
                "cyc.example.com.",
                "example.com.",
                "example.com.",
                "cyc.example.com.",
            ),
            (
                "cyc.example.com.",
                "example.com.",
                "c.example.com.",
                "cyc.c.example.com.",
            ),
            ("shortloop.x.x.", "x.", ".", "shortloop.x."),
            ("shortloop.x.", "x.", ".", "shortloop."),
        ] {
            let moved = name(asked).with_suffix(&name(owner), &name(target));
            let text = moved.map_or_else(String::new, |moved| moved.unwrap().to_string());
            assert_eq!(text, result, "{asked} {owner} {target}");
        }
    }

    #[test]
    fn a_suffix_is_replaced_below_it_only_and_within_the_limit() {
        let (from, to) = (name("old.example."), name("new.example.net."));
        let moved = name("a.b.OLD.example.").with_suffix(&from, &to);
        assert_eq!(moved, Some(Ok(name("a.b.new.example.net."))));
        assert_eq!(from.with_suffix(&from, &to), None);
        assert_eq!(name("other.").with_suffix(&from, &to), None);
        let long = Name::from_labels([[b'x'; 60]; 4]).unwrap();
        let below_root = long.with_suffix(&Name::root(), &to);
        assert_eq!(below_root, Some(Err(NameError::TooLong)));
    }
}
