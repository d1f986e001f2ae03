//! The registry: which code serves which command.
//!
//! A clone is another handle to the same registry, so a program keeps one and adds commands while
//! the server serves. The lock is held for the look-up only, never while a command runs.

use std::collections::BTreeMap;
use std::fmt;
use std::sync::{Arc, PoisonError, RwLock};

use super::THANKS;
use super::call::Call;
use super::fault::Fault;
use super::name::{BadName, Name};
use super::record::{Message, Record};
use crate::net::Addr;

/// Serves a command: reads its payload, writes its reply. Implemented by functions and closures.
///
/// It must read exactly its payload, because the rest would be taken for the next command. An
/// error, or a panic, ends this connection and no other.
pub trait Command: Send + Sync {
    /// Serves one call. Blocks while the payload arrives.
    fn run(&self, call: &mut Call<'_>) -> Result<Next, Fault>;
}

/// What follows a command.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum Next {
    /// Another command.
    Command,
    /// The end of the connection, after the replies.
    End,
}

impl<F> Command for F
where
    F: Fn(&mut Call<'_>) -> Result<Next, Fault> + Send + Sync,
{
    fn run(&self, call: &mut Call<'_>) -> Result<Next, Fault> {
        self(call)
    }
}

/// Commands by name; all clones share them.
#[derive(Clone, Default)]
pub struct Commands {
    by_name: Arc<RwLock<BTreeMap<Name, Arc<dyn Command>>>>,
}

impl Commands {
    /// No command.
    pub fn new() -> Self {
        Self::default()
    }

    /// `STRING` and `STRUCT`: each passes the peer and what it received to `received`, and replies
    /// `Thank you.`.
    pub fn built_in(received: impl Fn(&Addr, Message<'_>) + Send + Sync + 'static) -> Self {
        let commands = Self::new();
        let received = Arc::new(received);
        let seen = received.clone();
        commands.set("STRING", move |call: &mut Call<'_>| {
            let text = call.text()?;
            received(call.peer(), Message::Text(&text));
            call.reply(THANKS)?;
            Ok(Next::Command)
        });
        commands.set("STRUCT", move |call: &mut Call<'_>| {
            let record: Record = call.message()?;
            seen(call.peer(), Message::Record(&record));
            call.reply(THANKS)?;
            Ok(Next::Command)
        });
        commands
    }

    fn set(&self, name: &str, command: impl Command + 'static) {
        // The names above are well formed; a test says so.
        let _ = self.register(name, command);
    }

    /// Adds a command, also while serving; an existing one of the same name is replaced and
    /// returned. A call that has begun continues with the old command.
    pub fn register(
        &self,
        name: &str,
        command: impl Command + 'static,
    ) -> Result<Option<Arc<dyn Command>>, BadName> {
        let name = name.parse()?;
        let mut by_name = self.by_name.write().unwrap_or_else(PoisonError::into_inner);
        Ok(by_name.insert(name, Arc::new(command)))
    }

    /// Removes a command and returns it.
    pub fn remove(&self, name: &str) -> Option<Arc<dyn Command>> {
        let mut by_name = self.by_name.write().unwrap_or_else(PoisonError::into_inner);
        by_name.remove(name)
    }

    /// The command of this name.
    pub fn find(&self, name: &str) -> Option<Arc<dyn Command>> {
        let by_name = self.by_name.read().unwrap_or_else(PoisonError::into_inner);
        by_name.get(name).cloned()
    }

    /// The names, in order.
    pub fn names(&self) -> Vec<Name> {
        let by_name = self.by_name.read().unwrap_or_else(PoisonError::into_inner);
        by_name.keys().cloned().collect()
    }
}

impl fmt::Debug for Commands {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.debug_tuple("Commands").field(&self.names()).finish()
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    fn names(commands: &Commands) -> Vec<String> {
        commands.names().iter().map(Name::to_string).collect()
    }

    fn nothing(_: &mut Call<'_>) -> Result<Next, Fault> {
        Ok(Next::Command)
    }

    #[test]
    fn the_built_in_commands_are_string_and_struct() {
        assert_eq!(names(&Commands::built_in(|_, _| ())), ["STRING", "STRUCT"]);
    }

    #[test]
    fn a_clone_is_the_same_registry() {
        let commands = Commands::new();
        let clone = commands.clone();
        assert!(clone.register("B", nothing).unwrap().is_none());
        assert!(clone.register("A", nothing).unwrap().is_none());
        assert_eq!(names(&commands), ["A", "B"]);
        assert!(commands.find("A").is_some() && commands.find("a").is_none());
        assert!(commands.register("A", nothing).unwrap().is_some());
        assert!(commands.remove("A").is_some() && commands.remove("A").is_none());
        assert_eq!(names(&clone), ["B"]);
    }

    #[test]
    fn a_command_needs_a_name() {
        let refused = Commands::new().register("MY COMMAND", nothing);
        let space = BadName::Byte { at: 2, byte: b' ' };
        assert_eq!(refused.err(), Some(space));
    }
}
