//! The cases against the load balancer, over sockets: a client that sends raw bytes on one side, a
//! recording backend on the other. Each case has a proxy process of its own, so that nothing of one
//! is seen in another, and what the backend got is known to the last byte when the process has ended.

use std::fs;
use std::io::{BufRead, BufReader, Read, Write};
use std::net::{Shutdown, TcpStream};
use std::process::{Child, Command, Stdio};
use std::sync::Mutex;
use std::thread;

use crate::cases::{self, Case, Outcome, Verb};
use crate::judges;
use crate::plain::{self, Plain};
use crate::recording::{Answer, Backend, Record};
use crate::support::{Folder, PATIENCE};

/// Comes after each case whose connection should go on.
const PROBE: &[u8] = b"GET /probe HTTP/1.1\r\nHost: probe\r\nConnection: close\r\n\r\n";
/// How many cases run at the same time.
const WORKERS: usize = 4;

pub struct Proxy {
    child: Child,
    address: String,
    _folder: Option<Folder>,
}

impl Proxy {
    /// The load balancer in front of this backend, as the case wants it.
    pub fn start(program: &str, backend: &str, case: &Case) -> Self {
        let mut command = Command::new(program);
        let folder = (!case.file.is_empty()).then(Folder::new);
        if let Some(folder) = &folder {
            let begin = format!("listen 127.0.0.1:0\nbackend http://{backend}\n");
            let path = folder.path("load-balancer.conf");
            fs::write(&path, begin + &case.file.join("\n")).unwrap();
            command.args(["--config", &path]);
        } else {
            command.args(["--listen", "127.0.0.1:0", "--backend"]);
            command.arg(format!("http://{backend}")).args(&case.flags);
        }
        let mut child = command.stdout(Stdio::piped()).spawn().unwrap();
        let mut line = String::new();
        let stdout = child.stdout.as_mut().unwrap();
        BufReader::new(stdout).read_line(&mut line).unwrap();
        let address = line.trim_end().rsplit(' ').next().unwrap().to_string();
        assert!(address.contains(':'), "{}: it did not start", case.place);
        Self {
            child,
            address,
            _folder: folder,
        }
    }

    /// Sends these bytes, and the end of them if `is_whole`; returns what came up to the end of the
    /// connection, or nothing when it does not end.
    pub fn ask(&self, bytes: &[u8], is_whole: bool) -> Option<Vec<u8>> {
        let mut conn = TcpStream::connect(&self.address).unwrap();
        conn.set_read_timeout(Some(PATIENCE)).unwrap();
        conn.set_write_timeout(Some(PATIENCE)).unwrap();
        // A refusal may come and close before all was sent.
        let _ = conn.write_all(bytes);
        if is_whole {
            let _ = conn.shutdown(Shutdown::Write);
        }
        let (mut heard, mut buffer) = (Vec::new(), [0; 16 * 1024]);
        loop {
            match conn.read(&mut buffer) {
                Ok(0) => return Some(heard),
                Ok(length) => heard.extend_from_slice(&buffer[..length]),
                Err(error) if error.kind() == std::io::ErrorKind::ConnectionReset => {
                    return Some(heard);
                }
                Err(_) => return None,
            }
        }
    }
}

impl Drop for Proxy {
    fn drop(&mut self) {
        let _ = self.child.kill();
        let _ = self.child.wait();
    }
}

/// The program, once this package has it.
fn program() -> Option<&'static str> {
    let program = option_env!("CARGO_BIN_EXE_load-balancer");
    if program.is_none() {
        println!("skipped: there is no load-balancer yet");
    }
    program
}

fn goes_on(case: &Case) -> bool {
    let last = case.outcomes.last().map(|outcome| &outcome.verb);
    matches!(last, Some(Verb::Forwarded(..) | Verb::Answered(_)))
}

/// The methods of the requests that get an answer, in order.
fn methods(case: &Case) -> Vec<String> {
    let mut methods = Vec::new();
    for outcome in &case.outcomes {
        match &outcome.verb {
            Verb::Forwarded(method, _) => methods.push(method.clone()),
            Verb::Refused(_) | Verb::Cut(_) | Verb::Answered(_) | Verb::Ended => {
                methods.push("GET".into());
            }
            _ => {}
        }
    }
    if goes_on(case) {
        methods.push("GET".into());
    }
    methods
}

/// What came of a request case.
struct Run {
    heard: Vec<u8>,
    record: Record,
}

fn run(program: &str, case: &Case) -> Result<Run, String> {
    let backend = Backend::start(Answer::Ok);
    let proxy = Proxy::start(program, &backend.address, case);
    let mut bytes = case.bytes.clone();
    if goes_on(case) {
        bytes.extend_from_slice(PROBE);
    }
    let ends = case.outcomes.iter().any(|o| o.verb == Verb::Ended);
    let heard = proxy.ask(&bytes, ends);
    drop(proxy);
    let record = backend.finish();
    same("written to the backend", &record.faults, &Vec::new())?;
    let heard = heard.ok_or("the connection was not closed")?;
    Ok(Run { heard, record })
}

fn read(heard: &[u8], methods: &[String]) -> Result<(Vec<Plain>, usize), String> {
    plain::responses(heard, methods).map_err(|fault| format!("{fault:?}"))
}

fn request_fault(case: &Case, run: &Run) -> Result<(), String> {
    let (answers, left) = read(&run.heard, &methods(case))?;
    same("bytes after the answers", &left, &0)?;
    let answers = answers.iter().filter(|answer| answer.status() >= 200);
    let mut statuses = answers.map(Plain::status);
    let mut seen = run.record.requests.iter();
    let mut may_be_incomplete = false;
    for outcome in &case.outcomes {
        match &outcome.verb {
            Verb::Forwarded(method, target) => {
                let said = || String::from_utf8_lossy(&run.heard).into_owned();
                let seen = seen.next();
                let seen = seen.ok_or_else(|| format!("not forwarded: {}", said()))?;
                is_forwarded(method, target, outcome, seen)?;
                same("status", &statuses.next(), &Some(200))?;
            }
            Verb::Refused(status) | Verb::Answered(status) => {
                same("status", &statuses.next(), &Some(*status))?;
            }
            Verb::Cut(status) => {
                may_be_incomplete = true;
                same("status", &statuses.next(), &Some(*status))?;
            }
            Verb::Ended => {
                may_be_incomplete = true;
                let is_good = statuses.next().is_some_and(|status| status < 400);
                same("a good answer", &is_good, &false)?;
            }
            Verb::Closed => {}
            other => return Err(format!("{other:?} of a request")),
        }
    }
    if goes_on(case) {
        let probe = seen.next().map(|plain| plain.word(1).to_string());
        same("the probe", &probe.as_deref(), &Some("/probe"))?;
        same("its status", &statuses.next(), &Some(200))?;
    }
    same("a request more", &seen.next(), &None)?;
    same("an answer more", &statuses.next(), &None)?;
    match may_be_incomplete {
        true => Ok(()),
        false => same("incomplete", &run.record.incomplete, &Vec::new()),
    }
}

fn is_forwarded(method: &str, target: &[u8], of: &Outcome, seen: &Plain) -> Result<(), String> {
    same("method", &seen.word(0), &method)?;
    same("target", &seen.word(1).as_bytes(), &target)?;
    // A proxy's messages are of its own version (RFC 9110 §6.2).
    same("version", &seen.word(2), &"HTTP/1.1")?;
    same("Host lines", &seen.values("Host").len(), &1)?;
    fits(of, seen)
}

/// Compares content, trailers, and the field lines that the case names.
fn fits(outcome: &Outcome, plain: &Plain) -> Result<(), String> {
    same("content", &plain.body, &outcome.body)?;
    let lower = |trailers: &[(String, Vec<u8>)]| -> Vec<(String, Vec<u8>)> {
        let lower = |(name, value): &(String, Vec<u8>)| (name.to_lowercase(), value.clone());
        trailers.iter().map(lower).collect()
    };
    same(
        "trailers",
        &lower(&plain.trailers),
        &lower(&outcome.trailers),
    )?;
    for name in &outcome.lacks {
        same(name, &plain.values(name), &Vec::new())?;
    }
    for (name, value) in &outcome.has {
        let same_name = |field: &&(String, Vec<u8>)| field.0 == *name;
        let expected = outcome.has.iter().filter(same_name).count();
        let values = plain.values(name);
        let is_there = values.contains(&&value[..]) && values.len() == expected;
        same(&format!("{name}: {values:?}"), &is_there, &true)?;
    }
    Ok(())
}

fn same<T: PartialEq + std::fmt::Debug>(what: &str, got: &T, expected: &T) -> Result<(), String> {
    match got == expected {
        true => Ok(()),
        false => Err(format!("{what}: {got:?} and not {expected:?}")),
    }
}

/// Runs a check on all cases, some at a time; the faults, in the order of the cases.
fn check_all(cases: &[Case], check: impl Fn(&Case) -> Result<(), String> + Sync) {
    let next = Mutex::new(cases.iter().enumerate());
    let faults = Mutex::new(Vec::new());
    thread::scope(|scope| {
        for _ in 0..WORKERS {
            scope.spawn(|| {
                loop {
                    let taken = next.lock().unwrap().next();
                    let Some((index, case)) = taken else { return };
                    if let Err(fault) = check(case) {
                        let fault: String = fault.chars().take(400).collect();
                        let fault = format!("{} {}: {fault}", case.place, case.name);
                        faults.lock().unwrap().push((index, fault));
                    }
                }
            });
        }
    });
    let mut faults = faults.into_inner().unwrap();
    faults.sort();
    let lines: Vec<String> = faults.into_iter().map(|(_, fault)| fault).collect();
    assert!(lines.is_empty(), "\n{}", lines.join("\n"));
}

#[test]
fn every_request_reaches_the_backend_or_does_not_as_its_case_says() {
    let Some(program) = program() else { return };
    let (sent, heard) = (Mutex::new(Vec::new()), Mutex::new(Vec::new()));
    check_all(&cases::requests(), |case| {
        let run = run(program, case)?;
        request_fault(case, &run)?;
        let whole = run.record.connections.into_iter();
        let whole = whole.filter(|_| run.record.incomplete.is_empty());
        sent.lock().unwrap().extend(whole.map(|(bytes, _)| bytes));
        let answered = methods(case);
        let (found, _) = read(&run.heard, &answered)?;
        if found.len() == answered.len() {
            heard.lock().unwrap().push((answered, run.heard));
        }
        Ok(())
    });
    judges::agree_on_requests(&sent.into_inner().unwrap());
    judges::agree_on_responses(&heard.into_inner().unwrap());
}

#[test]
fn every_response_reaches_the_client_or_does_not_as_its_case_says() {
    let Some(program) = program() else { return };
    let heard = Mutex::new(Vec::new());
    check_all(&cases::responses(), |case| {
        let bytes = response_fault(program, case)?;
        if case
            .outcomes
            .iter()
            .all(|outcome| outcome.verb != Verb::Broken)
        {
            heard
                .lock()
                .unwrap()
                .push((vec![case.asked.clone()], bytes));
        }
        Ok(())
    });
    judges::agree_on_responses(&heard.into_inner().unwrap());
}

/// Asks twice, the second time on another connection; what the first client heard.
fn response_fault(program: &str, case: &Case) -> Result<Vec<u8>, String> {
    let backend = Backend::start(Answer::Bytes {
        bytes: case.bytes.clone(),
        closes: case.closes,
    });
    let proxy = Proxy::start(program, &backend.address, case);
    let method = &case.asked;
    let request = format!("{method} / HTTP/1.1\r\nHost: a\r\nConnection: close\r\n\r\n");
    let heard = proxy.ask(request.as_bytes(), false);
    let again = proxy.ask(request.as_bytes(), false);
    drop(proxy);
    let record = backend.finish();
    let heard = heard.ok_or("the connection was not closed")?;
    let again = again.ok_or("the second connection was not closed")?;
    outcomes_of_response(case, &heard)?;
    outcomes_of_response(case, &again).map_err(|fault| format!("asked again: {fault}"))?;
    if case.outcomes.iter().any(|o| o.verb == Verb::Dropped) {
        let reused = record.connections.iter().any(|(_, count)| *count > 1);
        same("the backend's connection was used again", &reused, &false)?;
    }
    Ok(heard)
}

fn outcomes_of_response(case: &Case, heard: &[u8]) -> Result<(), String> {
    // What is cut is not whole because the connection has ended: it must say its own end.
    let is_cut = case.outcomes.iter().any(|o| o.verb == Verb::Broken);
    let (answers, left) = read(heard, std::slice::from_ref(&case.asked))?;
    let mut answers = answers.iter();
    for outcome in &case.outcomes {
        match &outcome.verb {
            Verb::Told(status) => {
                // Interim responses are passed on before anybody knows that they do not end.
                let may_follow = |answer: &&Plain| !outcome.by_proxy || answer.status() >= 200;
                let told = answers.find(may_follow).map(Plain::status);
                same("status", &told, &Some(*status))?;
            }
            Verb::Interim(status) => {
                same(
                    "interim",
                    &answers.next().map(Plain::status),
                    &Some(*status),
                )?;
            }
            Verb::Passed(status) => {
                let answer = answers.next().ok_or("no answer")?;
                same("status", &answer.status(), status)?;
                fits(outcome, answer)?;
            }
            // A broken body may be known before anything was passed on.
            Verb::Broken => match answers.next() {
                None => {}
                Some(answer) => same("a whole answer", &answer.status(), &502)?,
            },
            Verb::Dropped => {}
            other => return Err(format!("{other:?} of a response")),
        }
    }
    same("an answer more", &answers.next(), &None)?;
    match is_cut {
        true => Ok(()),
        false => same("bytes after the answer", &left, &0),
    }
}
