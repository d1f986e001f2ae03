//! Where the nodes are: each in a namespace with a cable to the middle, where the clients are.
//!
//! ```text
//!    n1  10.9.1.2 ──── c1 ┐               ┌ c4 ──── 10.9.4.2  n4
//!    n2  10.9.2.2 ──── c2 ┤  middle: the  ├ c5 ──── 10.9.5.2  n5
//!    n3  10.9.3.2 ──── c3 ┘  clients      ┘
//! ```
//!
//! The middle forwards between the cables. A rule of its routing tables drops what goes from one
//! address to another, silently, as a broken network does; the clients still reach both. So a leader
//! can be cut off from its followers while somebody goes on asking it.

use std::io::{self, Read};
use std::path::{Path, PathBuf};
use std::process::{self, Command, Output, Stdio};
use std::thread;

use crate::cluster::PLACES;

/// Set to the folder of the run, in the process inside.
const MARK: &str = "GROUNDWIRE_KV_FAULTS";
/// The port of each node.
const PORT: u16 = 7301;

/// Makes the drawing above, and for each node a disk that a test can fill.
const MAKE: &str = "
set -e
mount -t tmpfs none /run
ip link set lo up
for k in 1 2 3 4 5; do
    mkdir /run/disk$k; mount -t tmpfs -o size=32m none /run/disk$k
    ip netns add n$k
    ip link add c$k type veth peer name e0 netns n$k
    ip addr add 10.9.$k.1/24 dev c$k; ip link set c$k up
    ip -n n$k link set lo up
    ip -n n$k addr add 10.9.$k.2/24 dev e0; ip -n n$k link set e0 up
    ip -n n$k route add default via 10.9.$k.1
done
echo 1 > /proc/sys/net/ipv4/ip_forward
# The kernel may be without such rules.
ip rule add from 10.9.1.2 to 10.9.2.2 blackhole
ip rule del from 10.9.1.2 to 10.9.2.2 blackhole
set +e
";

/// The way between the nodes. Places count from 1.
pub enum Network {
    /// As in the drawing.
    Cables,
    /// Addresses of 127.0.0.0/8, of this process alone.
    Loopback { process: u32 },
}

/// The run's folder, in the process that runs inside the namespaces.
pub fn inside() -> Option<PathBuf> {
    let folder = std::env::var_os(MARK)?;
    end_with_the_outside();
    Some(folder.into())
}

/// Runs this program once more, inside: fails as it does. False where the machine does not allow
/// namespaces. All that is started inside ends with it, and it ends with this one.
pub fn run_inside(folder: &Path, tell: bool) -> bool {
    let unshare = |script: &str| {
        let mut unshare = Command::new("unshare");
        unshare
            .args(["--user", "--map-root-user", "--net", "--mount"])
            .args(["--pid", "--fork", "--kill-child", "sh", "-c"])
            .arg(format!("{MAKE}{script}"))
            .arg(std::env::current_exe().unwrap())
            .env(MARK, folder);
        unshare
    };
    if let Some(why) = why_not(unshare("exit 0").output()) {
        println!("no namespaces here: {why}");
        return false;
    }
    let mut again = unshare("exec \"$0\" --nocapture real_processes");
    if !tell {
        again.stdout(Stdio::piped()).stderr(Stdio::piped());
    }
    let mut inside = again.stdin(Stdio::piped()).spawn().unwrap();
    // Open as long as there is somebody to tell.
    let _alive = inside.stdin.take();
    let output = inside.wait_with_output().unwrap();
    println!("{}", String::from_utf8_lossy(&output.stdout));
    eprintln!("{}", String::from_utf8_lossy(&output.stderr));
    assert!(output.status.success(), "inside: {}", output.status);
    true
}

fn why_not(made: io::Result<Output>) -> Option<String> {
    match made {
        Ok(made) if made.status.success() => None,
        Ok(made) => Some(String::from_utf8_lossy(&made.stderr).trim().to_string()),
        Err(why) => Some(format!("unshare: {why}")),
    }
}

/// Ends the process inside, and with it all that is there, when the one outside has gone.
fn end_with_the_outside() {
    thread::spawn(|| {
        let _ = io::stdin().read(&mut [0]);
        process::exit(1);
    });
}

impl Network {
    pub fn cables() -> Self {
        Network::Cables
    }

    pub fn loopback() -> Self {
        let process = std::process::id();
        Network::Loopback { process }
    }

    pub fn has_cables(&self) -> bool {
        matches!(self, Network::Cables)
    }

    fn host(&self, place: usize) -> String {
        match self {
            Network::Cables => format!("10.9.{place}.2"),
            Network::Loopback { process } => {
                format!("127.{}.{}.{place}", 1 + process / 250 % 250, process % 250)
            }
        }
    }

    /// Where the node of a place listens.
    pub fn address(&self, place: usize) -> String {
        format!("{}:{PORT}", self.host(place))
    }

    /// A program that runs there.
    pub fn program(&self, place: usize, program: &str) -> Command {
        match self {
            Network::Cables => {
                let mut command = Command::new("ip");
                // It becomes the program: the process is ours to kill.
                command.args(["netns", "exec", &format!("n{place}"), program]);
                command
            }
            Network::Loopback { .. } => Command::new(program),
        }
    }

    /// The disk of a place.
    pub fn disk(&self, place: usize, folder: &Path) -> PathBuf {
        match self {
            Network::Cables => format!("/run/disk{place}").into(),
            Network::Loopback { .. } => folder.join(format!("disk{place}")),
        }
    }

    /// Drops all packets between two sets of nodes, in both directions.
    pub fn cut(&self, some: &[usize], others: &[usize]) {
        self.rules("add", some, others);
    }

    /// Ends that.
    pub fn mend(&self, some: &[usize], others: &[usize]) {
        self.rules("del", some, others);
    }

    fn rules(&self, act: &str, some: &[usize], others: &[usize]) {
        for one in some {
            for other in others {
                let (a, b) = (self.host(*one), self.host(*other));
                ip(&["rule", act, "from", &a, "to", &b, "blackhole"]);
                ip(&["rule", act, "from", &b, "to", &a, "blackhole"]);
            }
        }
    }

    /// Pulls a node's cable out of the middle: nobody reaches it.
    pub fn unplug(&self, place: usize) {
        ip(&["link", "set", &format!("c{place}"), "down"]);
    }

    /// Puts it in again.
    pub fn plug(&self, place: usize) {
        ip(&["link", "set", &format!("c{place}"), "up"]);
    }
}

fn ip(arguments: &[&str]) {
    let output = Command::new("ip").args(arguments).output().unwrap();
    let why = String::from_utf8_lossy(&output.stderr);
    assert!(output.status.success(), "ip {arguments:?}: {why}");
}

#[test]
fn the_script_makes_as_many_places_as_there_are() {
    let all: Vec<String> = PLACES.map(|place| place.to_string()).collect();
    assert!(MAKE.contains(&format!("for k in {}; do", all.join(" "))));
}
