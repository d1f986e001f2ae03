//! What `src/sys/abi.rs` says by hand, against this machine's C headers: each number, the layout of
//! each struct, the parameters and the result of each function, as assertions that `cc` compiles.

use std::io::Write;
use std::process::{Command, Stdio};

/// Where the names are from.
const INCLUDES: &str = "\
#define _GNU_SOURCE
#include <stddef.h>
#include <errno.h>
#include <fcntl.h>
#include <net/if.h>
#include <netinet/in.h>
#include <poll.h>
#include <sched.h>
#include <signal.h>
#include <sys/file.h>
#include <sys/ioctl.h>
#include <sys/prctl.h>
#include <sys/resource.h>
#include <sys/socket.h>
#include <sys/uio.h>
#include <time.h>
#include <linux/errqueue.h>
#include <linux/icmp.h>
#include <linux/icmpv6.h>
#include <linux/if_ether.h>
#include <linux/if_packet.h>
#include <linux/netlink.h>
#include <linux/sockios.h>
#include <linux/tcp.h>
";

/// The structs: ours, that of the headers, and its fields in the order of ours.
const STRUCTS: [(&str, &str, &[&str]); 7] = [
    ("SigSet", "sigset_t", &[]), // nobody but the C library looks into it
    ("RLimit", "struct rlimit", &["rlim_cur", "rlim_max"]),
    ("PollFd", "struct pollfd", &["fd", "events", "revents"]),
    ("SchedParam", "struct sched_param", &["sched_priority"]),
    ("IoVec", "struct iovec", &["iov_base", "iov_len"]),
    (
        "MsgHdr",
        "struct msghdr",
        &[
            "msg_name",
            "msg_namelen",
            "msg_iov",
            "msg_iovlen",
            "msg_control",
            "msg_controllen",
            "msg_flags",
        ],
    ),
    ("MMsgHdr", "struct mmsghdr", &["msg_hdr", "msg_len"]),
];

/// What the headers of this machine have against the text of `abi.rs`; `None` where there are no
/// headers, or others than glibc's.
pub fn header_faults(abi: &str) -> Option<Vec<String>> {
    let are_there = format!("{INCLUDES}#ifndef __GLIBC__\n#error another C library\n#endif\n");
    if !compile(&are_there)?.is_empty() {
        return None;
    }
    let assertions = [numbers(abi), structs(abi), functions(abi)].concat();
    compile(&(INCLUDES.to_string() + &assertions))
}

/// The errors of the C compiler; `None` where there is none.
fn compile(text: &str) -> Option<Vec<String>> {
    let strict = "-Werror -Wconversion -Wpointer-sign";
    let mut command = Command::new("cc");
    command.args(["-fsyntax-only", "-x", "c", "-"]);
    command.args(strict.split(' '));
    let pipes = command.stdin(Stdio::piped()).stderr(Stdio::piped());
    let mut running = pipes.spawn().ok()?;
    let mut input = running.stdin.take().unwrap();
    // One that ends before it has read all says why itself.
    let _ = input.write_all(text.as_bytes());
    drop(input);
    let output = running.wait_with_output().unwrap();
    let told = String::from_utf8_lossy(&output.stderr);
    let mut errors: Vec<String> = told
        .lines()
        .filter(|line| line.contains("error"))
        .map(String::from)
        .collect();
    if errors.is_empty() && !output.status.success() {
        errors.push(told.into_owned());
    }
    Some(errors)
}

/// Each `pub const NAME: TYPE = NUMBER;` outside of a block.
fn numbers(abi: &str) -> String {
    let mut out = String::new();
    for item in abi.split("\npub const ").skip(1) {
        let (head, rest) = item.split_once(" = ").unwrap();
        let (name, number) = (head.split(':').next().unwrap(), rest.split(';').next());
        // The one that is not the same everywhere.
        let arms = number.unwrap().split_once("aarch64\") {");
        let number = match arms {
            None => number.unwrap().to_string(),
            Some((_, arms)) => {
                let (arm, others) = arms.split_once("} else {").unwrap();
                let chosen = if cfg!(target_arch = "aarch64") {
                    arm
                } else {
                    others
                };
                chosen.trim_matches([' ', '\n', '}']).to_string()
            }
        };
        let number = number.replace("0o", "0").replace('_', "");
        out += &format!("_Static_assert({name} == ({number}), \"{name}\");\n");
    }
    out
}

fn structs(abi: &str) -> String {
    let mut out = String::new();
    for (ours, theirs, names) in STRUCTS {
        let head = format!("pub struct {ours} {{\n");
        let body = abi.split(&head).nth(1).unwrap().split("\n}").next();
        let fields = body.unwrap().lines().filter_map(|line| {
            let (name, kind) = line.trim().strip_prefix("pub ")?.split_once(": ")?;
            Some((name, kind.trim_end_matches(',')))
        });
        let fields: Vec<(&str, &str)> = fields.collect();
        let declared: String = fields
            .iter()
            .map(|(name, kind)| field(name, kind))
            .collect();
        out += &format!("struct our_{ours} {{ {declared} }};\n");
        out += &format!(
            "_Static_assert(sizeof(struct our_{ours}) == sizeof({theirs}), \"{ours}\");\n"
        );
        assert!(names.is_empty() || names.len() == fields.len(), "{ours}");
        for ((ours_name, _), name) in fields.iter().zip(names) {
            let ours = format!("struct our_{ours}");
            out += &format!(
                "_Static_assert(offsetof({ours}, {ours_name}) == offsetof({theirs}, {name}) \
                 && sizeof((({ours} *)0)->{ours_name}) == sizeof((({theirs} *)0)->{name}), \"{name}\");\n"
            );
        }
    }
    out
}

/// A field in C.
fn field(name: &str, kind: &str) -> String {
    match kind
        .strip_prefix('[')
        .and_then(|rest| rest.split_once("; "))
    {
        Some((item, "8]")) => format!("{} {name}[8];", c_type(item)),
        Some((item, "SigSet::WORDS]")) => {
            format!("{0} {name}[1024 / 8 / sizeof({0})];", c_type(item))
        }
        Some(other) => panic!("{other:?}: say here how long that is"),
        None => format!("{} {name};", c_type(kind)),
    }
}

/// Each declared function, called from one that has the types of the declaration.
fn functions(abi: &str) -> String {
    let block = abi.split("unsafe extern \"C\" {").nth(1).unwrap();
    let mut out = String::new();
    for item in block.split("pub fn ").skip(1) {
        let (name, rest) = item.split_once('(').unwrap();
        let (parameters, rest) = rest.split_once(") -> ").unwrap();
        let result = c_type(rest.split(';').next().unwrap());
        let kinds = parameters.split(',').filter_map(|one| one.split_once(": "));
        let kinds: Vec<String> = kinds.map(|(_, kind)| c_type(kind.trim())).collect();
        let numbered = |show: &dyn Fn(usize, &String) -> String| -> String {
            let each = kinds.iter().enumerate().map(|(at, kind)| show(at, kind));
            each.collect::<Vec<_>>().join(", ")
        };
        let declared = numbered(&|at, kind| format!("{kind} a{at}"));
        let given = numbered(&|at, _| format!("a{at}"));
        out += &format!(
            "static void call_{name}({declared}) {{ __typeof__({name}({given})) *got = ({result} *)0; (void)got; }}\n\
             static {result} run_{name}({declared}) {{ return {name}({given}); }}\n"
        );
    }
    out
}

fn c_type(rust: &str) -> String {
    let plain = match rust {
        "c_int" => "int",
        "c_uint" => "unsigned int",
        "c_short" => "short",
        "c_ulong" | "usize" => "unsigned long",
        "c_long" | "isize" => "long",
        "u16" => "unsigned short",
        "u8" => "unsigned char",
        "*mut c_uint" => "unsigned int *",
        "*mut c_int" => "int *",
        "*mut c_char" => "char *",
        "*const c_char" => "const char *",
        ours if ours.starts_with('*') => "void *",
        ours => return format!("struct our_{ours}"),
    };
    plain.to_string()
}
