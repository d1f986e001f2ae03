//! The service that `rpc-server` offers: a method of each kind, on signed numbers.
//!
//! To add a method: 1. a line in the declaration; 2. its function in the implementation, which the
//! compiler demands; 3. how `rpc-client` reads its arguments, in `src/bin/rpc-client/`.

use std::time::Duration;

use super::failure::Failure;
use super::service::Call;
use super::signed::Signed;
use super::sink::Sink;

crate::rpc_service! {
    /// Sums, differences, pauses and counts.
    pub trait Calculate, client CalculatorClient, as "Calculator" {
        /// The sum of two numbers.
        [repeatable] fn add(a: Signed, b: Signed) -> Signed, as "Add";
        /// The difference of two numbers.
        [repeatable] fn subtract(a: Signed, b: Signed) -> Signed, as "Subtract";
        /// Returns after this many milliseconds, or when the call is cancelled.
        [slow] fn pause(millis: u64) -> (), as "Sleep";
        /// The numbers from the first to the second, including both.
        [stream] fn count(from: u64, to: u64) -> u64, as "Count";
    }
}

/// The calculator.
#[derive(Clone, Copy, Debug, Default)]
pub struct Calculator;

impl Calculate for Calculator {
    fn add(&self, _: &Call<'_>, a: Signed, b: Signed) -> Result<Signed, Failure> {
        a.checked_add(b).ok_or_else(|| beyond("sum"))
    }

    fn subtract(&self, _: &Call<'_>, a: Signed, b: Signed) -> Result<Signed, Failure> {
        a.checked_sub(b).ok_or_else(|| beyond("difference"))
    }

    fn pause(&self, call: &Call<'_>, millis: u64) -> Result<(), Failure> {
        call.wait(Duration::from_millis(millis))
    }

    fn count(
        &self,
        _: &Call<'_>,
        from: u64,
        to: u64,
        sink: &mut Sink<'_, u64>,
    ) -> Result<(), Failure> {
        (from..=to).try_for_each(|number| sink.send(&number))
    }
}

fn beyond(what: &str) -> Failure {
    Failure::Refused(format!("the magnitude of the {what} is beyond 64 bits"))
}
