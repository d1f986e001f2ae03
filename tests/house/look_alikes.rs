//! Code that only looks as if it broke a rule: no row may be reported.

use crate::mutations::Check::{self, Imports, Panics, Pure, Sleeps, Unsafe};

/// The check, the file, and the code.
pub const INNOCENT: &[(Check, &str, &str)] = &[
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
        "thread::Builder::new().spawn(f)?; builder.spawn_scoped(scope, f)?;",
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
    (Pure, "server/access.rs", "use super::Duration;"),
    (Panics, "net/generate.rs", "a.unwrap();"),
    (
        Sleeps,
        "net/ip.rs",
        "// sleep(a)\nlet asleep = \"thread::sleep\"; f.sleeping(); r#await();",
    ),
    (Sleeps, "tests/support/mod.rs", "std::thread::yield_now();"),
];
