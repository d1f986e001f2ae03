//! Tests which ports are open.

use std::ops::RangeInclusive;

use groundwire::cli::{Failure, complain};
use groundwire::netcat::{Target, is_open};
use groundwire::server::{Stopper, flags};

use crate::SPEC;
use crate::client::tell_open;
use crate::plan::Plan;

/// Tries each port; fails when none is open.
pub fn scan(plan: &Plan, host: &str, ports: &[RangeInclusive<u16>]) -> Result<(), Failure> {
    let target = Target::find(plan.network, host).map_err(flags::failure)?;
    let mut any_open = false;
    let mut first = true;
    for port in ports.iter().cloned().flatten() {
        if let (Some(interval), false) = (plan.settings.interval, first) {
            // Nothing stops it: this is only a wait.
            Stopper::new().wait_timeout(interval);
        }
        first = false;
        match is_open(&target, port, &plan.dialer) {
            Ok(()) => {
                any_open = true;
                tell_open(plan, host, port);
            }
            Err(error) if plan.verbose => complain(&SPEC, error),
            Err(_) => {}
        }
    }
    match any_open {
        true => Ok(()),
        false => Err(Failure::Quiet(1)),
    }
}
