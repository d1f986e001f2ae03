//! Code that breaks a rule, which the checks must find, and code that only looks like it, which
//! they must not report.
//!
//! To add a case: a row with the check, the file it would stand in, and the text.

use crate::{
    crate_denies_unsafe, import_faults, panic_faults, place, purity_faults, sleep_faults, sources,
    unsafe_faults,
};

#[derive(Clone, Copy, Debug)]
enum Check {
    Imports,
    Unsafe,
    Pure,
    Panics,
    Sleeps,
}
use Check::{Imports, Panics, Pure, Sleeps, Unsafe};

fn faults(check: Check, name: &str, text: &str, all: &[(String, String)]) -> Vec<String> {
    match check {
        Imports => import_faults(name, text),
        Unsafe => unsafe_faults(name, text),
        Pure => purity_faults(name, text, all),
        Panics => panic_faults(name, text),
        Sleeps => sleep_faults(name, text),
    }
}

/// The check, the file, the line of the fault, and the code.
const VIOLATIONS: &[(Check, &str, usize, &str)] = &[
    // Floors.
    (Imports, "net/ip.rs", 1, "use crate::server::Config;"),
    (
        Imports,
        "net/ip.rs",
        3,
        "use crate::{\n    net::{Conn},\n    server::Config,\n};",
    ),
    (Imports, "net/ip.rs", 1, "use crate::{sys, echo as e};"),
    (Imports, "net/ip.rs", 1, "pub use crate::telemetry::*;"),
    (
        Imports,
        "net/ip.rs",
        1,
        "pub(crate) use super::super::server;",
    ),
    (Imports, "net/mod.rs", 1, "use super::server::Config;"),
    (
        Imports,
        "net/ip.rs",
        1,
        "use self::super::super::{server::X};",
    ),
    (
        Imports,
        "net/ip.rs",
        2,
        "mod a {\n    use super::super::super::echo::X;\n}",
    ),
    (Imports, "cli/run.rs", 1, "fn f() { crate::net::dial(); }"),
    (
        Imports,
        "cli/run.rs",
        1,
        "fn f(a: &crate :: net :: Conn) {}",
    ),
    (Imports, "telemetry/log.rs", 1, "use crate::sys::process;"),
    (
        Imports,
        "server/live.rs",
        2,
        "#[cfg(test)] mod tests { }\nuse crate::echo;",
    ),
    (
        Imports,
        "server/live.rs",
        1,
        "/* \" */ use crate::echo; // \"",
    ),
    (
        Imports,
        "server/live.rs",
        1,
        "const Q: char = '\"'; use crate::echo;",
    ),
    (Imports, "echo/mod.rs", 1, "use groundwire::net::Conn;"),
    (
        Imports,
        "echo/mod.rs",
        1,
        "fn f() { ::groundwire::net::dial(); }",
    ),
    (Imports, "net/ip.rs", 1, "use crate as all;"),
    (Imports, "net/ip.rs", 1, "use super::super::*;"),
    (Imports, "net/ip.rs", 1, "use crate::Conn;"),
    (Imports, "net/ip.rs", 1, "extern crate self as all;"),
    (
        Imports,
        "net/mod.rs",
        1,
        "#[path = \"../server/live.rs\"]\nmod live;",
    ),
    (Imports, "attic/mod.rs", 1, "fn f() {}"),
    // Unsafe code.
    (Unsafe, "net/conn.rs", 1, "fn f() { unsafe { g() } }"),
    (
        Unsafe,
        "net/conn.rs",
        2,
        "// SAFETY: none is needed\nunsafe { g() };",
    ),
    (Unsafe, "net/conn.rs", 1, "unsafe fn f() {}"),
    (Unsafe, "net/conn.rs", 1, "unsafe impl Send for Conn {}"),
    (
        Unsafe,
        "net/conn.rs",
        2,
        "#[cfg(test)] mod tests {\n    fn f() { unsafe { g() } }\n}",
    ),
    (Unsafe, "net/conn.rs", 1, "#[unsafe(no_mangle)]\nfn f() {}"),
    (Unsafe, "net/conn.rs", 1, "#![allow(unsafe_code)]"),
    (
        Unsafe,
        "net/conn.rs",
        1,
        "#[expect(missing_docs, unsafe_code)]\nmod a;",
    ),
    (Unsafe, "net/conn.rs", 1, "extern \"C\" fn f() {}"),
    (
        Unsafe,
        "sys/socket.rs",
        1,
        "extern \"C\" { fn close(fd: i32) -> i32; }",
    ),
    (
        Unsafe,
        "sys/socket.rs",
        2,
        "fn f() {\n    unsafe { g() };\n}",
    ),
    (
        Unsafe,
        "sys/socket.rs",
        2,
        "fn f() {\n    unsafe\n    { g() };\n}",
    ),
    (Unsafe, "sys/socket.rs", 1, "unsafe impl Send for Slot {}"),
    (
        Unsafe,
        "sys/socket.rs",
        3,
        "// SAFETY: far away\n\nunsafe { g() };",
    ),
    (
        Unsafe,
        "sys/socket.rs",
        3,
        "// SAFETY: the first\nunsafe { g() };\nunsafe { h() };",
    ),
    (Unsafe, "sys/socket.rs", 2, "// SAFETY:\nunsafe { g() };"),
    (
        Unsafe,
        "sys/socket.rs",
        2,
        "let s = \"// SAFETY: no\n\"; unsafe { g() };",
    ),
    (
        Unsafe,
        "sys/socket.rs",
        2,
        "f(); // SAFETY: another line's\nunsafe { g() };",
    ),
    // Pure files.
    (Pure, "net/ip.rs", 1, "let now = Instant::now();"),
    (
        Pure,
        "net/ip.rs",
        1,
        "use std::time::{Duration, Instant as Clock};",
    ),
    (Pure, "net/ip.rs", 1, "use std::time::*;"),
    (
        Pure,
        "net/ip.rs",
        1,
        "let now = std::time::SystemTime::now();",
    ),
    (
        Pure,
        "net/ip.rs",
        3,
        "use std::net::{\n    IpAddr,\n    TcpStream,\n};",
    ),
    (
        Pure,
        "net/ip.rs",
        1,
        "use std::{fmt, net::{self, UdpSocket as U}};",
    ),
    (Pure, "net/ip.rs", 1, "use std::thread;"),
    (Pure, "net/ip.rs", 1, "use {std::fs as files};"),
    (Pure, "net/ip.rs", 1, "use std as s;"),
    (Pure, "net/ip.rs", 1, "let e = core::arch::x86_64::_rdtsc;"),
    (Pure, "net/ip.rs", 1, "fn f(random: &mut impl Rng) {}"),
    (
        Pure,
        "net/ip.rs",
        1,
        "use std::collections::{BTreeMap, HashMap};",
    ),
    (Pure, "net/ip.rs", 1, "println!(\"{a}\");"),
    (Pure, "net/ip.rs", 1, "use super::conn::Conn;"),
    (Pure, "net/ip.rs", 1, "use super::{Network, Conn};"),
    (Pure, "net/ip.rs", 1, "use super::*;"),
    (Pure, "net/ip.rs", 1, "let s = crate::sys::socket::bind(a);"),
    (
        Pure,
        "server/access.rs",
        1,
        "use crate::net::{Addr, Listener};",
    ),
    (Pure, "cli/spec.rs", 1, "use super::{run, spec::Opt};"),
    // Panics.
    (Panics, "net/ip.rs", 1, "a.unwrap();"),
    (Panics, "net/ip.rs", 2, "a\n    .unwrap ();"),
    (Panics, "net/ip.rs", 1, "a.expect(\"a\");"),
    (Panics, "net/ip.rs", 1, "a.unwrap_err();"),
    (Panics, "net/ip.rs", 1, "a.expect_err(\"a\");"),
    (Panics, "net/ip.rs", 1, "a.map(Result::unwrap);"),
    (Panics, "net/ip.rs", 1, "std::panic!(\"a\");"),
    (Panics, "net/ip.rs", 1, "match a { _ => unreachable!() }"),
    (Panics, "net/ip.rs", 1, "std::process::exit(1);"),
    (
        Panics,
        "net/ip.rs",
        2,
        "#[cfg(test)] mod tests { fn a() {} }\nfn f() { todo!() }",
    ),
    (
        Panics,
        "net/ip.rs",
        1,
        "let q = ('\"', b'\\''); a.unwrap(); // \"",
    ),
    // Sleeps.
    (Sleeps, "net/ip.rs", 1, "std::thread::sleep(a);"),
    (Sleeps, "net/ip.rs", 2, "thread\n    ::sleep (a);"),
    (Sleeps, "net/ip.rs", 1, "use std::thread::sleep as nap;"),
    (Sleeps, "tests/net.rs", 1, "thread::park_timeout(a);"),
    (Sleeps, "tests/net.rs", 1, "std::thread::yield_now();"),
    (Sleeps, "tests/net.rs", 1, "std::hint::spin_loop();"),
    (Sleeps, "tests/support/mod.rs", 1, "thread::sleep(a);"),
    (Sleeps, "net/ip.rs", 1, "pub async fn f() {}"),
    (Sleeps, "net/ip.rs", 1, "f(async || a).b\n"),
    (Sleeps, "net/ip.rs", 2, "a\n    .await;"),
    (
        Sleeps,
        "net/ip.rs",
        2,
        "#[cfg(test)] mod tests {\n    fn f() { sleep(a) }\n}",
    ),
];

const INNOCENT: &[(Check, &str, &str)] = &[
    (
        Imports,
        "net/ip.rs",
        "// use crate::server::X;\n/* use crate::echo; */",
    ),
    (Imports, "net/ip.rs", "let s = \"use crate::server::X;\";"),
    (
        Imports,
        "net/ip.rs",
        "pub(crate) fn f() {} pub(in crate::net) struct S; pub(super) fn g() {}",
    ),
    (Imports, "net/mod.rs", "pub(super) fn f() {}"),
    (
        Imports,
        "net/ip.rs",
        "use crate::{net::Conn, sys::{self, socket}};",
    ),
    (
        Imports,
        "net/ip.rs",
        "mod a { use super::super::conn::Conn; }",
    ),
    (
        Imports,
        "net/ip.rs",
        "#[cfg(test)]\nmod tests {\n    use crate::server::X;\n}",
    ),
    (
        Imports,
        "server/live.rs",
        "use server::X; let net = self.net; net::dial(a);",
    ),
    (
        Imports,
        "bin/tour/stops.rs",
        "use crate::plan::Plan; use groundwire::net;",
    ),
    (
        Unsafe,
        "net/conn.rs",
        "// unsafe { }\n/// `unsafe fn`\n/* /* unsafe */ unsafe */",
    ),
    (
        Unsafe,
        "net/conn.rs",
        "let s = \"unsafe {\"; let r = r#\"\" unsafe \"\"#; is_unsafe(c);",
    ),
    (Unsafe, "net/conn.rs", "#![forbid(unsafe_code)]"),
    (
        Unsafe,
        "sys/socket.rs",
        "// SAFETY: fine,\n// for a reason.\nunsafe { g() };",
    ),
    (
        Unsafe,
        "sys/socket.rs",
        "// SAFETY: fine\nlet a =\n    check(unsafe { g() });",
    ),
    (
        Unsafe,
        "sys/socket.rs",
        "check(\n    a,\n    // SAFETY: fine\n    unsafe { g() },\n);",
    ),
    (Unsafe, "sys/socket.rs", "#[inline]\nunsafe fn f() {}"),
    (
        Unsafe,
        "sys/abi.rs",
        "#[allow(unsafe_code)]\nunsafe extern \"C\" {}",
    ),
    (
        Pure,
        "net/ip.rs",
        "//! an Instant\nlet a = '\"'; let b = \"Instant\"; // Mutex",
    ),
    (
        Pure,
        "net/ip.rs",
        "struct Instantly; let thread_count = Instants::new(); f.file();",
    ),
    (
        Pure,
        "net/ip.rs",
        "use std::net::{IpAddr, Ipv4Addr}; use std::io::{self, Read, Write};",
    ),
    (
        Pure,
        "net/ip.rs",
        "use std::time::{Duration, SystemTime}; fn f(now: SystemTime) {}",
    ),
    (
        Pure,
        "net/ip.rs",
        "use super::{Network, prefix::Prefix}; use super::address_error::Rule;",
    ),
    (Pure, "server/access.rs", "use crate::net::Addr;"),
    (
        Pure,
        "net/ip.rs",
        "#[cfg(test)] mod tests { use super::*; use std::thread; }",
    ),
    (
        Panics,
        "net/ip.rs",
        "a.unwrap_or(b); a.unwrap_or_else(f); a.unwrap_or_default();",
    ),
    (
        Panics,
        "net/ip.rs",
        "// a.unwrap()\nlet s = \".unwrap()\"; #[expect(dead_code)] fn f() {}",
    ),
    (
        Panics,
        "net/ip.rs",
        "use std::panic; panic::catch_unwind(f); assert!(a, \"b\");",
    ),
    (
        Panics,
        "net/ip.rs",
        "#[cfg(test)]\nmod a { fn b() { c.unwrap() } }\nfn f<'a>(b: &'a str) {}",
    ),
    (Panics, "net/generate.rs", "a.unwrap();"),
    (
        Sleeps,
        "net/ip.rs",
        "// sleep(a)\nlet asleep = \"thread::sleep\"; f.sleeping(); r#await();",
    ),
    (Sleeps, "tests/support/mod.rs", "std::thread::yield_now();"),
];

#[test]
fn each_violation_is_found_by_its_check_on_its_line() {
    let all = sources();
    for (check, name, line, text) in VIOLATIONS {
        let found = faults(*check, name, text, &all);
        let prefix = format!("{}: ", place(name, *line));
        let on_line = found.iter().any(|fault| fault.starts_with(&prefix));
        assert!(on_line, "{check:?} {name}:{line}\n{text}\nfound: {found:?}");
    }
}

#[test]
fn what_only_looks_like_a_violation_is_not_reported() {
    let all = sources();
    for (check, name, text) in INNOCENT {
        let found = faults(*check, name, text, &all);
        assert!(found.is_empty(), "{check:?}\n{text}\nfound: {found:?}");
    }
}

#[test]
fn only_an_inner_attribute_denies_unsafe_code_for_the_crate() {
    for (text, denies) in [
        ("//! a\n#![deny(unsafe_code)]\n", true),
        ("#![forbid( unsafe_code )]", true),
        ("#[deny(unsafe_code)]\nmod a;", false),
        ("// #![deny(unsafe_code)]", false),
        ("#![warn(unsafe_code)]", false),
        ("const A: &str = \"#![deny(unsafe_code)]\";", false),
    ] {
        assert_eq!(crate_denies_unsafe(text), denies, "{text}");
    }
}
