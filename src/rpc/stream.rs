//! The items of a streamed reply, as the caller takes them.

use std::marker::PhantomData;

use super::client::Pending;
use super::failure::CallError;
use super::slot::Event;
use crate::wire::DecodeOwned;

/// The items that a method sends, one after the other; blocks for each, until the call's
/// deadline. Ends with `None` when the method has ended, or after the first error; a method that
/// replies with a value, and so is no stream, is one ([`CallError::BadReply`]). Dropping it earlier
/// takes the call back.
///
/// The server sends no more than a window ahead of what was taken, so a caller that takes its
/// time fills neither side's memory.
#[derive(Debug)]
pub struct Stream<T> {
    pending: Option<Pending>,
    window: u32,
    /// Items taken since the server was last told that it may send more.
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
            // A value here is the reply of a method that is no stream.
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
