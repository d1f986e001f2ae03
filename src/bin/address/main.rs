//! Says what an address is: its family, its class, its network, its name in the DNS. Looks nothing up.
//!
//! Reading order: `value` (what a text may be), `facts` (what is printed about it).
#![forbid(unsafe_code)]

mod facts;
mod value;

use std::io::{self, Read};
use std::process::ExitCode;

use groundwire::cli::json;
use groundwire::cli::{self, Args, Failure, Opt, Out, Spec, What};
use groundwire::net::LineBuffer;
use value::Value;

const SPEC: Spec = Spec {
    name: "address",
    about: "Say what an address is: family, class, network, reverse name.",
    usage: &["[OPTION]... VALUE..."],
    operands: &[(
        "VALUE",
        "an IP address, ADDRESS/LENGTH, HOST:PORT, or a name; - for lines of standard input",
    )],
    options: &[Opt::flag("json", "print a JSON array of objects").short('j')],
    statuses: Some(
        "0 done, 1 failed or a value is not an address (the others are still printed), \
         2 called wrongly",
    ),
    epilogue: "Nothing is looked up: a name is only recognized as a name.\n\n\
               Examples:\n  address 10.1.2.3/8 fe80::1%eth0 [::1]:http\n\
               \x20 interfaces | grep -o '[^ ]*/[0-9]*' | address -",
};

/// The longest line of standard input, in bytes; every address is much shorter.
const MAX_LINE: usize = 4096;

fn main() -> ExitCode {
    cli::run(&SPEC, tell)
}

fn tell(args: Args) -> Result<(), Failure> {
    args.at_least(1)?;
    let mut told = Told {
        out: Out::lines(),
        json: args.flag("json").then(Vec::new),
        bad: false,
    };
    for text in args.texts(0, "VALUE") {
        match text? {
            "-" => each_line(|line| told.value(line))?,
            text => told.value(text)?,
        }
    }
    if let Some(objects) = told.json {
        told.out.line(json::array(objects))?;
    }
    match told.bad {
        true => Err(Failure::Quiet(1)),
        false => Ok(()),
    }
}

struct Told {
    out: Out,
    /// The objects so far, when JSON is wanted.
    json: Option<Vec<String>>,
    bad: bool,
}

impl Told {
    fn value(&mut self, text: &str) -> Result<(), Failure> {
        let facts = match text.parse::<Value>() {
            Ok(value) => facts::of(&value),
            Err(error) => {
                self.bad = true;
                cli::complain(&SPEC, error);
                return Ok(());
            }
        };
        match &mut self.json {
            Some(objects) => objects.push(facts::object(text, &facts)),
            None => self.out.line(facts::paragraph(text, &facts))?,
        }
        Ok(())
    }
}

/// Calls `each` for every line that is not empty, without the space around it.
fn each_line(mut each: impl FnMut(&str) -> Result<(), Failure>) -> Result<(), Failure> {
    let (mut input, mut lines) = (io::stdin().lock(), LineBuffer::new(MAX_LINE));
    let mut tell = |line: &[u8]| match String::from_utf8_lossy(line).trim() {
        "" => Ok(()),
        text => each(text),
    };
    loop {
        let room = lines.spare().what("standard input")?;
        let count = input.read(room).what("standard input")?;
        lines.filled(count);
        while let Some(line) = lines.next_line() {
            tell(line)?;
        }
        if count == 0 {
            return tell(lines.rest());
        }
    }
}
