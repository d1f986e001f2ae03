//! What the command line asks for, and the lines of `--list` and `--stats`.

use groundwire::cli::{Args, UsageError};
use groundwire::echo::printable;
use groundwire::rpc::{MethodCount, MethodInfo, Signed};

/// What is to be asked of the server.
pub enum Request {
    List,
    Stats,
    Add(Signed, Signed),
    Subtract(Signed, Signed),
    Sleep(u64),
    Count(u64, u64),
    /// A method that takes no arguments, or that only the server knows.
    Other(String),
}

impl Request {
    /// The name of what is called.
    pub fn method(&self) -> &str {
        match self {
            Request::List => "Server.Methods",
            Request::Stats => "Server.Stats",
            Request::Add(..) => "Calculator.Add",
            Request::Subtract(..) => "Calculator.Subtract",
            Request::Sleep(_) => "Calculator.Sleep",
            Request::Count(..) => "Calculator.Count",
            Request::Other(name) => name,
        }
    }
}

/// Reads the operands after the address, from `first` on.
pub fn read(args: &Args, first: usize) -> Result<Request, UsageError> {
    match (args.flag("list"), args.flag("stats")) {
        (true, true) => return Err(UsageError::rule("--list and --stats exclude each other")),
        (true, false) => return args.at_most(first).map(|()| Request::List),
        (false, true) => return args.at_most(first).map(|()| Request::Stats),
        (false, false) => {}
    }
    let method = args.operand(first, "SERVICE.METHOD")?;
    let (a, b) = (first + 1, first + 2);
    let request = match method {
        "Calculator.Add" => Request::Add(args.parse_operand(a, "A")?, args.parse_operand(b, "B")?),
        "Calculator.Subtract" => {
            Request::Subtract(args.parse_operand(a, "A")?, args.parse_operand(b, "B")?)
        }
        "Calculator.Sleep" => Request::Sleep(args.parse_operand(a, "MILLISECONDS")?),
        "Calculator.Count" => {
            Request::Count(args.parse_operand(a, "FROM")?, args.parse_operand(b, "TO")?)
        }
        "Server.Methods" => Request::List,
        "Server.Stats" => Request::Stats,
        name if name.split('.').filter(|part| !part.is_empty()).count() >= 2 => {
            Request::Other(name.to_string())
        }
        name => {
            let why = "expected both names, as Calculator.Add";
            return Err(UsageError::bad_value("SERVICE.METHOD", name, why));
        }
    };
    args.at_most(match request {
        Request::Add(..) | Request::Subtract(..) | Request::Count(..) => first + 3,
        Request::Sleep(_) => first + 2,
        Request::Other(_) if method != "Server.Quit" && args.operands().len() > a => {
            let why = "its arguments are not known here; it can be called without";
            return Err(UsageError::bad_value("SERVICE.METHOD", method, why));
        }
        Request::Other(_) | Request::List | Request::Stats => first + 1,
    })?;
    Ok(request)
}

/// A line of `--list`.
pub fn listed(method: &MethodInfo) -> String {
    let traits = [
        (method.repeatable, "repeatable"),
        (method.slow, "slow"),
        (method.stream, "stream"),
    ];
    let traits: Vec<&str> = traits
        .iter()
        .filter_map(|(has, name)| has.then_some(*name))
        .collect();
    let name = printable(method.name.as_bytes());
    let line = format!("{name:24} {}", traits.join(", "));
    line.trim_end().to_string()
}

/// A line of `--stats`.
pub fn counted(count: &MethodCount) -> String {
    let micros = |nanos: u64| nanos as f64 / 1e3;
    format!(
        "{:24} calls {}, failed {}, refused {}, p50 {:.1} us, p99 {:.1} us",
        printable(count.name.as_bytes()),
        count.calls,
        count.failed,
        count.refused.unwrap_or(0),
        micros(count.p50_ns),
        micros(count.p99_ns)
    )
}
