//! Telnet's negotiation, with every option refused. Pure.
//!
//! A Telnet server mixes commands into its data: IAC (255), a command, and for the four negotiation
//! commands an option. `DO x` and `WILL x` ask for something; the least that a peer may do is to
//! refuse with `WONT x` and `DONT x` (RFC 854, RFC 855). A command may be split between two reads,
//! so the position in it is kept.
//!
//! OpenBSD's nc answers the commands but passes them on to its output. This code removes them from
//! the data. A doubled IAC is the byte 255.
//!
//! This concerns only what is received, and only the commands in it. A CR NUL, by which Telnet says
//! a lone CR (RFC 854, page 11), stays two bytes. And the input is sent as it is: its bytes 255 are
//! not doubled (page 14), so a script can send commands, as with nc.

/// "Interpret as command" and the commands that matter here (RFC 854, page 14).
const IAC: u8 = 255;
const DONT: u8 = 254;
const DO: u8 = 253;
const WONT: u8 = 252;
const WILL: u8 = 251;
const SUBNEGOTIATION: u8 = 250;
const SUBNEGOTIATION_END: u8 = 240;

/// The position in a command after the last byte.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
enum Place {
    Data,
    AfterIac,
    /// The option of this command comes next.
    Option(u8),
    /// In the parameters of an option, which are skipped.
    Parameters,
    ParametersAfterIac,
}

/// The state of one connection.
#[derive(Clone, Debug)]
pub struct Telnet {
    place: Place,
}

impl Default for Telnet {
    fn default() -> Self {
        Self { place: Place::Data }
    }
}

impl Telnet {
    /// Processes bytes from the peer: adds the data to `data`, and the refusals to send to `reply`.
    pub fn take(&mut self, bytes: &[u8], data: &mut Vec<u8>, reply: &mut Vec<u8>) {
        for &byte in bytes {
            self.place = match (self.place, byte) {
                (Place::Data, IAC) => Place::AfterIac,
                (Place::Data, _) | (Place::AfterIac, IAC) => {
                    data.push(byte);
                    Place::Data
                }
                (Place::AfterIac, DO | DONT | WILL | WONT) => Place::Option(byte),
                (Place::AfterIac, SUBNEGOTIATION) => Place::Parameters,
                // A command without an option (go ahead, no operation ...) asks for nothing.
                (Place::AfterIac, _) => Place::Data,
                (Place::Option(command), option) => {
                    // Refusals are not answered: otherwise two ends would answer for ever (RFC 854,
                    // page 2, rule b).
                    match command {
                        DO => reply.extend([IAC, WONT, option]),
                        WILL => reply.extend([IAC, DONT, option]),
                        _ => {}
                    }
                    Place::Data
                }
                (Place::Parameters, IAC) => Place::ParametersAfterIac,
                (Place::ParametersAfterIac, SUBNEGOTIATION_END) => Place::Data,
                (Place::Parameters | Place::ParametersAfterIac, _) => Place::Parameters,
            };
        }
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    /// Data and replies, the same however the bytes are split.
    fn taken(bytes: &[u8]) -> (Vec<u8>, Vec<u8>) {
        let mut whole = (Vec::new(), Vec::new());
        Telnet::default().take(bytes, &mut whole.0, &mut whole.1);
        let (mut telnet, mut cut) = (Telnet::default(), (Vec::new(), Vec::new()));
        for byte in bytes {
            telnet.take(&[*byte], &mut cut.0, &mut cut.1);
        }
        assert_eq!(whole, cut);
        whole
    }

    #[test]
    fn requests_are_refused_and_leave_the_data() {
        let bytes = [b'a', IAC, DO, 24, b'b', IAC, WILL, 1, b'c'];
        let reply = vec![IAC, WONT, 24, IAC, DONT, 1];
        assert_eq!(taken(&bytes), (b"abc".to_vec(), reply));
    }

    #[test]
    fn refusals_are_not_answered() {
        let bytes = [IAC, DONT, 24, IAC, WONT, 1, b'x'];
        assert_eq!(taken(&bytes), (b"x".to_vec(), Vec::new()));
    }

    #[test]
    fn a_doubled_iac_is_data_and_parameters_are_skipped() {
        let bytes = [
            IAC,
            IAC,
            IAC,
            SUBNEGOTIATION,
            24,
            0,
            b'v',
            IAC,
            IAC,
            b't',
            IAC,
            SUBNEGOTIATION_END,
            b'x',
            IAC,
            241,
            b'y',
        ];
        assert_eq!(taken(&bytes), (vec![IAC, b'x', b'y'], Vec::new()));
    }
}
