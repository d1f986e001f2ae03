//! The client's session: one for all its threads, begun with the first command.

use std::sync::{Condvar, Mutex, MutexGuard, PoisonError};

use super::Ran;
use crate::kv::store::StoreError;
use crate::net::{Deadline, wait_until};
use crate::raft::sessions::{Answer, ClientId, ClientSession, Limits, Request};
use crate::wire;

/// The session, or none yet.
#[derive(Debug, Default)]
pub(super) struct Session {
    state: Mutex<State>,
    changed: Condvar,
}

#[derive(Debug, Default)]
struct State {
    session: Option<ClientSession>,
    /// A thread is registering one.
    registering: bool,
}

/// A command with its number.
pub(super) struct Begun {
    client: ClientId,
    sequence: u64,
    /// What to propose, as often as needed.
    pub(super) request: Vec<u8>,
}

/// Proposes a request; returns its answer.
type Propose<'a> = &'a dyn Fn(&[u8]) -> Result<Ran<Answer>, StoreError>;

impl Session {
    fn lock(&self) -> MutexGuard<'_, State> {
        self.state.lock().unwrap_or_else(PoisonError::into_inner)
    }

    /// Numbers a command. Registers a session if there is none; blocks while too many commands are
    /// in flight.
    pub(super) fn begin(
        &self,
        deadline: Deadline,
        command: &[u8],
        propose: Propose<'_>,
    ) -> Result<Begun, StoreError> {
        let mut state = self.lock();
        loop {
            if let Some(session) = &mut state.session {
                if let Some(sequence) = session.begin(Limits::default().window) {
                    let request = wire::encode(&session.request(sequence, command));
                    if request.is_err() {
                        session.end(sequence); // else it would be awaited for ever
                    }
                    return Ok(Begun {
                        client: session.client(),
                        sequence,
                        request: request.map_err(super::not_sent)?,
                    });
                }
            } else if !state.registering {
                state.registering = true;
                drop(state);
                let registered = register(propose);
                state = self.lock();
                state.registering = false;
                self.changed.notify_all();
                state.session = Some(registered?);
                continue;
            }
            if deadline.passed() {
                let why = "too many commands of this client are under way";
                return Err(StoreError::NotDone(why.into()));
            }
            state = wait_until(&self.changed, state, deadline);
        }
    }

    /// The command will not be sent again; `lost` if the cluster no longer knows the session.
    pub(super) fn end(&self, begun: &Begun, lost: bool) {
        let mut state = self.lock();
        // Another thread may have noticed that it is lost, and have begun a new one.
        if let Some(session) = &mut state.session {
            if session.client() == begun.client {
                session.end(begun.sequence);
                if lost {
                    state.session = None;
                }
            }
        }
        drop(state);
        self.changed.notify_all();
    }
}

/// Begins a session. A retry may begin a second one: the unused one expires.
fn register(propose: Propose<'_>) -> Result<ClientSession, StoreError> {
    let request = wire::encode(&Request::Register).map_err(super::not_sent)?;
    match propose(&request).map(|ran| ran.value) {
        Ok(Answer::Registered(client)) => Ok(ClientSession::new(client)),
        Ok(other) => Err(StoreError::NotDone(format!(
            "no session was given: {other:?}"
        ))),
        // The command itself was not sent yet.
        Err(StoreError::Unknown(why)) => Err(StoreError::NotDone(why)),
        Err(error) => Err(error),
    }
}

#[cfg(test)]
mod tests {
    use std::sync::mpsc;
    use std::thread;
    use std::time::Duration;

    use super::*;

    #[test]
    fn a_command_without_a_deadline_waits_for_its_place_in_the_window() {
        let mut full = ClientSession::new(7);
        let count = std::iter::from_fn(|| full.begin(Limits::default().window)).count() as u64;
        let session = Session::default();
        session.lock().session = Some(full);
        let (tell, told) = mpsc::channel();
        thread::scope(|scope| {
            scope.spawn(|| {
                let begun = session.begin(Deadline::NEVER, b"x", &|_| unreachable!());
                tell.send(begun.map(|begun| begun.sequence))
            });
            let early = told.recv_timeout(Duration::from_millis(50));
            assert_eq!(early, Err(mpsc::RecvTimeoutError::Timeout));
            let first = Begun {
                client: 7,
                sequence: 1,
                request: Vec::new(),
            };
            session.end(&first, false);
            assert_eq!(told.recv(), Ok(Ok(count + 1)));
        });
    }
}
