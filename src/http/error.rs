//! The rules that a message can break, each with its status code and its place in the RFCs.
//!
//! Nothing is guessed: where two recipients could read a message in two ways, an attacker makes one
//! of them read a second request where the other sees a body ("request smuggling", RFC 9112 §11.2).
//! So an ambiguous message is refused and the connection closed, because it is not known where the
//! next message begins.

use std::fmt;

macro_rules! rules {
    ($($(#[doc = $doc:literal])+ $name:ident $status:literal $section:literal $text:literal,)+) => {
        /// A rule of the protocol that a message breaks.
        #[derive(Clone, Copy, Debug, PartialEq, Eq, Hash)]
        pub enum Rule {
            $($(#[doc = $doc])+ $name,)+
        }

        impl Rule {
            /// All rules.
            pub const ALL: &'static [Rule] = &[$(Rule::$name),+];

            /// The status code for a request that breaks the rule. (For a response it is 502.)
            pub fn status(self) -> u16 {
                match self {
                    $(Rule::$name => $status,)+
                }
            }

            /// The section of the RFC that states the rule.
            pub fn section(self) -> &'static str {
                match self {
                    $(Rule::$name => $section,)+
                }
            }

            /// The violation, in a few words.
            pub fn text(self) -> &'static str {
                match self {
                    $(Rule::$name => $text,)+
                }
            }
        }
    };
}

// A list of names with four columns. Without the macro, each row would be spread over four places.
rules! {
    /// The method is not a token.
    BadMethod 400 "RFC 9112 §3.1" "the method is not a token",
    /// The method is longer than a request line may be.
    MethodTooLong 501 "RFC 9112 §3" "the method is too long",
    /// The request line is too long.
    TargetTooLong 414 "RFC 9112 §3" "the request line is too long",
    /// The request line is not three words with one space between them.
    BadRequestLine 400 "RFC 9112 §3" "the request line is not METHOD TARGET VERSION",
    /// The version is not `HTTP/` digit `.` digit.
    BadVersion 400 "RFC 9112 §2.3" "the version is not HTTP/1.0 or HTTP/1.1",
    /// A version whose major number is not 1.
    UnknownVersion 505 "RFC 9110 §15.6.6" "this version of HTTP is not spoken here",
    /// The target has no form that its method allows.
    BadTarget 400 "RFC 9112 §3.2" "the request target has no form that this method allows",
    /// The target has a fragment.
    Fragment 400 "RFC 9112 §3.2" "a request target has no fragment",
    /// The target's scheme needs a secured connection.
    WrongScheme 421 "RFC 9110 §7.4" "the target's scheme is not http",
    /// The status line is not a version, a space, three digits.
    BadStatusLine 502 "RFC 9112 §4" "the status line is not VERSION CODE REASON",
    /// The status line is too long.
    StatusLineTooLong 502 "RFC 9112 §4" "the status line is too long",
    /// A line ends in LF without CR.
    BareLineFeed 400 "RFC 9112 §2.2" "a line ends in LF without CR",
    /// CR without LF.
    BareCarriageReturn 400 "RFC 9112 §2.2" "a CR without LF",
    /// A field line that begins with white space: the obsolete folding.
    FoldedLine 400 "RFC 9112 §5.2" "a field line begins with white space",
    /// A field line without a name.
    EmptyName 400 "RFC 9112 §5" "a field line has no name",
    /// A field name that is not a token, or is not followed by a colon at once.
    BadName 400 "RFC 9112 §5.1" "a field name is not a token with a colon right after it",
    /// A control character in a field value.
    BadValue 400 "RFC 9110 §5.5" "a field value has a control character",
    /// A field line is too long.
    FieldTooLong 431 "RFC 6585 §5" "a field line is too long",
    /// Too many field lines.
    TooManyFields 431 "RFC 6585 §5" "too many field lines",
    /// The header section is too long.
    SectionTooLong 431 "RFC 6585 §5" "the header section is too long",
    /// An HTTP/1.1 request without Host.
    NoHost 400 "RFC 9112 §3.2" "the request has no Host",
    /// Two Host field lines.
    TwoHosts 400 "RFC 9112 §3.2" "the request has more than one Host",
    /// A Host that is not a host with an optional port.
    BadHost 400 "RFC 9112 §3.2" "the host is not a name or address with an optional port",
    /// A Content-Length that is not digits only, or is too large.
    BadLength 400 "RFC 9112 §6.3" "Content-Length is not one decimal number",
    /// More than one Content-Length.
    TwoLengths 400 "RFC 9112 §6.3" "more than one Content-Length",
    /// Both Content-Length and Transfer-Encoding.
    LengthAndCoding 400 "RFC 9112 §6.1" "both Content-Length and Transfer-Encoding",
    /// A transfer coding other than chunked.
    UnknownCoding 501 "RFC 9112 §6.1" "a transfer coding other than chunked",
    /// Chunked twice, not last, with parameters, or a list without an element.
    BadCoding 400 "RFC 9112 §6.1" "Transfer-Encoding is not exactly chunked",
    /// Transfer-Encoding in HTTP/1.0.
    CodingInOldVersion 400 "RFC 9112 §6.1" "Transfer-Encoding in HTTP/1.0",
    /// A Connection or Upgrade list with something that is not a token.
    BadConnection 400 "RFC 9110 §7.6.1" "Connection is not a list of tokens",
    /// An expectation other than 100-continue.
    BadExpectation 417 "RFC 9110 §10.1.1" "an expectation other than 100-continue",
    /// A body where none is allowed: with CONNECT.
    BodyOfConnect 400 "RFC 9110 §9.3.6" "a CONNECT request with a body",
    /// A chunk's size is not hexadecimal digits, or is too large.
    BadChunkSize 400 "RFC 9112 §7.1" "a chunk size is not a hexadecimal number",
    /// A chunk extension with a control character.
    BadExtension 400 "RFC 9112 §7.1.1" "a chunk extension has a control character",
    /// The line before a chunk is too long.
    ChunkLineTooLong 400 "RFC 9112 §7.1.1" "a chunk extension is too long",
    /// Far more bytes of chunk lines than of data.
    ChunkOverhead 400 "RFC 9112 §7.1.1" "more chunk lines than data",
    /// A chunk's data is not followed by CRLF.
    BadChunkEnd 400 "RFC 9112 §7.1" "a chunk's data is not followed by CRLF",
    /// The trailer section is too long.
    TrailersTooLong 431 "RFC 9110 §5.4" "the trailer section is too long",
}

impl fmt::Display for Rule {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.write_str(self.text())
    }
}

impl std::error::Error for Rule {}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn every_rule_has_a_status_a_place_and_a_sentence_of_its_own() {
        for (index, rule) in Rule::ALL.iter().enumerate() {
            assert!(
                matches!(rule.status(), 400..=431 | 501 | 502 | 505),
                "{rule:?}"
            );
            assert!(rule.section().starts_with("RFC "));
            let same = |other: &&Rule| other.to_string() == rule.to_string();
            assert_eq!(Rule::ALL.iter().position(|r| same(&r)), Some(index));
        }
    }
}
