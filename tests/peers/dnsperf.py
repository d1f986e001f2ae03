"""The DNS cases of bench.py: `dns-server` beside NSD and Knot under dnsperf, on the same zone.

The zone has 10,000 names with an address each, some with more; the questions are for those, for
names that are not there and for types that are not, in a fixed shuffle. All servers have two workers
and their logs off. dnsperf keeps 200 questions under way from 16 sockets, on one thread.
"""
import os, random, re, socket, statistics, subprocess, sys, tempfile, time

import process

# case: (mode of dnsperf, its arguments, goals)
CASES = {
    "dns-udp": ("udp", ["-c", "16", "-q", "200"], {"nsd": 1.05, "knot": 1.05}),
    "dns-tcp": ("tcp", ["-c", "16", "-q", "200"], {}),
}
NAMES = 10_000


def write_zone(path):
    with open(path, "w") as zone:
        zone.write("$ORIGIN bench.example.\n$TTL 3600\n")
        zone.write("@ IN SOA ns1 hostmaster 1 7200 900 1209600 300\n@ NS ns1\n@ NS ns2\n@ MX 10 mail\n")
        zone.write("ns1 A 192.0.2.1\nns2 A 192.0.2.2\nmail A 192.0.2.3\n")
        for number in range(NAMES):
            zone.write(f"host{number} A 10.{number >> 16 & 255}.{number >> 8 & 255}.{number & 255}\n")
            if number % 4 == 0:
                zone.write(f"host{number} AAAA 2001:db8::{number:x}\n")
            if number % 10 == 0:
                zone.write(f"alias{number} CNAME host{number}\nhost{number} TXT \"number {number}\"\n")


def write_questions(path, count=50_000):
    chosen = random.Random(1)
    with open(path, "w") as questions:
        for _ in range(count):
            number = chosen.randrange(NAMES)
            kind = chosen.random()
            if kind < 0.75:
                questions.write(f"host{number}.bench.example A\n")
            elif kind < 0.85:
                questions.write(f"host{number}.bench.example AAAA\n")
            elif kind < 0.90:
                questions.write(f"alias{number // 10 * 10}.bench.example A\n")
            elif kind < 0.95:
                questions.write(f"none{number}.bench.example A\n")
            else:
                questions.write("bench.example MX\n")


NSD = """server:
  ip-address: 127.0.0.1@{port}
  server-count: 2
  reuseport: yes
  username: ""
  chroot: ""
  database: ""
  zonesdir: "{folder}"
  pidfile: "{folder}/nsd.pid"
  xfrdfile: "{folder}/xfrd.state"
  zonelistfile: "{folder}/zone.list"
  rrl-ratelimit: 0
  tcp-count: 100
  minimal-responses: {minimal}
remote-control:
  control-enable: no
zone:
  name: bench.example
  zonefile: bench.zone
"""
KNOT = """server:
  listen: 127.0.0.1@{port}
  rundir: {folder}
  udp-workers: 2
  tcp-workers: 2
database:
  storage: {folder}/knot
log:
  - target: stderr
    any: error
zone:
  - domain: bench.example
    file: {folder}/bench.zone
    zonefile-sync: -1
    journal-content: none
"""


class Server:
    def __init__(self, name, ours, folder):
        self.name, self.port = name, process.free_port()
        if name == "groundwire":
            command = [os.path.join(ours, "dns-server"), "--workers", "2", "--listen", f"127.0.0.1:{self.port}",
                       "--zone", f"bench.example={folder}/bench.zone"]
        else:
            file = os.path.join(folder, f"{name}.conf")
            with open(file, "w") as config:
                text = NSD if name == "nsd" else KNOT
                config.write(text.format(port=self.port, folder=folder, minimal="no"))
            command = [process.which("nsd"), "-d", "-c", file] if name == "nsd" else [
                process.which("knotd"), "-c", file]
        self.process = subprocess.Popen(command, stdout=subprocess.DEVNULL, stderr=subprocess.DEVNULL)
        self.wait()

    def wait(self):
        """Until it answers."""
        question = bytes.fromhex("000100000001000000000000") + b"\x05bench\x07example\x00\x00\x06\x00\x01"
        deadline = time.monotonic() + 20
        with socket.socket(type=socket.SOCK_DGRAM) as asker:
            asker.settimeout(0.2)
            asker.connect(("127.0.0.1", self.port))
            while time.monotonic() < deadline:
                try:
                    asker.send(question)
                    if asker.recv(4096)[3] & 15 == 0:
                        return
                except OSError:
                    time.sleep(0.05)
        sys.exit(f"bench: {self.name} does not answer")


def load(server, questions, mode, arguments, seconds):
    """Queries a second, lost, average latency in microseconds, queries."""
    command = ["dnsperf", "-s", "127.0.0.1", "-p", str(server.port), "-m", mode, "-d", questions, "-T", "1",
               "-l", f"{seconds:g}", *arguments]
    done = subprocess.run(command, capture_output=True, text=True)
    def number(what):
        found = re.search(rf"{what}:\s+([0-9.]+)", done.stdout)
        if not found:
            sys.exit(f"bench: dnsperf: {done.stdout} {done.stderr}")
        return float(found.group(1))
    return (number("Queries per second"), number("Queries lost"), number(r"Average Latency \(s\)") * 1e6,
            number("Queries sent"))


def measure(case, ours, rounds, seconds):
    mode, arguments, goals = CASES[case]
    if not process.which("dnsperf"):
        return print(f"bench: {case} left out: dnsperf is not installed", file=sys.stderr)
    names = ["groundwire"] + [name for name, program in (("nsd", "nsd"), ("knot", "knotd"))
                              if process.which(program)]
    seconds = max(1, round(seconds))  # dnsperf takes whole ones
    with tempfile.TemporaryDirectory() as folder:
        questions = os.path.join(folder, "questions")
        write_zone(os.path.join(folder, "bench.zone"))
        write_questions(questions)
        servers = [Server(name, ours, folder) for name in names]
        runs = {name: [] for name in names}
        for _ in range(rounds):
            for server in random.sample(servers, len(servers)):
                before = process.cpu_seconds(server.process.pid)
                rate, lost, latency, sent = load(server, questions, mode, arguments, seconds)
                spent = process.cpu_seconds(server.process.pid) - before
                runs[server.name].append((rate, latency, spent / sent * 1e6, lost))
        for server in servers:
            process.stop(server.process)
    for name in names:
        rate, latency, cpu = (statistics.median(run[i] for run in runs[name]) for i in range(3))
        lost = sum(run[3] for run in runs[name])
        row = f"| {case} | {name} | {rate:,.0f}/s | {cpu:.1f} us | {latency:,.0f} us | {lost:.0f} "
        if name == "groundwire":
            print(row + "| | |", flush=True)
            continue
        ratios = sorted(a[0] / b[0] for a, b in zip(runs["groundwire"], runs[name]))
        goal = f"{goals[name]:.2f}" if name in goals else ""
        print(f"{row}| {statistics.median(ratios):.2f} ({ratios[0]:.2f} to {ratios[-1]:.2f}) | {goal} |", flush=True)
