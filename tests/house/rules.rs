//! The lists behind the rules: floors, pure files, words.

/// Rooms and floors: a room imports lower floors only, and the neighbours in [`ALSO`].
pub const FLOORS: [(&str, u8); 15] = [
    ("sys", 0),
    ("cli", 0),
    ("telemetry", 0),
    ("net", 0),
    ("server", 1),
    ("wire", 1),
    ("echo", 2),
    ("endpoint", 2),
    ("rpc", 2),
    ("dns", 2),
    ("http", 2),
    ("raft", 2),
    ("proxy", 3),
    ("kv", 3),
    ("capture", 3),
];
pub const ALSO: [(&str, &str); 1] = [("net", "sys")];

/// Files of protocol logic and text: bytes and values in, values out.
pub const PURE: [&str; 99] = [
    "net/address_error.rs",
    "net/class.rs",
    "net/error.rs",
    "net/host_port.rs",
    "net/hosts.rs",
    "net/icmp/checksum.rs",
    "net/icmp/message.rs",
    "net/icmp/packet.rs",
    "net/icmp/problem.rs",
    "net/icmp/tally.rs",
    "net/interface.rs",
    "net/incoming.rs",
    "net/ip.rs",
    "net/lines.rs",
    "net/netlink.rs",
    "net/network.rs",
    "net/prefix.rs",
    "net/reverse.rs",
    "net/services.rs",
    "net/zone.rs",
    "telemetry/exposition.rs",
    "telemetry/time.rs",
    "telemetry/visible.rs",
    "cli/args.rs",
    "cli/error.rs",
    "cli/help.rs",
    "cli/json.rs",
    "cli/parse.rs",
    "cli/spec.rs",
    "cli/value.rs",
    "cli/words.rs",
    "server/access.rs",
    "wire/addresses.rs",
    "wire/containers.rs",
    "wire/derive.rs",
    "wire/error.rs",
    "wire/frame.rs",
    "wire/later.rs",
    "wire/mod.rs",
    "wire/numbers.rs",
    "wire/reader.rs",
    "wire/text.rs",
    "wire/times.rs",
    "wire/writer.rs",
    "dns/cache.rs",
    "dns/chain.rs",
    "dns/answer/additional.rs",
    "dns/answer/mod.rs",
    "dns/answer/octets.rs",
    "dns/answer/prepared.rs",
    "dns/answer/tsig.rs",
    "dns/answer/zones.rs",
    "dns/code.rs",
    "dns/data/mod.rs",
    "dns/data/opaque.rs",
    "dns/data/security.rs",
    "dns/data/service.rs",
    "dns/data/soa.rs",
    "dns/data/strings.rs",
    "dns/data/svcb.rs",
    "dns/edns.rs",
    "dns/error.rs",
    "dns/exchange.rs",
    "dns/failure.rs",
    "dns/header.rs",
    "dns/hosts.rs",
    "dns/local.rs",
    "dns/lookup.rs",
    "dns/message.rs",
    "dns/name.rs",
    "dns/name_text.rs",
    "dns/order.rs",
    "dns/reader.rs",
    "dns/record.rs",
    "dns/resolv_conf.rs",
    "dns/server/frames.rs",
    "dns/server/rate_limit.rs",
    "dns/server/reply_octets.rs",
    "dns/text.rs",
    "dns/walk.rs",
    "dns/writer.rs",
    "dns/zone/build.rs",
    "dns/zone/lexer.rs",
    "dns/zone/mod.rs",
    "dns/zone/parser.rs",
    "dns/zone/problem.rs",
    "dns/zone/sample.rs",
    "dns/zone/table.rs",
    "dns/zone/transfer.rs",
    "endpoint/fault.rs",
    "endpoint/inbox.rs",
    "endpoint/name.rs",
    "endpoint/record.rs",
    "rpc/argument.rs",
    "rpc/auth.rs",
    "rpc/failure.rs",
    "rpc/message.rs",
    "rpc/sha256.rs",
    "rpc/signed.rs",
];

/// What pure files may import although its file is not pure, and why.
pub const VALUES: [(&str, &str, &str); 3] = [
    ("net/conn.rs", "Addr", "where a peer is: a value, no socket"),
    ("wire/whole.rs", "decode", "bytes in, a value out"),
    ("wire/whole.rs", "encode", "a value in, bytes out"),
];

/// What a pure file may name of an impure module: no lock, no thread, a pointer that counts.
pub const PURE_ITEMS: [&str; 1] = ["std::sync::Arc"];

/// What a pure file does not name: sockets, clocks, threads, randomness, files, the terminal.
/// (`HashMap` and its kin have a seed of their own, so their order differs from run to run.)
pub const IMPURE_NAMES: [&str; 37] = [
    "TcpStream",
    "TcpListener",
    "UdpSocket",
    "UnixStream",
    "UnixListener",
    "UnixDatagram",
    "ToSocketAddrs",
    "OwnedFd",
    "BorrowedFd",
    "RawFd",
    "AsFd",
    "AsRawFd",
    "Instant",
    "Mutex",
    "RwLock",
    "Condvar",
    "OnceLock",
    "LazyLock",
    "mpsc",
    "thread_local",
    "Rng",
    "thread_rng",
    "RandomState",
    "DefaultHasher",
    "HashMap",
    "HashSet",
    "File",
    "OpenOptions",
    "stdin",
    "stdout",
    "stderr",
    "print",
    "println",
    "eprint",
    "eprintln",
    "SEED",
    "Seeded",
];

/// Paths that a pure file names neither whole nor in part. A `*` stands for the glob only.
pub const IMPURE_PATHS: [&str; 16] = [
    "std::fs",
    "std::env",
    "std::process",
    "std::thread",
    "std::sync",
    "std::random",
    "std::arch",
    "std::os::fd",
    "std::os::unix::net",
    "std::os::linux",
    "std::time::*",
    "std::net::*",
    "std::io::*",
    "std::collections::*",
    "SystemTime::now",
    "SystemTime::elapsed",
];

/// Calls that end the program when they fail, where input might reach them. An `assert!` is not
/// among them: it states what must hold whatever the input is.
pub const PANICKING_METHODS: [&str; 5] = [
    "unwrap",
    "expect",
    "unwrap_err",
    "expect_err",
    "unwrap_unchecked",
];
pub const PANICKING_MACROS: [&str; 5] = ["panic", "todo", "unimplemented", "unreachable", "dbg"];
pub const PROGRAM_ENDS: [&str; 2] = ["process::exit", "process::abort"];

/// Files with calls that may end the program: how many at most, and why.
pub const MAY_PANIC: [(&str, usize, &str); 4] = [
    (
        "telemetry/metrics.rs",
        2,
        "a metric registered wrongly is a programmer's error",
    ),
    (
        "cli/args.rs",
        2,
        "an option that was not declared is a programmer's error",
    ),
    (
        "cli/spec.rs",
        1,
        "an option that was not declared is a programmer's error",
    ),
    (
        "server/stop.rs",
        1,
        "the second signal ends the program without waiting",
    ),
];

/// Files that only tests compile: their `mod` line stands under `#[cfg(test)]`.
pub const TEST_ONLY: [&str; 9] = [
    "net/generate.rs",
    "dns/chain/tests.rs",
    "dns/answer/packets.rs",
    "dns/answer/tests.rs",
    "dns/data/tests.rs",
    "dns/exchange/tests.rs",
    "dns/lookup/tests.rs",
    "dns/message/tests.rs",
    "dns/zone/tests.rs",
];

/// Words of waiting without a cause, and of asynchronous functions.
pub const SLEEPS: [&str; 9] = [
    "sleep",
    "sleep_ms",
    "sleep_until",
    "park_timeout",
    "park_timeout_ms",
    "yield_now",
    "spin_loop",
    "async",
    "await",
];

/// Files that may say one of them: which, and why.
pub const MAY_YIELD: [(&str, &str, &str); 3] = [
    (
        "rpc/sending.rs",
        "yield_now",
        "once before a write, so that callers who are ready add their frames; nothing is awaited",
    ),
    (
        "tests/support/mod.rs",
        "yield_now",
        "`eventually` looks again and again at what nobody announces",
    ),
    (
        "tests/cli/src/lib.rs",
        "yield_now",
        "the same, for what a program does",
    ),
];
