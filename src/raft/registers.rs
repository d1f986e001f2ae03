//! A small state machine for lessons and for the simulation: registers that have names.
//!
//! `key` holds `value`, both text; there are four commands. The key-value store of `kv` adds
//! revisions, watches and limits.

use std::collections::BTreeMap;

use super::entry::Index;
use super::machine::{BadSnapshot, StateMachine};
use super::packing::{Packer, Unpacker};
use crate::wire;

crate::wire! {
    /// What the registers are asked.
    #[derive(Clone, Debug, PartialEq, Eq)]
    pub enum Ask {
        /// What does it hold?
        Get {
            /// Which register.
            key: String
        },
        /// Hold this.
        Put {
            /// Which register.
            key: String,
            /// What from now on.
            value: String
        },
        /// Hold nothing.
        Delete {
            /// Which register.
            key: String
        },
        /// Hold `value` if it holds `expected` now; `None` stands for nothing.
        CompareAndSwap {
            /// Which register.
            key: String,
            /// What it must hold.
            expected: Option<String>,
            /// What from now on.
            value: String
        },
    }

    /// What they say.
    #[derive(Clone, Debug, PartialEq, Eq)]
    pub enum Say {
        /// To `Get`: what the register holds.
        Holds(Option<String>),
        /// To `Put`, `Delete`, and to `CompareAndSwap` when it swapped.
        Done,
        /// To `CompareAndSwap`: the register holds something else, this.
        Differs(Option<String>),
        /// The command's bytes make no sense.
        Malformed,
    }
}

/// The registers.
#[derive(Clone, Debug, Default, PartialEq, Eq)]
pub struct Registers(BTreeMap<String, String>);

impl Registers {
    /// What a register holds.
    pub fn get(&self, key: &str) -> Option<&str> {
        self.0.get(key).map(String::as_str)
    }

    /// Does what it is asked.
    pub fn ask(&mut self, ask: Ask) -> Say {
        match ask {
            Ask::Get { key } => return Say::Holds(self.0.get(&key).cloned()),
            Ask::Put { key, value } => self.0.insert(key, value),
            Ask::Delete { key } => self.0.remove(&key),
            Ask::CompareAndSwap {
                key,
                expected,
                value,
            } => match self.0.get(&key) {
                now if now == expected.as_ref() => self.0.insert(key, value),
                now => return Say::Differs(now.cloned()),
            },
        };
        Say::Done
    }
}

impl StateMachine for Registers {
    fn apply(&mut self, _: Index, command: &[u8]) -> Vec<u8> {
        let said = match wire::decode(command) {
            Ok(ask) => self.ask(ask),
            Err(_) => Say::Malformed,
        };
        // A register holds no more than one command brought, so the reply fits into a message.
        wire::encode(&said).unwrap_or_default()
    }

    fn snapshot(&self) -> Vec<u8> {
        let mut packer = Packer::default();
        packer.number(self.0.len() as u64);
        for (key, value) in &self.0 {
            packer.bytes(key.as_bytes());
            packer.bytes(value.as_bytes());
        }
        packer.end()
    }

    fn restore(&mut self, data: &[u8]) -> Result<(), BadSnapshot> {
        let mut unpacker = Unpacker::new(data);
        let mut registers = BTreeMap::new();
        for _ in 0..unpacker.number()? {
            let (key, value) = (unpacker.text()?, unpacker.text()?);
            registers.insert(key.to_string(), value.to_string());
        }
        unpacker.end()?;
        self.0 = registers;
        Ok(())
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    fn text(text: &str) -> String {
        text.into()
    }

    fn put(key: &str, value: &str) -> Ask {
        Ask::Put {
            key: text(key),
            value: text(value),
        }
    }

    #[test]
    fn a_register_holds_what_was_put_until_it_is_deleted() {
        let mut registers = Registers::default();
        let mut apply = |ask: Ask| {
            let said = registers.apply(1, &wire::encode(&ask).unwrap());
            wire::decode::<Say>(&said).unwrap()
        };
        let get = Ask::Get { key: text("k") };
        assert_eq!(apply(get.clone()), Say::Holds(None));
        assert_eq!(apply(put("k", "v")), Say::Done);
        assert_eq!(apply(get.clone()), Say::Holds(Some(text("v"))));
        assert_eq!(apply(Ask::Delete { key: text("k") }), Say::Done);
        assert_eq!(apply(get), Say::Holds(None));
    }

    #[test]
    fn a_swap_is_done_only_where_what_is_held_was_expected() {
        let mut registers = Registers::default();
        let mut swap = |expected: Option<&str>, value: &str| {
            registers.ask(Ask::CompareAndSwap {
                key: text("k"),
                expected: expected.map(text),
                value: text(value),
            })
        };
        assert_eq!(swap(Some("a"), "b"), Say::Differs(None));
        assert_eq!(swap(None, "a"), Say::Done);
        assert_eq!(swap(None, "b"), Say::Differs(Some(text("a"))));
        assert_eq!(swap(Some("a"), "b"), Say::Done);
        assert_eq!(registers.get("k"), Some("b"));
    }

    #[test]
    fn bytes_that_are_no_command_change_nothing() {
        let mut registers = Registers::default();
        registers.ask(put("k", "v"));
        let said = registers.apply(1, b"?");
        assert_eq!(wire::decode::<Say>(&said).unwrap(), Say::Malformed);
        assert_eq!(registers.get("k"), Some("v"));
    }

    #[test]
    fn equal_registers_have_equal_snapshots_which_restore_them() {
        let (mut one, mut other) = (Registers::default(), Registers::default());
        one.ask(put("a", "1"));
        one.ask(put("b", "2"));
        other.ask(put("b", "2"));
        other.ask(put("a", "1"));
        assert_eq!(one.snapshot(), other.snapshot());
        let mut third = Registers::default();
        third.restore(&one.snapshot()).unwrap();
        assert_eq!(third, one);
        let cut = one.snapshot();
        assert!(third.restore(&cut[..cut.len() - 1]).is_err());
        assert_eq!(third, one, "an error leaves it as it was");
    }
}
