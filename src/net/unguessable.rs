//! Numbers that nobody can guess: for ids that a forger must not hit, and for seeds.

use std::hash::{BuildHasher, Hasher, RandomState};

/// 64 bits that an outsider cannot guess: SipHash of nothing with a key that std derives from the
/// kernel's random source, different in each call. A read of `/dev/urandom` gives the same, but can
/// fail: in a chroot, or with all descriptors in use.
///
/// ```
/// use groundwire::net::unguessable;
///
/// assert_ne!(unguessable(), unguessable());
/// ```
pub fn unguessable() -> u64 {
    RandomState::new().build_hasher().finish()
}
