//! The status page over sockets: who is told what, and who may change something.

use std::fs;
use std::io::{Read, Write};
use std::os::unix::fs::PermissionsExt;
use std::sync::Arc;

use groundwire::http::{ClientExchange, Limits, Request, Response};
use groundwire::net::{Conn, Dialer, Network};
use groundwire::proxy::admin::{Admin, CONNECTIONS, Pools, Token, read_token, register};
use groundwire::proxy::config::PoolConfig;
use groundwire::proxy::health::State;
use groundwire::proxy::{Pool, reload};
use groundwire::server::Running;
use groundwire::telemetry::{Format, Level, Log, Registry};

use crate::balancer::{Balancer, config};
use crate::support::browser;
use crate::support::{Folder, Kept, connect, eventually, listener};
use crate::world::{pool, state};

const TOKEN: &str = "a token of some length";
const BACKEND: &str = "10.0.0.7:9000";

struct Page {
    address: String,
    pool: Arc<Pool>,
    log: Kept,
    server: Running,
}

impl Page {
    fn new(token: Option<&str>) -> Self {
        let pool = pool(PoolConfig::named("www"), &[BACKEND, "10.0.0.8:9000"]);
        let shown = pool.clone();
        let pools: Pools = Arc::new(move || vec![shown.clone()]);
        let (registry, log) = (Registry::new(), Kept::default());
        register(&registry, pools.clone());
        let token = token.map(|text| Token::new(text.as_bytes()).unwrap());
        let to = Log::to_writer(Level::Warn, Format::Text, Box::new(log.clone()));
        let (listener, address) = listener();
        let server = Admin::new(pools, registry, token, to);
        Self {
            address,
            pool,
            log,
            server: server.start(listener).unwrap(),
        }
    }

    fn ask(&self, method: &str, target: &str, fields: &[(&str, &str)]) -> Response {
        self.ask_on(connect(&self.address), method, target, fields)
    }

    fn ask_on(&self, c: Conn, method: &str, target: &str, fields: &[(&str, &str)]) -> Response {
        let mut request = Request::new(method, target, &self.address);
        fields.iter().for_each(|(n, v)| request.fields.add(n, v));
        let mut exchange = ClientExchange::new(c, Limits::default());
        exchange.send(&request).unwrap();
        exchange.receive(method, 1 << 20).unwrap()
    }

    fn post(&self, verb: &str, fields: &[(&str, &str)]) -> u16 {
        self.ask("POST", &format!("/backends/www/{BACKEND}/{verb}"), fields)
            .status
    }
}

fn text(response: &Response) -> &str {
    std::str::from_utf8(&response.body).unwrap()
}

#[test]
fn everybody_is_told_in_their_own_form() {
    let page = Page::new(None);
    let html = page.ask("GET", "/?x=1", &[]);
    assert!(text(&html).contains(&format!("data-backend=\"{BACKEND}\"")));
    assert!(text(&html).contains("2 of 2 in service"));
    assert_eq!(
        html.fields.text("Content-Type"),
        Some("text/html; charset=utf-8")
    );
    let listing = page.ask("GET", "/backends", &[]);
    assert_eq!(
        listing.fields.text("Content-Type"),
        Some("application/json")
    );
    assert!(text(&listing).contains("\"name\":\"www\",\"balance\":\"round-robin\",\"waiting\":0"));
    let metrics = page.ask("GET", "/metrics", &[]);
    for line in [
        "groundwire_pool_waiting{pool=\"www\"} 0",
        "groundwire_backend_requests_total{backend=\"10.0.0.7:9000\",pool=\"www\"} 0",
        "groundwire_backend_responses_total{backend=\"10.0.0.8:9000\",class=\"5xx\",pool=\"www\"} 0",
        "groundwire_backend_seconds_count{backend=\"10.0.0.7:9000\",pool=\"www\"} 0",
        "groundwire_backend_usable{backend=\"10.0.0.7:9000\",pool=\"www\"} 1",
        "groundwire_backend_state{backend=\"10.0.0.7:9000\",pool=\"www\",state=\"down\"} 0",
    ] {
        let found = text(&metrics).lines().any(|shown| shown == line);
        assert!(found, "{line} is not in\n{}", text(&metrics));
    }
    page.pool.set_members(Vec::new());
    assert!(!text(&page.ask("GET", "/metrics", &[])).contains("groundwire_backend_"));
    page.server.stop().unwrap();
}

#[test]
fn what_is_not_there_or_not_allowed_is_told_with_the_right_status() {
    let page = Page::new(None);
    let command = format!("/backends/www/{BACKEND}/drain");
    for (method, target, status, allow) in [
        ("GET", "/other", 404, None),
        ("POST", "/other", 404, None),
        ("OPTIONS", "*", 404, None),
        ("POST", "/", 405, Some("GET, HEAD")),
        ("DELETE", "/backends", 405, Some("GET, HEAD")),
        ("GET", &command, 405, Some("POST")),
        ("HEAD", "/", 200, None),
        ("HEAD", "/backends", 200, None),
    ] {
        let response = page.ask(method, target, &[]);
        assert_eq!(response.status, status, "{method} {target}");
        assert_eq!(response.fields.text("Allow"), allow);
        assert_eq!(response.body.is_empty(), method == "HEAD");
    }
    let me = [("X-Requested-By", "me")];
    for target in ["/backends/www/x/drain", "/backends/x/10.0.0.7:9000/drain"] {
        assert_eq!(page.ask("POST", target, &me).status, 404);
    }
    page.server.stop().unwrap();
}

#[test]
fn every_answer_tells_browsers_to_keep_to_the_page() {
    let page = Page::new(None);
    for (target, status) in [("/", 200), ("/backends", 200), ("/other", 404)] {
        let response = page.ask("GET", target, &[]);
        assert_eq!(response.status, status);
        let policy = response.fields.text("Content-Security-Policy").unwrap();
        assert!(policy.starts_with("default-src 'none'; style-src 'sha256-"));
        assert!(!policy.contains("unsafe"));
        for (name, value) in [
            ("X-Content-Type-Options", "nosniff"),
            ("X-Frame-Options", "DENY"),
            ("Cache-Control", "no-store"),
        ] {
            assert_eq!(response.fields.text(name), Some(value));
        }
    }
    page.server.stop().unwrap();
}

#[test]
fn healthz_names_the_pools_without_a_backend() {
    let page = Page::new(None);
    let health = || page.ask("GET", "/healthz", &[]);
    assert_eq!((health().status, text(&health())), (200, "ok\n"));
    assert!(page.pool.drain(BACKEND));
    assert_eq!(health().status, 200);
    assert!(page.pool.drain("10.0.0.8:9000"));
    assert_eq!(
        (health().status, text(&health())),
        (503, "no backend in service: www\n")
    );
    page.server.stop().unwrap();
}

#[test]
fn from_this_machine_a_backend_is_drained_and_enabled_but_not_by_pages_of_others() {
    let page = Page::new(None);
    let now = || state(&page.pool, BACKEND);
    let origin = format!("http://{}", page.address);
    for fields in [
        &[][..],
        &[("Origin", "http://evil.example")],
        &[("Origin", "null"), ("X-Requested-By", "me")],
        &[("X-Requested-By", "me"), ("X-Forwarded-For", "192.0.2.1")],
        &[
            ("Authorization", "Bearer anything"),
            ("X-Requested-By", "me"),
        ],
    ] {
        assert_eq!(page.post("drain", fields), 403, "{fields:?}");
        assert_eq!(now(), State::Up);
    }
    assert!(page.log.text().contains("command refused peer=127.0.0.1:"));
    assert_eq!(page.post("drain", &[("X-Requested-By", "me")]), 200);
    assert_eq!(now(), State::Draining);
    let line = format!("pool=www backend={BACKEND} verb=drain");
    assert!(page.log.text().contains(&line), "{}", page.log.text());
    // As a form of the page sends it.
    let form = [("Origin", origin.as_str()), ("Accept", "text/html,*/*")];
    assert_eq!(page.post("enable", &form), 303);
    assert_eq!(now(), State::Up);
    page.server.stop().unwrap();
}

#[test]
fn with_the_token_and_only_with_it_a_proxied_request_may_change_something() {
    let page = Page::new(Some(TOKEN));
    let right = format!("Bearer {TOKEN}");
    let proxied = ("Via", "1.1 somebody");
    let post = |token: &str| page.post("drain", &[proxied, ("Authorization", token)]);
    assert_eq!(post("Bearer a token of some lengtH"), 403);
    assert_eq!(post("Bearer "), 403);
    assert_eq!(page.post("drain", &[proxied]), 403);
    assert_eq!(state(&page.pool, BACKEND), State::Up);
    assert_eq!(post(&right), 200);
    assert_eq!(state(&page.pool, BACKEND), State::Draining);
    assert!(!page.log.text().contains("token of"));
    page.server.stop().unwrap();
}

#[test]
fn a_token_file_is_read_if_it_is_long_enough_and_private() {
    let folder = Folder::new();
    let path = folder.path("token");
    let write = |text: &str, mode: u32| {
        fs::write(&path, text).unwrap();
        fs::set_permissions(&path, fs::Permissions::from_mode(mode)).unwrap();
        read_token(&path)
            .map(drop)
            .map_err(|error| error.to_string())
    };
    assert_eq!(write(&format!("{TOKEN}\n"), 0o600), Ok(()));
    let open = write(TOKEN, 0o644).unwrap_err();
    assert!(open.starts_with("its mode 644 lets others at it: chmod 600 "));
    let short = "a token has at least 16 bytes, this has 5";
    assert_eq!(write("short\n", 0o600), Err(short.into()));
    assert!(read_token(&folder.path("none")).is_err());
}

#[test]
fn what_is_no_request_or_too_long_ends_its_connection_with_a_status() {
    let page = Page::new(None);
    let long = format!("GET / HTTP/1.1\r\nX: {}\r\n\r\n", "x".repeat(9000));
    let body = "POST / HTTP/1.1\r\nHost: x\r\nContent-Length: 2000\r\n\r\n";
    for (bytes, status) in [
        ("\x16\x03\x01\x02", "400"),
        ("GET / HTTP/1.1\r\n\r\n", "400"),
        ("GET / HTTP/1.1\nHost: x\n\n", "400"),
        (&long, "431"),
        (body, "413"),
    ] {
        let mut conn = connect(&page.address);
        conn.write_all(bytes.as_bytes()).unwrap();
        let mut reply = String::new();
        conn.read_to_string(&mut reply).unwrap();
        assert!(reply.starts_with(&format!("HTTP/1.1 {status} ")), "{reply}");
    }
    page.server.stop().unwrap();
}

#[test]
fn one_connection_carries_many_requests_and_one_too_many_is_told_so() {
    let page = Page::new(None);
    let conn = connect(&page.address);
    for _ in 0..3 {
        let response = page.ask_on(conn.clone(), "GET", "/healthz", &[]);
        assert_eq!(response.status, 200);
    }
    let others: Vec<Conn> = (1..CONNECTIONS).map(|_| connect(&page.address)).collect();
    eventually("all are served", || {
        page.server.totals().active as usize == CONNECTIONS
    });
    let mut refused = connect(&page.address);
    let mut reply = String::new();
    refused.read_to_string(&mut reply).unwrap();
    assert!(reply.starts_with("HTTP/1.1 503 "), "{reply}");
    drop(others);
    page.server.stop().unwrap();
}

#[test]
fn a_browser_runs_the_page_and_shows_the_ejected_backend() {
    let page = Page::new(None);
    while page
        .pool
        .standings()
        .iter()
        .any(|one| one.state == State::Up)
    {
        page.pool.take(0, &[]).unwrap().failed();
    }
    let Some(dom) = browser::sees(&format!("http://{}/", page.address)) else {
        return;
    };
    let row = format!("<tr data-backend=\"{BACKEND}\" class=\"ejected\">");
    assert!(dom.contains(&row), "{dom}");
    // The server cannot know this number; the script has it after its second look.
    assert!(dom.contains("<td data-column=\"per s\">0</td>"), "{dom}");
    page.server.stop().unwrap();
}

#[test]
fn a_reload_puts_the_token_that_its_file_has_now_in_the_place_of_the_old_one() {
    let folder = Folder::new();
    let (page, file) = (folder.path("page"), folder.path("token"));
    let write = |token: &str| {
        fs::write(&file, token).unwrap();
        fs::set_permissions(&file, fs::Permissions::from_mode(0o600)).unwrap();
    };
    let lines =
        format!("admin \"unix:{page}\"\nadmin-token-file \"{file}\"\nbackend http://{BACKEND}\n");
    write("the first of the tokens");
    let balancer = Balancer::start(&lines);
    let post = |token: &str| {
        let conn = Dialer::default().dial(Network::Unix, &page).unwrap();
        let target = format!("/backends/default/{BACKEND}/drain");
        let mut request = Request::new("POST", &target, "a");
        let field = format!("Bearer {token}");
        request.fields.add("Authorization", &field);
        let mut exchange = ClientExchange::new(conn, Limits::default());
        exchange.send(&request).unwrap();
        exchange.receive("POST", 1 << 20).unwrap().status
    };
    assert_eq!(post("the first of the tokens"), 200);
    write("another one of the tokens");
    balancer.reload(&lines);
    assert_eq!(post("the first of the tokens"), 403);
    assert_eq!(post("another one of the tokens"), 200);
    write("short");
    let why = reload(&balancer.current, config(&lines), &Log::off()).unwrap_err();
    assert!(why.to_string().starts_with("reading the admin token: "));
    assert_eq!(post("another one of the tokens"), 200);
}
