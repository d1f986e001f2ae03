//! What may stand for an argument in a stub: whatever is written as the argument's type is.

use crate::wire::Encode;

/// Written with the same bytes as a `T`, so that a caller need not own one.
pub trait Argument<T: ?Sized>: Encode {}

impl<T: Encode> Argument<T> for T {}
impl<T: Encode> Argument<T> for &T {}
impl Argument<String> for &str {}
impl<T: Encode> Argument<Vec<T>> for &[T] {}
impl Argument<std::path::PathBuf> for &std::path::Path {}
