//! What one try of a call means for the next: another server, a pause, or the end.
//!
//! The loop around it is `Shared::run`. What matters most here is *doubt*: after a try that may have been
//! carried out, the outcome of the call is unknown, not "not done", until a try has an answer.

use super::Shared;
use crate::kv::command::Refused;
use crate::kv::service::Problem;
use crate::kv::store::StoreError;
use crate::rpc::{CallError, Failure};

/// How often in a row one node may name another as the leader without a pause.
const HOPS: u32 = 4;

/// What the tries of a call have shown so far.
#[derive(Default)]
pub(super) struct Tries {
    /// Whether an earlier try may have been carried out.
    pub(super) doubted: bool,
    /// How many times a server has named another one as the leader.
    hops: u32,
    /// How many servers have refused this client's secret.
    strangers: usize,
    /// The last server that could not do it, and why.
    reason: Option<(String, String)>,
}

impl Shared {
    /// What a server's problem means: why to try again after a pause, `None` to try again at once,
    /// or the end.
    pub(super) fn after_problem(
        &self,
        server: &str,
        problem: Problem,
        tries: &mut Tries,
    ) -> Result<Option<String>, StoreError> {
        Ok(Some(match problem {
            Problem::Never(why) => return Err(Refused::Other(why).into()),
            Problem::Compacted(compacted) => return Err(compacted.into()),
            Problem::Elsewhere(Some(leader)) if leader != server => {
                self.route.lead(&leader);
                tries.hops += 1;
                if tries.hops % HOPS != 0 {
                    return Ok(None);
                }
                match &tries.reason {
                    // The leader has already said why it cannot do it.
                    Some((told_by, why)) if *told_by == leader => format!("{leader}: {why}"),
                    _ => format!("{server}: the leader is said to be {leader}"),
                }
            }
            Problem::Elsewhere(_) => {
                self.route.pass(server);
                format!("{server}: no leader is known")
            }
            Problem::NotDone(why) => {
                // Perhaps only this node cannot: one with a full disk does not even learn the
                // leader, while the others have long had one.
                self.route.pass(server);
                let told = format!("{server}: {why}");
                tries.reason = Some((server.to_string(), why));
                told
            }
            Problem::Unknown(why) => {
                tries.doubted = true;
                self.route.pass(server);
                format!("{server}: {why}")
            }
            Problem::Other(_) => {
                tries.doubted = true;
                format!("{server}: a problem of a later version")
            }
        }))
    }

    /// Why to try again after a call that failed, or the end.
    pub(super) fn after_error(
        &self,
        server: &str,
        error: CallError,
        tries: &mut Tries,
    ) -> Result<String, StoreError> {
        // One node may have another secret; if all have, this client's is wrong.
        let is_stranger = error == CallError::Failed(Failure::Unauthenticated);
        tries.strangers += usize::from(is_stranger);
        let last = is_final(&error) || tries.strangers > self.config.servers.len();
        // If the reply cannot be read, the call ran. After the other final errors, and without the
        // secret, this call did not run; earlier tries may have.
        tries.doubted |= match &error {
            CallError::BadReply(_) => true,
            error => !last && !is_stranger && !error.not_run(),
        };
        if last {
            let why = format!("{server}: {error}");
            return Err(match tries.doubted {
                true => StoreError::Unknown(why),
                false => StoreError::NotDone(why),
            });
        }
        self.route.pass(server);
        Ok(match error {
            CallError::Disconnected { why, .. } => why,
            error => format!("{server}: {error}"),
        })
    }
}

/// Whether the call would fail in the same way again, on every node.
fn is_final(error: &CallError) -> bool {
    matches!(
        error,
        CallError::Failed(
            Failure::UnknownService(_) | Failure::UnknownMethod(_) | Failure::BadArgument(_)
        ) | CallError::BadArgument(_)
            | CallError::BadReply(_)
    )
}
