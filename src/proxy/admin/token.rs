//! The secret that lets others than this machine change something, and the file that it is in.

use std::fs::File;
use std::io::{self, Read};
use std::os::unix::fs::PermissionsExt;
use std::sync::{Arc, PoisonError, RwLock};

use super::command::Secret;

/// The most that is read of a token file, in bytes.
const LONGEST_TOKEN: u64 = 4096;

/// A secret that stands for a right. A handle: clones share it.
#[derive(Clone)]
pub struct Token(Arc<RwLock<Secret>>);

impl Token {
    /// The shortest, in bytes.
    pub const SHORTEST: usize = Secret::SHORTEST;

    /// A token of these bytes; `None` if they are too few.
    pub fn new(bytes: &[u8]) -> Option<Self> {
        Secret::new(bytes).map(|secret| Self(Arc::new(RwLock::new(secret))))
    }

    /// Puts the secret of another one in the place of its own, which is worth nothing from now on.
    pub fn replace_by(&self, other: &Token) {
        let secret = other.secret();
        *self.0.write().unwrap_or_else(PoisonError::into_inner) = secret;
    }

    pub(super) fn secret(&self) -> Secret {
        *self.0.read().unwrap_or_else(PoisonError::into_inner)
    }
}

/// The token in a file: all of it but white space around it. A file that others than its owner can
/// open is refused, and so is a token of less than [`Token::SHORTEST`] bytes.
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
