#!/usr/bin/env python3
"""Measures ours beside the peers, in one run, and prints ratios: echo, calls by name, DNS, proxies, clusters, codecs,
packets.

Every case starts all contestants, then goes round them several times: one short run of `loadgen`
each, always in a new order. A ratio compares two runs of the same round, since machines have fast
and slow minutes; the table shows the median ratio and its range over the rounds, and the CPU that
the server spent on a request.

    tests/peers/bench.py                    all cases, 7 rounds of 1 s each
    tests/peers/bench.py --rounds 3 tcp-1 udp-1
    tests/peers/bench.py --quick proxy      all cases of the load balancer in about a minute
    tests/peers/bench.py kv                 all cases of the replicated store
    tests/peers/bench.py packets            captures, netcat, wiretap
    tests/peers/bench.py --list

The programs come from target/release (`make build`), the peers from tests/peers/build
(tests/peers/build.sh); a peer that was not built is left out and said so.
"""
import argparse, json, os, platform, random, resource, shutil, statistics, subprocess, sys, tempfile, time

import cluster, dnsperf, packets, process, proxy

HERE = os.path.dirname(os.path.abspath(__file__))
OURS = os.path.join(os.environ.get("CARGO_TARGET_DIR", os.path.join(HERE, "../../target")), "release")
PEERS = {name: os.path.join(HERE, "build", f"echo-{name}") for name in ("go", "tokio", "epoll", "threads")}

# An address for each client of churn-8. From one address, the 28,232 ports that Linux gives out are gone in
# two seconds, and then every server makes some 14,000 connections a second: as many as leave TIME-WAIT.
SOURCES = [word for last in range(1, 9) for word in ("--source", f"127.0.1.{last}")]

# case: (network, arguments of loadgen, goals: ratio to a peer)
# A case whose name ends in "-cpu0" has server and load on one CPU: with one request under way at a
# time, a second CPU adds only the time that it takes to wake, which varies threefold from run to run.
CASES = {
    "tcp-1": ("tcp", ["-c", "1"], {"go": 1.25, "tokio": 1.08}),
    "tcp-1-cpu0": ("tcp", ["-c", "1"], {"go": 1.25, "tokio": 1.08}),
    "tcp-64": ("tcp", ["-c", "64"], {"go": 1.15, "tokio": 0.85}),
    "tcp-1000": ("tcp", ["-c", "1000"], {"go": 1.0}),
    "tcp-16k-64": ("tcp", ["-c", "64", "-s", "16KiB"], {"go": 1.0}),
    "udp-1": ("udp", ["-c", "1"], {"go": 1.4}),
    "udp-1-cpu0": ("udp", ["-c", "1"], {"go": 1.4}),
    "udp-64": ("udp", ["-c", "64"], {"go": 1.35}),
    "unix-1": ("unix", ["-c", "1"], {"go": 1.45}),
    "unix-1-cpu0": ("unix", ["-c", "1"], {"go": 1.45}),
    "unix-64": ("unix", ["-c", "64"], {"go": 0.8}),
    "churn-8": ("tcp", ["-c", "8", "-t", "8", "--churn"] + SOURCES, {"go": 1.25, "tokio": 1.05}),
}
MEMORY = "memory-10000"

# Calls by name. case: (callers, connections, goals). Every contestant has a client of its own.
RPC_CASES = {
    "rpc-1": (1, 1, {"go": 2.0, "tarpc": 2.2}),
    "rpc-1-cpu0": (1, 1, {"go": 2.0, "tarpc": 2.2}),
    "rpc-64-on-1": (64, 1, {"go": 2.2, "tarpc": 1.5}),
    "rpc-64-on-64": (64, 64, {"go": 1.0}),
}
RPC_PEERS = {
    "groundwire": (os.path.join(HERE, "build/rpc-peers"), ["ours"]),
    "go": (os.path.join(HERE, "build/rpc-go"), []),
    "tarpc": (os.path.join(HERE, "build/rpc-peers"), ["tarpc"]),
}
# The wire format beside other codecs: prints tables of its own.
CODEC = "codec"
# DNS messages beside hickory-proto: the same.
DNS_CODEC = "dns-codec"
# Raft in memory beside raft-rs; the elections of the paper's Figure 16; the simulation's speed.
RAFT_CORE, ELECTION, SIMULATION = "raft-core", "raft-election", "raft-simulation"
# A program that looks one name up, from its start to its end, beside others that do the same.
LOOKUP = "lookup"
LOOKUP_GOALS = {"dig": 1.0, "host": 1.0}


class Server:
    """A contestant under test: a process whose first line ends in its address."""

    def __init__(self, name, network, folder, pin=()):
        self.name = name
        address = os.path.join(folder, f"{name}.sock") if network == "unix" else "127.0.0.1:0"
        if name == "groundwire":
            command = [os.path.join(OURS, f"{network}-echo-server"), address]
            if network == "tcp":
                command += ["--max-connections", "20000"]
        else:
            command = [PEERS[name], network, address]
        self.process = subprocess.Popen([*pin, *command], stdout=subprocess.PIPE, text=True)
        self.address = self.process.stdout.readline().split()[-1]

    def resident_kib(self):
        for line in open(f"/proc/{self.process.pid}/status"):
            if line.startswith("VmRSS:"):
                return int(line.split()[1])


def load(network, address, arguments, seconds, pin=()):
    command = [*pin, os.path.join(OURS, "loadgen"), "--json", "-w", "200ms", "-d", f"{seconds}s", *arguments]
    done = subprocess.run([*command, network, address], capture_output=True, text=True)
    if not done.stdout:
        sys.exit(f"bench: {done.stderr.strip()}")
    result = json.loads(done.stdout)
    if sum(result["errors"].values()):
        sys.exit(f"bench: {network} {address}: errors {result['errors']}")
    return result


def measure(case, contestants, rounds, seconds):
    network, arguments, goals = CASES[case]
    pin = ("taskset", "-c", "0") if case.endswith("-cpu0") else ()
    if network == "udp":  # where there are no connections, there is no thread for each
        contestants = [name for name in contestants if name != "threads"]
    with tempfile.TemporaryDirectory() as folder:
        servers = [Server(name, network, folder, pin) for name in contestants]
        rates = {name: [] for name in contestants}
        cpu = {name: [] for name in contestants}
        p99 = {name: [] for name in contestants}
        for _ in range(rounds):
            for server in random.sample(servers, len(servers)):
                before = process.cpu_seconds(server.process.pid)
                result = load(network, server.address, arguments, seconds, pin)
                spent = process.cpu_seconds(server.process.pid) - before
                rates[server.name].append(result["requests_per_second"])
                # The warm-up is served, but not counted: 0.2 s more.
                cpu[server.name].append(spent / (result["requests"] * (1 + 0.2 / seconds)) * 1e6)
                p99[server.name].append(result["latency_ns"]["p99"] / 1e3)
        for server in servers:
            process.stop(server.process)
    for name in contestants:
        row = f"| {case} | {name} | {statistics.median(rates[name]):,.0f}/s "
        row += f"| {statistics.median(cpu[name]):.1f} us | {statistics.median(p99[name]):,.0f} us |"
        if name == "groundwire":
            print(row + " | |", flush=True)
            continue
        ratios = sorted(ours / theirs for ours, theirs in zip(rates["groundwire"], rates[name]))
        goal = f"{goals[name]:.2f}" if name in goals else ""
        print(f"{row} {statistics.median(ratios):.2f} ({ratios[0]:.2f} to {ratios[-1]:.2f}) | {goal} |", flush=True)


class Caller:
    """A contestant in calls by name: its server, and its client for each run."""

    def __init__(self, name, pin=()):
        program, who = RPC_PEERS[name]
        self.name, self.command = name, [*pin, program, *who]
        self.server = subprocess.Popen([*self.command, "server"], stdout=subprocess.PIPE, text=True)
        self.address = self.server.stdout.readline().strip()

    def run(self, callers, connections, seconds):
        """Calls a second, the 99th percentile in microseconds, CPU microseconds a call on both sides."""
        before = process.cpu_seconds(self.server.pid), process.children_cpu()
        arguments = ["client", self.address, str(callers), str(connections), str(seconds)]
        done = subprocess.run([*self.command, *arguments], capture_output=True, text=True, check=True)
        rate, _, p99, wrong = done.stdout.split()
        if wrong != "0":
            sys.exit(f"bench: rpc {self.name}: {wrong} wrong results")
        calls = float(rate) * seconds
        spent = process.cpu_seconds(self.server.pid) - before[0], process.children_cpu() - before[1]
        return float(rate), float(p99), spent[0] / calls * 1e6, spent[1] / calls * 1e6


def measure_rpc(case, rounds, seconds):
    callers, connections, goals = RPC_CASES[case]
    pin = ("taskset", "-c", "0") if case.endswith("-cpu0") else ()
    names = [name for name, (program, _) in RPC_PEERS.items() if os.access(program, os.X_OK)]
    if "groundwire" not in names:
        return print(f"bench: {case} left out: build/rpc-peers was not built", file=sys.stderr)
    contestants = [Caller(name, pin) for name in names]
    runs = {name: [] for name in names}
    for _ in range(rounds):
        for contestant in random.sample(contestants, len(contestants)):
            runs[contestant.name].append(contestant.run(callers, connections, seconds))
    for contestant in contestants:
        contestant.server.kill()
        contestant.server.wait()
    for name in names:
        rate, p99, server, client = (statistics.median(run[i] for run in runs[name]) for i in range(4))
        row = f"| {case} | {name} | {rate:,.0f}/s | {server:.1f} + {client:.1f} us | {p99:,.0f} us "
        if name == "groundwire":
            print(row + "| | |", flush=True)
            continue
        ratios = sorted(ours[0] / theirs[0] for ours, theirs in zip(runs["groundwire"], runs[name]))
        goal = f"{goals[name]:.2f}" if name in goals else ""
        print(f"{row}| {statistics.median(ratios):.2f} ({ratios[0]:.2f} to {ratios[-1]:.2f}) | {goal} |", flush=True)


def tables(case, title, program, *arguments):
    """Runs a program of build/ that prints its own table."""
    path = os.path.join(HERE, "build", program)
    if not os.access(path, os.X_OK):
        return print(f"bench: {case} left out: build/{program} was not built", file=sys.stderr)
    print(f"\n{title}", end="", flush=True)
    subprocess.run([path, *arguments], check=True)


def codec(rounds):
    gob = os.path.join(HERE, "build/rpc-go")
    gob = [gob] if os.access(gob, os.X_OK) else []
    tables(CODEC, "Codecs: ", "codec-bench", str(3 * rounds), *gob)


def lookup(rounds, runs=50):
    """The whole time of a process that asks a local NSD for an address and prints it."""
    tools = {name: shutil.which(name) for name in LOOKUP_GOALS}
    nsd = process.which("nsd")
    if not nsd:
        return print("bench: lookup left out: nsd is not installed", file=sys.stderr)
    port = process.free_port()
    commands = {
        "groundwire": [os.path.join(OURS, "lookup"), "--short", "-t", "a", f"@127.0.0.1:{port}", "www.lab.test"],
        "dig": [tools["dig"], "+short", "-p", str(port), "@127.0.0.1", "www.lab.test"],
        "host": [tools["host"], "-t", "a", "-p", str(port), "www.lab.test", "127.0.0.1"],
    }
    commands = {name: command for name, command in commands.items() if command[0]}
    with tempfile.TemporaryDirectory() as folder:
        with open(f"{folder}/zone", "w") as zone:
            zone.write("$TTL 60\n@ SOA ns who 1 2 3 4 5\n@ NS ns\nns A 127.0.0.1\nwww A 192.0.2.1\n")
        with open(f"{folder}/conf", "w") as conf:
            conf.write(f'server:\n ip-address: 127.0.0.1\n port: {port}\n username: ""\n zonesdir: "{folder}"\n'
                       f' database: ""\n pidfile: "{folder}/pid"\n xfrdfile: ""\n zonelistfile: "{folder}/list"\n'
                       f'remote-control:\n control-enable: no\nzone:\n name: lab.test\n zonefile: zone\n')
        server = subprocess.Popen([nsd, "-d", "-c", f"{folder}/conf"], stderr=subprocess.DEVNULL)
        try:
            while subprocess.run(commands["groundwire"], capture_output=True).returncode:
                if server.poll() is not None:
                    return print("bench: lookup left out: nsd has ended", file=sys.stderr)
            times = {name: [] for name in commands}
            for _ in range(rounds):
                for name in random.sample(list(commands), len(commands)):
                    begun = time.monotonic()
                    for _ in range(runs):
                        subprocess.run(commands[name], stdout=subprocess.DEVNULL, check=True)
                    times[name].append((time.monotonic() - begun) / runs * 1e3)
        finally:
            server.terminate()
            server.wait()
    for name, own in times.items():
        ratios = [theirs / ours for theirs, ours in zip(own, times["groundwire"])]
        ratio = f"{statistics.median(ratios):.2f} ({min(ratios):.2f} to {max(ratios):.2f})"
        ratio, goal = ("", "") if name == "groundwire" else (ratio, LOOKUP_GOALS[name])
        print(f"| {LOOKUP} | {name} | {statistics.median(own):.2f} ms each | | | {ratio} | {goal} |", flush=True)


def memory(contestants, count=10_000):
    """Resident memory of a server that holds idle connections, each of which has asked once."""
    for name in contestants:
        with tempfile.TemporaryDirectory() as folder:
            server = Server(name, "tcp", folder)
            before = server.resident_kib()
            holder = subprocess.Popen(
                [os.path.join(OURS, "loadgen"), "-c", str(count), "--hold", "60s", "tcp", server.address],
                stdout=subprocess.PIPE, text=True)
            line = holder.stdout.readline().strip()
            after = server.resident_kib()
            holder.terminate()
            holder.wait()
            process.stop(server.process)
            held = int(line.split()[1]) if line else 0
            each = (after - before) / held if held else float("nan")
            goal = "20.0" if name == "groundwire" else ""
            print(f"| {MEMORY} | {name} | {held:,} held | {each:.1f} KiB each | | | {goal} |", flush=True)


def measure_all(cases, rounds, seconds):
    contestants = ["groundwire"]
    for name, path in PEERS.items():
        if os.access(path, os.X_OK):
            contestants.append(name)
        else:
            print(f"bench: {name} left out: {os.path.relpath(path)} was not built", file=sys.stderr)
    if set(cases) - {CODEC, DNS_CODEC, RAFT_CORE, ELECTION}:
        print("| case | server | requests (median) | CPU a request | p99 | ours to theirs: median (range) | goal |")
        print("|---|---|---|---|---|---|---|")
    for case in cases:
        if case == MEMORY:
            memory(contestants)
        elif case == CODEC:
            codec(rounds)
        elif case == DNS_CODEC:
            tables(DNS_CODEC, "DNS messages: ", "dns-bench", str(6 * rounds))
        elif case == RAFT_CORE:
            tables(RAFT_CORE, "Three nodes in memory:\n\n", "raft-rs-bench", str(6 * rounds))
        elif case == ELECTION:
            tables(ELECTION, "Time without a leader after a crash. ", "raft-bench", "election")
        elif case == SIMULATION:
            tables(SIMULATION, "", "raft-bench", "simulation", str(rounds * seconds))
        elif case == LOOKUP:
            lookup(rounds)
        elif case in dnsperf.CASES:
            dnsperf.measure(case, OURS, rounds, seconds)
        elif case in RPC_CASES:
            measure_rpc(case, rounds, seconds)
        else:
            measure(case, contestants, rounds, seconds)


def main():
    parser = argparse.ArgumentParser(description=__doc__.split("\n")[0])
    parser.add_argument("cases", nargs="*", metavar="CASE")
    parser.add_argument("--rounds", type=int, default=7)
    parser.add_argument("--seconds", type=float, default=1.0)
    parser.add_argument("--quick", action="store_true", help="2 rounds; proxies without go-plain and calls")
    parser.add_argument("--without", action="append", default=[], metavar="PROXY",
                        help="leave it out of the proxy cases")
    parser.add_argument("--list", action="store_true")
    options = parser.parse_args()
    options.rounds = 2 if options.quick else options.rounds
    groups = {"proxy": proxy.CASES, "kv": cluster.CASES, "packets": packets.CASES}
    names = [*CASES, MEMORY, *RPC_CASES, CODEC, *dnsperf.CASES, DNS_CODEC, LOOKUP, *proxy.CASES,
             RAFT_CORE, ELECTION, SIMULATION, *cluster.CASES, *packets.CASES]
    if options.list:
        return print("\n".join(names))
    # `proxy`, `kv` and `packets` stand for all of their kind.
    cases = [case for given in options.cases for case in groups.get(given, [given])] or names
    unknown = [case for case in cases if case not in names]
    if unknown:
        parser.error(f"no case {unknown[0]}; the cases are {', '.join(names)}")
    limit = resource.getrlimit(resource.RLIMIT_NOFILE)
    resource.setrlimit(resource.RLIMIT_NOFILE, (limit[1], limit[1]))
    print(f"{time.strftime('%Y-%m-%d')}, {platform.system()} {platform.release()}, {os.cpu_count()} CPUs, "
          f"{options.rounds} rounds of {options.seconds:g} s\n")
    proxies, clusters, wires = ([case for case in cases if case in group] for group in groups.values())
    others = [case for case in cases if case not in proxies + clusters + wires]
    if others:
        measure_all(others, options.rounds, options.seconds)
        print()
    if proxies:
        proxy.measure_all(proxies, OURS, options.rounds, options.seconds, options.without, options.quick)
        print()
    if clusters:
        cluster.measure_all(clusters, OURS, options.rounds, options.seconds)
        print()
    if wires:
        packets.measure_all(wires, OURS, options.rounds, options.seconds)


if __name__ == "__main__":
    main()
