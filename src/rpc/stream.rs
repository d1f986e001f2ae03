//! The items of a streamed reply, for the caller.

use std::marker::PhantomData;

use super::client::Pending;
use super::failure::CallError;
use super::slot::Event;
use crate::wire::DecodeOwned;

/// The items that a method sends, one after another; blocks for each, until the call's deadline.
/// Returns `None` when the method has ended, or after the first error. A reply with a value is an
/// error ([`CallError::BadReply`]), because then the method is not a stream. Dropping it early
/// cancels the call.
///
/// The server sends at most a window ahead of what was taken, so a slow caller does not fill the
/// memory of either side.
#[derive(Debug)]
pub struct Stream<T> {
    pending: Option<Pending>,
    window: u32,
    /// Items taken since the server was last asked for more.
    taken: u32,
    items: PhantomData<fn() -> T>,
}

impl<T: DecodeOwned> Stream<T> {
    pub(super) fn new(pending: Pending, window: u32) -> Self {
        Self {
            pending: Some(pending),
            window,
            taken: 0,
            items: PhantomData,
        }
    }

    fn take(&mut self) -> Result<Option<T>, CallError> {
        let Some(pending) = &mut self.pending else {
            return Ok(None);
        };
        match pending.next()? {
            Event::Item(bytes) => {
                self.taken += 1;
                if self.taken >= self.window.div_ceil(2) {
                    pending.more(self.taken);
                    self.taken = 0;
                }
                pending.read(&bytes).map(Some)
            }
            // A value here is the reply of a method that is not a stream.
            Event::Reply(bytes) => pending.read::<()>(&bytes).map(|()| None),
            Event::Ended(error) => Err(error),
        }
    }
}

impl<T: DecodeOwned> Iterator for Stream<T> {
    type Item = Result<T, CallError>;

    fn next(&mut self) -> Option<Self::Item> {
        let item = self.take().transpose();
        if !matches!(item, Some(Ok(_))) {
            self.pending = None;
        }
        item
    }
}
