//! ICMP: the messages with which IP talks about itself (RFC 792, RFC 4443).
//!
//! A host that is asked "are you there?" with an *echo request* answers with an *echo reply* that
//! repeats the request's id, sequence number and payload. A router or host that cannot forward or
//! deliver a packet tells the packet's sender in an *error message*. The message quotes the
//! beginning of the packet, so that the sender knows which one is meant.
//!
//! ```text
//!  offset  0      1      2          4        6            8
//!  echo    type | code | checksum | id     | sequence   | payload
//!  error   type | code | checksum | info (by type)      | IP header and at least 8 bytes, quoted
//!
//!                           IPv4   IPv6
//!  echo request                8    128
//!  echo reply                  0    129
//!  destination unreachable     3      1
//!  packet too big     (3, code 4)     2
//!  time exceeded              11      3
//!  parameter problem          12      4
//! ```
//!
//! Nothing in ICMP proves who sent a message. Here a reply counts when its id, its sequence number
//! and its whole payload are those of a request; an error message counts when it quotes a request.
//!
//! The files, in reading order: `checksum` (RFC 1071), `message` (encode and decode), `problem` (what
//! an error message says, in words), `packet` (IP headers, whole or quoted), `tally` (which request a
//! reply belongs to, and the statistics). All of these are pure. The shell is `socket`:
//! [`IcmpSocket`](socket::IcmpSocket).

pub mod checksum;
pub mod message;
pub mod packet;
pub mod problem;
pub mod socket;
pub mod tally;
