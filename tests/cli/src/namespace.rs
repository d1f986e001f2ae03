//! Networks of a test's own: hosts and routers that are namespaces of this machine, joined by virtual
//! cables. Nothing leaves them, and they go with the shell that made them.
//!
//! ```text
//!   here               r (router)                s (server)
//!   v0 ────────── v1        w0 ────────── w1
//!   10.9.1.2      10.9.1.1  10.9.2.1      10.9.2.2
//!   fd09:1::2     fd09:1::1 fd09:2::1     fd09:2::2
//! ```

use std::process::{Command, Stdio};

use crate::{bin_dir, installed};

/// The program behind [`ANSWER`].
const ANSWERS: &str = concat!(env!("CARGO_MANIFEST_DIR"), "/src/icmp_answers.py");

/// Makes the drawing above. `accept_dad`, `nodad`: an IPv6 address is used at once, the link-local ones
/// that the kernel makes too, not after seconds of asking whether somebody else has it.
const MAKE: &str = "
set -e
mount -t tmpfs none /run
ip link set lo up
ip netns add r; ip netns add s
no_dad='sysctl -qw net.ipv6.conf.all.accept_dad=0 net.ipv6.conf.default.accept_dad=0'
$no_dad; ip netns exec r $no_dad; ip netns exec s $no_dad
ip link add v0 type veth peer name v1 netns r
ip -n r link add w0 type veth peer name w1 netns s
ip addr add 10.9.1.2/24 broadcast 10.9.1.255 dev v0; ip addr add fd09:1::2/64 dev v0 nodad
ip -n r link set lo up; ip -n r link set v1 up; ip -n r link set w0 up
ip -n r addr add 10.9.1.1/24 dev v1; ip -n r addr add fd09:1::1/64 dev v1 nodad
ip -n r addr add 10.9.2.1/24 dev w0; ip -n r addr add fd09:2::1/64 dev w0 nodad
ip -n s link set w1 up
ip -n s addr add 10.9.2.2/24 dev w1; ip -n s addr add fd09:2::2/64 dev w1 nodad
ip netns exec r sysctl -qw net.ipv4.ip_forward=1 net.ipv6.conf.all.forwarding=1
ip link set v0 up
ip route add default via 10.9.1.1; ip route add default via fd09:1::1
ip -n s route add default via 10.9.2.1; ip -n s route add default via fd09:2::1
set +e
";

/// Defines the shell function `answer MODE`: from then on the router leaves echo requests to
/// `icmp_answers.py`, which answers them as its MODE says, until the script ends.
pub const ANSWER: &str = r#"
mkfifo /run/ready
answer() {
    ip netns exec r sysctl -qw net.ipv4.icmp_echo_ignore_all=1
    ip netns exec r python3 "$ANSWERS" "$@" > /run/ready &
    answering=$!; read ready < /run/ready
}
quiet() { kill $answering; wait $answering 2>/dev/null; }
"#;

/// Runs a script of shell commands in such a network, as its root, with the programs in the PATH;
/// returns what it printed, both streams together. `None`, and the reason printed, where this machine
/// does not allow that.
pub fn run(script: &str) -> Option<String> {
    for tool in ["unshare", "ip", "sysctl", "mount"] {
        if !installed(tool) {
            return None;
        }
    }
    let made = shell(MAKE, "echo made");
    if !made.ends_with("made\n") {
        eprintln!("skipped: no network namespaces here: {}", made.trim());
        return None;
    }
    Some(shell(MAKE, script))
}

fn shell(make: &str, script: &str) -> String {
    let path = std::env::var("PATH").unwrap_or_default();
    let output = Command::new("unshare")
        .args(["--user", "--map-root-user", "--net", "--mount", "sh", "-c"])
        .arg(format!("exec 2>&1\n{make}\n{script}"))
        .env("PATH", format!("{}:{path}", bin_dir().display()))
        .env("LC_ALL", "C")
        .env("ANSWERS", ANSWERS)
        .stdin(Stdio::null())
        .output();
    let output = output.unwrap();
    String::from_utf8([output.stdout, output.stderr].concat()).unwrap()
}
