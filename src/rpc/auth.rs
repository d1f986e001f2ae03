//! Proves that both sides know the same secret, without sending it. Pure.
//!
//! Each side sends 32 random bytes, and then the HMAC-SHA-256 of both sides' bytes with the secret
//! as the key (challenge and response, as in RFC 2195, in both directions). It also covers the
//! side's role, so that a proof cannot be sent back to the side that made it.
//!
//! This authenticates the peer at the beginning of the connection. It gives no confidentiality and
//! does not protect what follows: anyone who can change bytes on the path can add calls. On a
//! network that others can write to, use a tunnel.

use std::fmt;
use std::sync::Arc;

use super::sha256::{equal, hmac_sha256};

/// A secret that both sides know; at least 16 random bytes. Its bytes are never printed.
#[derive(Clone)]
pub struct Secret(Arc<[u8]>);

impl Secret {
    /// The shortest secret, in bytes.
    pub const SHORTEST: usize = 16;

    /// Takes the bytes as they are; `None` if they are too few. An empty file, say, must not become
    /// a secret that everybody knows.
    pub fn new(bytes: &[u8]) -> Option<Self> {
        (bytes.len() >= Self::SHORTEST).then(|| Self(bytes.into()))
    }
}

impl fmt::Debug for Secret {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.write_str("Secret(..)")
    }
}

/// The role of the side that makes a proof.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum Side {
    /// The side that connected.
    Client,
    /// The side that accepted.
    Server,
}

/// What one side sends to prove that it knows the secret.
pub fn proof(secret: &Secret, side: Side, client: &[u8; 32], server: &[u8; 32]) -> [u8; 32] {
    let label: &[u8] = match side {
        Side::Client => b"groundwire rpc 1 client",
        Side::Server => b"groundwire rpc 1 server",
    };
    hmac_sha256(&secret.0, &[label, client, server])
}

/// Whether a side's proof is valid.
pub fn proves(
    given: &[u8; 32],
    secret: &Secret,
    side: Side,
    client: &[u8; 32],
    server: &[u8; 32],
) -> bool {
    equal(given, &proof(secret, side, client, server))
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn a_proof_holds_for_its_side_its_secret_and_its_nonces_only() {
        let [secret, other] = [b"one secret of 16", b"another secret.."]
            .map(|bytes| Secret::new(bytes).expect("16 bytes are enough"));
        let (c, s) = ([1; 32], [2; 32]);
        let given = proof(&secret, Side::Client, &c, &s);
        assert!(proves(&given, &secret, Side::Client, &c, &s));
        assert!(!proves(&given, &secret, Side::Server, &c, &s), "sent back");
        assert!(!proves(&given, &other, Side::Client, &c, &s));
        assert!(!proves(&given, &secret, Side::Client, &s, &c));
        assert!(!proves(&given, &secret, Side::Client, &c, &c), "replayed");
    }

    #[test]
    fn a_secret_is_not_printed() {
        let secret = Secret::new(b"0123456789abcdef").unwrap();
        assert_eq!(format!("{secret:?}"), "Secret(..)");
    }

    #[test]
    fn a_short_secret_is_none() {
        for bytes in [&b""[..], b"0123456789abcde"] {
            assert!(Secret::new(bytes).is_none());
        }
    }
}
