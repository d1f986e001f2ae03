//! Go's gob, in a process of its own that measures when it is asked to, in turn with the others.

use std::cell::RefCell;
use std::io::{BufRead, BufReader, Write};
use std::process::{ChildStdin, ChildStdout, Command, Stdio};
use std::rc::Rc;

use crate::codecs::{Codec, Operation};

type Ends = (ChildStdin, BufReader<ChildStdout>);

/// The running program: `rpc-go gob`.
pub struct Gob {
    ends: Rc<RefCell<Ends>>,
    bytes: [usize; 2],
}

impl Gob {
    pub fn start(program: &str) -> Self {
        let child = Command::new(program).arg("gob").stdin(Stdio::piped()).stdout(Stdio::piped()).spawn();
        let mut child = child.unwrap_or_else(|error| panic!("{program}: {error}"));
        let mut ends = (child.stdin.take().unwrap(), BufReader::new(child.stdout.take().unwrap()));
        let mut line = String::new();
        ends.1.read_line(&mut line).unwrap();
        let mut sizes = line.split_whitespace().map(|size| size.parse().unwrap());
        Self { bytes: [sizes.next().unwrap(), sizes.next().unwrap()], ends: Rc::new(RefCell::new(ends)) }
    }

    pub fn codec(&self, what: &'static str) -> Codec {
        let ask = |operation: &'static str| {
            let ends = self.ends.clone();
            Operation::There(Box::new(move || {
                let (stdin, stdout) = &mut *ends.borrow_mut();
                writeln!(stdin, "{what} {operation}").unwrap();
                let mut line = String::new();
                stdout.read_line(&mut line).unwrap();
                line.trim().parse().unwrap()
            }))
        };
        Codec {
            name: "Go gob, types sent before",
            bytes: self.bytes[usize::from(what == "logs")],
            operations: [Operation::None, ask("encode"), ask("decode"), Operation::None],
        }
    }
}
