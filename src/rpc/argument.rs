//! The types that a stub accepts as an argument: all that encode like the argument's own type.

use crate::wire::Encode;

/// Encodes to the same bytes as a `T`, so that a caller need not own one.
pub trait Argument<T: ?Sized>: Encode {}

impl<T: Encode> Argument<T> for T {}
impl<T: Encode> Argument<T> for &T {}
impl Argument<String> for &str {}
impl<T: Encode> Argument<Vec<T>> for &[T] {}
impl Argument<std::path::PathBuf> for &std::path::Path {}
