//! Calls a method of `rpc-server` and prints its reply.
#![forbid(unsafe_code)]

mod request;

use std::process::ExitCode;
use std::time::Duration;

use groundwire::cli::{self, Args, DurationArg, Failure, Opt, Out, Spec, UsageError};
use groundwire::echo::printable;
use groundwire::net::{Dialer, HostPort, Network, Services, Transport, split_host_port};
use groundwire::rpc::{
    CalculatorClient, CallError, Caller, ClientConfig, Failure as Refusal, MethodCount, MethodInfo,
    MethodName, ReconnectConfig, Reconnecting, flags,
};
use request::Request;

const SPEC: Spec = Spec {
    name: "rpc-client",
    about: "Call a method by name, and print its reply.",
    usage: &[
        "[OPTION]... HOST:PORT SERVICE.METHOD [ARG]...",
        "[OPTION]... --unix PATH SERVICE.METHOD [ARG]...",
        "[OPTION]... --list|--stats HOST:PORT",
    ],
    operands: &[
        ("HOST:PORT", "the server"),
        ("SERVICE.METHOD", "what to call, as Calculator.Add"),
        ("ARG", "its arguments"),
    ],
    options: &[
        Opt::value(
            "unix",
            "PATH",
            "the server's Unix socket, instead of HOST:PORT",
        ),
        Opt::flag("list", "show all methods and their properties").short('l'),
        Opt::flag("stats", "show how often each was called, and its times").short('s'),
        Opt::value(
            "timeout",
            "TIME",
            "wait this long to connect, and for the call",
        )
        .short('t')
        .default("10s"),
        Opt::flag("retry", "try again, up to 5 times, where that is safe").short('r'),
        flags::SECRET_FILE,
    ],
    statuses: None,
    epilogue: "Calculator.Add and Subtract take two whole numbers, Sleep takes milliseconds,\n\
               Count takes the first number and the last. All other methods are called\n\
               without arguments.\n\n\
               Examples:\n  rpc-client localhost:7200 Calculator.Add -17 18\n  \
               rpc-client --list localhost:7200",
};

fn main() -> ExitCode {
    cli::run(&SPEC, run)
}

fn run(args: Args) -> Result<(), Failure> {
    let (network, address, first) = match args.value("unix") {
        Some(path) => (Network::Unix, path, 0),
        None => (Network::Tcp, address(&args)?, 1),
    };
    let request = request::read(&args, first)?;
    let timeout = args.parse::<DurationArg>("timeout")?.get();
    if timeout.is_zero() {
        return Err(UsageError::bad_value("--timeout", "0", "must not be zero").into());
    }
    let config = ReconnectConfig {
        tries: if args.flag("retry") { 5 } else { 1 },
        dialer: Dialer {
            timeout: Some(timeout),
            ..Dialer::default()
        },
        client: ClientConfig {
            time: Some(timeout),
            write_timeout: timeout,
            secret: flags::secret(&args)?,
            ..ClientConfig::default()
        },
        ..ReconnectConfig::default()
    };
    let known = config.client.secret.is_some();
    let server = Reconnecting::new(network, address, config);
    make(&server, &request).map_err(|end| match end {
        End::Out(failure) => failure,
        End::Call(error) => {
            // A server's text must not control the terminal.
            Failure::Failed(printable(told(&request, timeout, known, &error).as_bytes()))
        }
    })
}

/// The address, checked as far as possible before anything is sent.
fn address(args: &Args) -> Result<&str, UsageError> {
    let address = args.operand(0, "HOST:PORT")?;
    let (_, port) = split_host_port(address).map_err(UsageError::rule)?;
    if port.bytes().all(|byte| byte.is_ascii_digit()) {
        // A port with a name is looked up later, in the system's table of services.
        HostPort::parse(address, Transport::Tcp, &Services::builtin()).map_err(UsageError::rule)?;
    }
    Ok(address)
}

/// How a request fails.
enum End {
    Call(CallError),
    Out(Failure),
}

impl From<CallError> for End {
    fn from(error: CallError) -> Self {
        End::Call(error)
    }
}

impl From<Failure> for End {
    fn from(failure: Failure) -> Self {
        End::Out(failure)
    }
}

/// Makes the request, and prints the replies.
fn make(server: &Reconnecting, request: &Request) -> Result<(), End> {
    let out = Out::lines();
    let calculator = CalculatorClient(server);
    match request {
        Request::List => {
            let methods: Vec<MethodInfo> = server.call_method(about("Server.Methods"), &())?;
            for method in methods {
                out.line(request::listed(&method))?;
            }
        }
        Request::Stats => {
            let counts: Vec<MethodCount> = server.call_method(about("Server.Stats"), &())?;
            for count in counts {
                out.line(request::counted(&count))?;
            }
        }
        Request::Add(a, b) => out.line(format_args!("Reply (Add): {}", calculator.add(a, b)?))?,
        Request::Subtract(a, b) => {
            let difference = calculator.subtract(a, b)?;
            out.line(format_args!("Reply (Subtract): {difference}"))?;
        }
        Request::Sleep(millis) => {
            calculator.pause(millis)?;
            out.line("Reply (Sleep): done")?;
        }
        Request::Count(from, to) => {
            for item in calculator.count(from, to)? {
                out.line(format_args!("Item (Count): {}", item?))?;
            }
            out.line("Reply (Count): done")?;
        }
        Request::Other(name) => {
            // Unknown here, so not repeated; the server's answer is shown, whatever it is.
            server.client()?.call::<_, ()>(name, &())?;
            let method = name.rsplit('.').next().unwrap_or(name);
            out.line(format_args!("Reply ({method}): done"))?;
        }
    }
    Ok(())
}

fn about(name: &'static str) -> MethodName {
    MethodName {
        name,
        repeatable: true,
    }
}

/// What failed, in one line; `known` is whether we know a secret.
fn told(request: &Request, timeout: Duration, known: bool, error: &CallError) -> String {
    let method = request.method();
    match error {
        // `why` already says what was attempted, and with which peer.
        CallError::Disconnected { why, sent: false } => why.clone(),
        CallError::Disconnected { why, .. } => {
            format!("{why}; whether {method} was run is not known")
        }
        CallError::Failed(Refusal::Unauthenticated) if !known => {
            format!("calling {method}: the server asks for a secret")
        }
        // Either side may have noticed first.
        CallError::DeadlineExceeded | CallError::Failed(Refusal::DeadlineExceeded) => {
            format!("calling {method}: no reply within {timeout:?}")
        }
        other => format!("calling {method}: {other}"),
    }
}
