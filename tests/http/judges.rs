//! Other implementations read what the load balancer wrote: h11, Node's parser, nginx. They have to find
//! the same messages in it. Each is left out, and that is said, where it is not installed; in CI, where
//! it is to be installed, that is a failure.

use std::env;
use std::fs;
use std::io::{Read, Write};
use std::net::TcpStream;
use std::path::Path;
use std::process::{Child, Command, Stdio};
use std::thread;

use crate::cases;
use crate::feed::{Feed, Found};
use crate::plain::{self, Plain};
use crate::recording::{Answer, Backend};
use crate::support::{Folder, PATIENCE, eventually, free_port};

/// What runs a judge, its script, and how it writes a comma.
const JUDGES: [(&[&str], &str, &str); 2] = [
    (&["python3", "/usr/bin/python3"], "judge.py", ", "),
    (&["node"], "judge.js", ","),
];

/// Where tests of this kind may be left out.
fn left_out(judge: &str) {
    assert!(env::var_os("CI").is_none(), "{judge} is not installed");
    println!("skipped: {judge} is not installed");
}

/// What a judge says of each record, or nothing when it is not installed.
fn ask(programs: &[&str], script: &str, records: &[Vec<u8>]) -> Option<Vec<String>> {
    let script = format!("{}/tests/http/{script}", env!("CARGO_MANIFEST_DIR"));
    for program in programs {
        let mut command = Command::new(program);
        command
            .arg(&script)
            .stdin(Stdio::piped())
            .stdout(Stdio::piped());
        let Ok(mut child) = command.spawn() else {
            continue;
        };
        let mut stdin = child.stdin.take().unwrap();
        let output = thread::scope(|scope| {
            scope.spawn(move || {
                for record in records {
                    let length = (record.len() as u32).to_be_bytes();
                    // It ends at once where its package is missing.
                    let _ = stdin
                        .write_all(&length)
                        .and_then(|()| stdin.write_all(record));
                }
            });
            child.wait_with_output().unwrap()
        });
        if output.status.code() != Some(77) {
            assert!(output.status.success(), "{script}: {}", output.status);
            let said = String::from_utf8(output.stdout).unwrap();
            let said: Vec<String> = said.lines().map(String::from).collect();
            assert_eq!(said.len(), records.len());
            return Some(said);
        }
    }
    left_out(script.rsplit('/').next().unwrap());
    None
}

/// The line that a judge has to print for these messages.
fn verdict(messages: &[Plain], is_request: bool, comma: &str) -> String {
    let colon = comma.replace(',', ":");
    let shown = messages.iter().map(|plain| {
        let start = match is_request {
            true => format!("{} {}", plain.word(0), plain.word(1)),
            false => plain.word(1).to_string(),
        };
        let body: String = plain
            .body
            .iter()
            .map(|byte| format!("{byte:02x}"))
            .collect();
        let start = start.replace('\\', "\\\\").replace('"', "\\\"");
        format!(
            "[\"{start}\"{comma}\"{body}\"{comma}{}]",
            plain.trailers.len()
        )
    });
    let shown: Vec<String> = shown.collect();
    let shown = shown.join(comma);
    format!("{{\"messages\"{colon}[{shown}]{comma}\"error\"{colon}null}}")
}

/// Compares what the two parsers say; Node knows a list of methods only.
fn agree(records: &[(Vec<String>, Vec<u8>)]) {
    let with_methods = |(methods, bytes): &(Vec<String>, Vec<u8>)| {
        let mut record = methods.join(",").into_bytes();
        record.push(b'\n');
        record.extend_from_slice(bytes);
        record
    };
    let input: Vec<Vec<u8>> = records.iter().map(with_methods).collect();
    for (programs, script, comma) in JUDGES {
        let Some(said) = ask(programs, script, &input) else {
            continue;
        };
        let mut judged = 0;
        for ((methods, bytes), said) in records.iter().zip(&said) {
            if said.contains("HPE_INVALID_METHOD") {
                continue;
            }
            judged += 1;
            let messages = match methods.is_empty() {
                true => plain::requests(bytes).unwrap(),
                false => plain::responses(bytes, methods).unwrap().0,
            };
            let expected = verdict(&messages, methods.is_empty(), comma);
            let shown = String::from_utf8_lossy(bytes);
            assert_eq!(*said, expected, "{script}: {shown}");
        }
        println!("{script}: {judged} of {} records", records.len());
        assert!(
            judged * 10 >= records.len() * 9,
            "{script} judged {judged} only"
        );
    }
}

/// The bytes that a backend got on each of its connections.
pub fn agree_on_requests(connections: &[Vec<u8>]) {
    let records: Vec<(Vec<String>, Vec<u8>)> = connections
        .iter()
        .map(|bytes| (Vec::new(), bytes.clone()))
        .collect();
    agree(&records);
    agree_with_nginx(connections);
}

/// The bytes that a client got, with the methods of its requests.
pub fn agree_on_responses(answers: &[(Vec<String>, Vec<u8>)]) {
    // The parsers are told one method at a time.
    let mut records = Vec::new();
    for (methods, bytes) in answers {
        let mut rest = &bytes[..];
        for method in methods {
            let (_, left) = plain::responses(rest, std::slice::from_ref(method)).unwrap();
            let (first, others) = rest.split_at(rest.len() - left);
            if !first.is_empty() {
                records.push((vec![method.clone()], first.to_vec()));
            }
            rest = others;
        }
    }
    agree(&records);
}

/// Comes after what nginx is to read, so that it closes.
const LAST: &[u8] = b"GET /last HTTP/1.1\r\nHost: a\r\nConnection: close\r\n\r\n";

/// nginx as one more proxy behind ours: what it passes on has to be the same messages.
struct Nginx {
    child: Child,
    address: String,
    _folder: Folder,
}

impl Nginx {
    fn start(backend: &str) -> Option<Self> {
        let program = ["/usr/sbin/nginx", "/usr/local/sbin/nginx"];
        let Some(program) = program.iter().find(|path| Path::new(path).exists()) else {
            left_out("nginx");
            return None;
        };
        let address = format!("127.0.0.1:{}", free_port());
        let folder = Folder::new();
        let file = folder.path("nginx.conf");
        fs::write(&file, configuration(&folder.path(""), &address, backend)).unwrap();
        let mut command = Command::new(program);
        command.args(["-e", "stderr", "-p", &folder.path(""), "-c", &file]);
        let child = command.stderr(Stdio::null()).spawn().unwrap();
        let nginx = Self {
            child,
            address,
            _folder: folder,
        };
        eventually("nginx listens", || {
            TcpStream::connect(&nginx.address).is_ok()
        });
        Some(nginx)
    }

    /// The status of its first answer that is not 200, or 200.
    fn ask(&self, bytes: &[u8]) -> String {
        let mut conn = TcpStream::connect(&self.address).unwrap();
        conn.set_read_timeout(Some(PATIENCE)).unwrap();
        // A half-closed connection is a gone client to nginx.
        let _ = conn.write_all(&[bytes, LAST].concat());
        let mut heard = Vec::new();
        let _ = conn.read_to_end(&mut heard);
        let text = String::from_utf8_lossy(&heard);
        let mut answers = text.split("HTTP/1.1 ").skip(1);
        let refusal = answers.find(|answer| !answer.starts_with("200 "));
        refusal
            .and_then(|answer| answer.get(..3))
            .unwrap_or("200")
            .into()
    }
}

impl Drop for Nginx {
    fn drop(&mut self) {
        let _ = self.child.kill();
        let _ = self.child.wait();
    }
}

fn configuration(folder: &str, address: &str, backend: &str) -> String {
    let temporary: String = ["client_body", "proxy", "fastcgi", "uwsgi", "scgi"]
        .iter()
        .map(|name| format!("{name}_temp_path '{folder}/{name}';\n"))
        .collect();
    format!(
        "daemon off;\nmaster_process off;\npid '{folder}/pid';\nerror_log stderr crit;\n\
         events {{ worker_connections 64; }}\n\
         http {{\naccess_log off;\n{temporary}\
         client_header_buffer_size 64k;\nlarge_client_header_buffers 4 64k;\n\
         server {{\nlisten {address};\nlocation / {{\n\
         proxy_pass http://{backend};\nproxy_http_version 1.1;\n}}\n}}\n}}\n"
    )
}

fn agree_with_nginx(connections: &[Vec<u8>]) {
    let backend = Backend::start(Answer::Ok);
    let Some(nginx) = Nginx::start(&backend.address) else {
        return;
    };
    let mut judged = 0;
    for bytes in connections {
        let status = nginx.ask(bytes);
        let mut seen = backend.taken();
        if seen.last().is_some_and(|plain| plain.word(1) == "/last") {
            seen.pop();
        }
        // It has a list of methods, and decodes percent signs.
        if matches!(status.as_str(), "400" | "405") {
            continue;
        }
        judged += 1;
        let parts = |plain: &Plain| {
            let (method, target) = (plain.word(0).to_string(), plain.word(1).to_string());
            (method, target, plain.body.clone())
        };
        let seen: Vec<_> = seen.iter().map(parts).collect();
        let expected: Vec<_> = plain::requests(bytes).unwrap().iter().map(parts).collect();
        assert_eq!(seen, expected, "nginx: {}", String::from_utf8_lossy(bytes));
    }
    drop(nginx);
    backend.finish();
    println!("nginx: {judged} of {} records", connections.len());
    assert!(
        judged * 10 >= connections.len() * 8,
        "nginx judged {judged} only"
    );
}

/// The parsers and the judges at the same bytes, before any proxy has written them anew: a judge may be
/// stricter, but it finds no other messages.
#[test]
fn no_judge_finds_other_messages_in_what_the_parsers_accept() {
    let mut expected = Vec::new();
    let mut records = Vec::new();
    for case in cases::requests() {
        let mut feed = Feed::requests();
        feed.push(&case.bytes);
        let found: Option<Vec<Plain>> = feed.found.iter().map(as_plain).collect();
        // An absolute form is another text for the judges.
        let is_absolute = case.bytes.windows(3).any(|part| part == b"://");
        if let Some(messages) = found.filter(|found| !found.is_empty() && !is_absolute) {
            let read = case.bytes.len() - feed.left();
            records.push([b"\n", &case.bytes[..read]].concat());
            expected.push((case.name, messages));
        }
    }
    for (programs, script, comma) in JUDGES {
        let Some(said) = ask(programs, script, &records) else {
            continue;
        };
        let mut judged = 0;
        for ((name, messages), said) in expected.iter().zip(&said) {
            if said.ends_with("null}") {
                assert_eq!(*said, verdict(messages, true, comma), "{script}: {name}");
                judged += 1;
            }
        }
        println!("{script} takes {judged} of {} records", records.len());
        assert!(judged * 2 > records.len(), "{script} takes {judged} only");
    }
}

/// A message as the judges see it; nothing for what broke a rule.
fn as_plain(found: &Found) -> Option<Plain> {
    let Found::Message(message) = found else {
        return None;
    };
    let (method, target) = &message.start;
    Some(Plain {
        start: format!("{method} {target} HTTP/1.1"),
        body: message.body.clone(),
        trailers: message.trailers.clone(),
        ..Plain::default()
    })
}

/// What the load balancer may write, by hand: so that a judge that has nothing to say is noticed.
#[test]
fn the_judges_read_plain_messages_as_the_second_reader_does() {
    agree_on_requests(&[
        b"GET /1 HTTP/1.1\r\nHost: a\r\n\r\nHEAD /2 HTTP/1.1\r\nHost: a\r\n\r\n".to_vec(),
        b"POST /1 HTTP/1.1\r\nHost: a\r\nContent-Length: 2\r\n\r\nhi\
          PUT /2 HTTP/1.1\r\nHost: a\r\nTransfer-Encoding: chunked\r\n\r\n\
          2\r\nhi\r\n0\r\nX-Sum: 7\r\n\r\n"
            .to_vec(),
        b"POST / HTTP/1.1\r\nHost: a\r\nContent-Length: 5\r\n\r\n0\r\n\r\n\
          GET /2 HTTP/1.1\r\nHost: a\r\n\r\n"
            .to_vec(),
    ]);
    let answer = |method: &str, bytes: &[u8]| (vec![method.to_string()], bytes.to_vec());
    let chunked =
        b"HTTP/1.1 200 OK\r\nTransfer-Encoding: chunked\r\n\r\n2\r\nhi\r\n0\r\nX: 1\r\n\r\n";
    let interim = b"HTTP/1.1 103 Early Hints\r\nLink: a\r\n\r\nHTTP/1.1 204 No Content\r\n\r\n";
    agree_on_responses(&[
        answer("GET", b"HTTP/1.1 200 OK\r\nContent-Length: 2\r\n\r\nhi"),
        answer("GET", b"HTTP/1.1 200 OK\r\n\r\nuntil the close"),
        answer("HEAD", b"HTTP/1.1 200 OK\r\nContent-Length: 2\r\n\r\n"),
        answer("GET", chunked),
        answer("GET", interim),
    ]);
}
