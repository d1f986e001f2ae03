//! Clients and servers of other make, where they are installed.

use std::fs;
use std::io::{BufRead, BufReader};
use std::process::{Child, Command, Stdio};

use crate::balancer::Balancer;
use crate::program::{HTTP_BACKEND, LOAD_BALANCER, Program};
use crate::support::{Folder, eventually};

/// What a program prints, or nothing where it is not installed.
fn run(program: &str, arguments: &[&str]) -> Option<String> {
    let Ok(output) = Command::new(program).args(arguments).output() else {
        println!("skipped: no {program}");
        return None;
    };
    let printed = String::from_utf8_lossy(&output.stdout).into_owned();
    let errors = String::from_utf8_lossy(&output.stderr);
    assert!(
        output.status.success(),
        "{program} {arguments:?}: {errors}{printed}"
    );
    Some(printed)
}

/// What curl says of an answer, behind its body.
const TOLD: &str = "|%{http_code} %{http_version} %{num_connects}\n";

fn curl(arguments: &[&str]) -> Option<String> {
    let base = ["-s", "-S", "--noproxy", "*", "--max-time", "20", "-w", TOLD];
    run("curl", &[&base, arguments].concat())
}

/// Ends a process at the end of a test.
struct Killed(Child);

impl Drop for Killed {
    fn drop(&mut self) {
        let _ = self.0.kill();
        let _ = self.0.wait();
    }
}

/// A folder with a page and a large file.
fn site() -> (Folder, Vec<u8>) {
    let folder = Folder::new();
    let large: Vec<u8> = (0..2_000_000_u32)
        .flat_map(|n| n.to_le_bytes()[..1].to_vec())
        .collect();
    fs::write(folder.path("large"), &large).unwrap();
    fs::write(folder.path("page.txt"), "0123456789").unwrap();
    (folder, large)
}

/// What any server of files should give through the proxy.
fn files(balancer: &Balancer, large: &[u8], ranges: bool) {
    assert_eq!(balancer.get("/page.txt").body, b"0123456789");
    let mut client = balancer.client();
    assert!(client.get("/large").body == large);
    assert_eq!(balancer.get("/none").status(), 404);
    let mut client = balancer.client();
    client.say("HEAD /large HTTP/1.1\r\nHost: a\r\n\r\n");
    assert_eq!(client.answer("HEAD").values("Content-Length"), [b"2000000"]);
    if ranges {
        client.say("GET /page.txt HTTP/1.1\r\nHost: a\r\nRange: bytes=2-4\r\n\r\n");
        let part = client.answer("GET");
        assert_eq!((part.status(), &part.body[..]), (206, &b"234"[..]));
    }
}

#[test]
fn curl_is_served_in_all_its_ways() {
    let (folder, large) = site();
    let root = folder.0.display().to_string();
    let backend = Program::start(HTTP_BACKEND, &["--root", &root, "127.0.0.1:0"]);
    let balancer = Balancer::start(&format!("backend http://{}\n", backend.address));
    let at = |path: &str| format!("http://{}{path}", balancer.address);
    let Some(printed) = curl(&[&at("/page.txt"), &at("/page.txt")]) else {
        return;
    };
    assert_eq!(printed, "0123456789|200 1.1 1\n0123456789|200 1.1 0\n");
    let ends = |arguments: &[&str], end: &str| {
        let printed = curl(arguments).unwrap();
        assert!(printed.ends_with(end), "{arguments:?}: {printed}");
        printed
    };
    for method in ["GET", "POST", "PUT", "DELETE", "PATCH", "OPTIONS"] {
        let printed = ends(&["-X", method, "-d", "hi", &at("/echo")], "|200 1.1 1\n");
        assert!(
            printed.contains(method) && printed.contains("hi"),
            "{printed}"
        );
    }
    ends(&["-I", &at("/page.txt")], "|200 1.1 1\n");
    ends(&["-X", "TRACE", &at("/echo")], "|405 1.1 1\n");
    ends(&["--http1.0", &at("/page.txt")], "0123456789|200 1.1 1\n");
    ends(&["--http1.0", &at("/chunked")], "|200 1.1 1\n");
    ends(&["-r", "2-4", &at("/page.txt")], "234|206 1.1 1\n");
    ends(&["-r", "-2", &at("/page.txt")], "89|206 1.1 1\n");
    let printed = curl(&["-r", "0-1,4-5", &at("/page.txt")]).unwrap();
    assert!(
        printed.contains("|206 ") || printed.contains("|200 "),
        "{printed}"
    );
    // With an Expect field that curl waits for, by its length and in chunks.
    let (file, kept) = (folder.path("large"), folder.path("kept"));
    let echo = at("/echo");
    let expect = [
        "-H",
        "Expect: 100-continue",
        "--expect100-timeout",
        "15",
        "-o",
        &kept,
    ];
    for more in [
        &["-T", &file][..],
        &["-T", &file, "-H", "Transfer-Encoding: chunked"],
    ] {
        let arguments = [&expect, more, &["-X", "POST", &echo]].concat();
        ends(&arguments, "|200 1.1 1\n");
        assert!(
            fs::read(&kept)
                .unwrap()
                .ends_with(&large[large.len() - 1000..])
        );
    }
    files(&balancer, &large, true);
}

#[test]
fn nginx_serves_behind_the_proxy() {
    let (folder, large) = site();
    let path = |name: &str| folder.path(name);
    let conf = format!(
        "daemon off; master_process off; pid '{0}/pid'; error_log '{0}/errors';\n\
         events {{}}\n\
         http {{ access_log off; client_body_temp_path '{0}/a'; proxy_temp_path '{0}/b';\n\
           fastcgi_temp_path '{0}/c'; uwsgi_temp_path '{0}/d'; scgi_temp_path '{0}/e';\n\
           keepalive_requests 3;\n\
           server {{ listen 'unix:{0}/socket'; root '{0}';\n\
             location /gone {{ return 204; }} }} }}\n",
        folder.0.display()
    );
    fs::write(path("conf"), conf).unwrap();
    let mut nginx = Command::new("nginx");
    let nginx = nginx.args(["-e", &path("errors"), "-c", &path("conf")]);
    let Ok(nginx) = nginx.stderr(Stdio::null()).spawn() else {
        return println!("skipped: no nginx");
    };
    let _nginx = Killed(nginx);
    eventually("nginx listens", || {
        std::os::unix::net::UnixStream::connect(path("socket")).is_ok()
    });
    let balancer = Balancer::start(&format!("backend \"unix:{}\"\n", path("socket")));
    files(&balancer, &large, true);
    // It closes each connection behind its third request.
    let mut client = balancer.client();
    for _ in 0..20 {
        assert_eq!(client.get("/gone").status(), 204);
    }
    client.say("PUT /page.txt HTTP/1.1\r\nHost: a\r\nContent-Length: 2\r\n\r\nhi");
    assert_eq!(client.answer("PUT").status(), 405);
}

#[test]
fn pythons_server_serves_behind_the_proxy() {
    let (folder, large) = site();
    let mut python = Command::new("python3");
    let python = python.args([
        "-u",
        "-m",
        "http.server",
        "0",
        "--bind",
        "127.0.0.1",
        "--directory",
    ]);
    let python = python
        .arg(&folder.0)
        .stdout(Stdio::piped())
        .stderr(Stdio::null());
    let Ok(python) = python.spawn() else {
        return println!("skipped: no python3");
    };
    let mut python = Killed(python);
    let mut line = String::new();
    BufReader::new(python.0.stdout.take().unwrap())
        .read_line(&mut line)
        .unwrap();
    let port = line.split(' ').nth(5).unwrap();
    let balancer = Balancer::start(&format!("backend http://127.0.0.1:{port}\n"));
    files(&balancer, &large, false);
    assert!(balancer.get("/").body.windows(8).any(|w| w == b"page.txt"));
}

#[test]
fn wrk_sees_no_error() {
    let backend = Program::start(HTTP_BACKEND, &["127.0.0.1:0"]);
    let url = format!("http://{}", backend.address);
    let proxy = Program::start(
        LOAD_BALANCER,
        &["--listen", "127.0.0.1:0", "--backend", &url],
    );
    let target = format!("http://{}/bytes/1024", proxy.address);
    let Some(printed) = run("wrk", &["-t1", "-c32", "-d1s", &target]) else {
        return;
    };
    assert!(printed.contains("requests in"), "{printed}");
    let clean = !printed.contains("Socket errors") && !printed.contains("Non-2xx");
    assert!(clean, "{printed}");
}
