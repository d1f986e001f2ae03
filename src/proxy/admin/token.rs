//! The secret with which other machines may make changes, and the file that holds it.

use std::fs::File;
use std::io::{self, Read};
use std::os::unix::fs::PermissionsExt;
use std::sync::{Arc, PoisonError, RwLock};

use super::command::Secret;

/// How much of a token file is read at most, in bytes.
const LONGEST_TOKEN: u64 = 4096;

/// A secret that grants a right. A handle: clones share it.
#[derive(Clone)]
pub struct Token(Arc<RwLock<Secret>>);

impl Token {
    /// The shortest token, in bytes.
    pub const SHORTEST: usize = Secret::SHORTEST;

    /// A token of these bytes; `None` if they are too few.
    pub fn new(bytes: &[u8]) -> Option<Self> {
        Secret::new(bytes).map(|secret| Self(Arc::new(RwLock::new(secret))))
    }

    /// Takes over the other token's secret; its own is void from now on.
    pub fn replace_by(&self, other: &Token) {
        let secret = other.secret();
        *self.0.write().unwrap_or_else(PoisonError::into_inner) = secret;
    }

    pub(super) fn secret(&self) -> Secret {
        *self.0.read().unwrap_or_else(PoisonError::into_inner)
    }
}

/// Reads the token in a file: the whole file without white space around it. Refuses a file that
/// others than its owner can open, and a token of less than [`Token::SHORTEST`] bytes.
pub fn read_token(path: &str) -> io::Result<Token> {
    let refused = |why: String| io::Error::new(io::ErrorKind::InvalidData, why);
    let file = File::open(path)?;
    let mode = file.metadata()?.permissions().mode() & 0o777;
    if mode & 0o077 != 0 {
        return Err(refused(format!(
            "its mode {mode:03o} lets others at it: chmod 600 {path}"
        )));
    }
    let mut bytes = Vec::new();
    file.take(LONGEST_TOKEN).read_to_end(&mut bytes)?;
    let (token, least) = (bytes.trim_ascii(), Token::SHORTEST);
    let short = || {
        refused(format!(
            "a token has at least {least} bytes, this has {}",
            token.len()
        ))
    };
    Token::new(token).ok_or_else(short)
}
