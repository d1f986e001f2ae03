"""The cluster cases of bench.py: three nodes of `kv-server` beside three of etcd, on loopback, with fsync.

Each node is a process of its own with a folder of its own on the disk of this checkout (/tmp may be memory). Clients
send one request each at a time: keys of 8 bytes out of 1,000, values of 128. Both are as they come, but for etcd's
log. Each has a client of its own, since each has a protocol of its own: kv-load is Groundwire's library, etcd-load
etcd's (gRPC, in Go). Both speak to the leader. A client of kv-load has a connection to itself; those of etcd-load share
16, which is better for etcd than one each. CPU a request is that of all three nodes, then that of the load.
"""
import os, random, statistics, subprocess, sys, tempfile, time

import process

HERE = os.path.dirname(os.path.abspath(__file__))
BUILD = os.path.join(HERE, "build")
OURS, ETCD = "groundwire", "etcd"
SHARED = 16
NODES = (1, 2, 3)

# case: (put or get, clients, goals: ratio to a peer)
CASES = {f"kv-{what}-{clients}": (what, clients, {ETCD: 1.0}) for what in ("put", "get") for clients in (1, 64, 256)}


class Cluster:
    """Three nodes of one make."""

    def __init__(self, name, folder, ours):
        self.name, self.folder = name, folder
        self.ports = {node: process.free_port() for node in NODES}
        self.peer_ports = {node: process.free_port() for node in NODES}
        start = self.etcd if name == ETCD else self.kv_server
        self.processes = [start(node, ours) for node in NODES]
        self.addresses = ",".join(f"127.0.0.1:{port}" for port in self.ports.values())

    def spawn(self, node, command):
        with open(os.path.join(self.folder, f"{self.name}-{node}.log"), "w") as log:
            return subprocess.Popen(command, stdout=log, stderr=log)

    def kv_server(self, node, ours):
        peers = ",".join(f"{node}=127.0.0.1:{port}" for node, port in self.ports.items())
        data = os.path.join(self.folder, f"kv-{node}")
        return self.spawn(node, [os.path.join(ours, "kv-server"), "--id", str(node), "--data", data, "--peers", peers])

    def etcd(self, node, _):
        url = lambda port: f"http://127.0.0.1:{port}"
        peers = ",".join(f"n{node}={url(port)}" for node, port in self.peer_ports.items())
        client, peer = url(self.ports[node]), url(self.peer_ports[node])
        return self.spawn(node, [
            process.which("etcd"), "--name", f"n{node}", "--data-dir", os.path.join(self.folder, f"etcd-{node}"),
            "--listen-client-urls", client, "--advertise-client-urls", client, "--listen-peer-urls", peer,
            "--initial-advertise-peer-urls", peer, "--initial-cluster", peers, "--initial-cluster-state", "new",
            "--logger", "zap", "--log-level", "error", "--log-outputs", "stderr"])

    def load(self, what, clients, seconds):
        """Requests a second, the 50th and 99th percentile in us, CPU us a request of the nodes and of the load."""
        command = [os.path.join(BUILD, "etcd-load" if self.name == ETCD else "kv-load"), what, self.addresses, str(clients)]
        command += [str(min(clients, SHARED))] if self.name == ETCD else []
        before = self.cpu(), process.children_cpu()
        done = subprocess.run([*command, str(seconds)], capture_output=True, text=True)
        spent = self.cpu() - before[0], process.children_cpu() - before[1]
        if done.returncode or done.stdout.split()[3] != "0":
            sys.exit(f"bench: {self.name}: {(done.stdout + done.stderr).strip()[-2000:]}")
        rate, p50, p99, _ = map(float, done.stdout.split())
        # The warm-up is served, but not counted: 0.2 s more.
        served = rate * (seconds + 0.2)
        return rate, p50, p99, spent[0] / served * 1e6, spent[1] / served * 1e6

    def cpu(self):
        return sum(process.cpu_seconds(one.pid) for one in self.processes)

    def is_ready(self):
        """Whether it has a leader and takes a request."""
        command = [os.path.join(BUILD, "etcd-load" if self.name == ETCD else "kv-load"), "put", self.addresses, "1"]
        command += ["1"] if self.name == ETCD else []
        return subprocess.run([*command, "0.1"], capture_output=True).returncode == 0

    def stop(self):
        for one in self.processes:
            process.stop(one)


def missing(ours):
    """Why it cannot be measured, by contestant."""
    found = {}
    for name, program, load in ((OURS, os.path.join(ours, "kv-server"), "kv-load"), (ETCD, process.which("etcd"), "etcd-load")):
        if not (program and os.access(program, os.X_OK)):
            found[name] = "its server is not installed"
        elif not os.access(os.path.join(BUILD, load), os.X_OK):
            found[name] = f"build/{load} was not built"
    return found


def measure_all(cases, ours, rounds, seconds):
    absent = missing(ours)
    for name, why in absent.items():
        print(f"bench: {name} left out of the kv cases: {why}", file=sys.stderr)
    names = [name for name in (OURS, ETCD) if name not in absent]
    if OURS not in names:
        return
    print("| case | server | requests (median) | CPU a request: nodes + load | p50 | p99 | ours to theirs: median (range) "
          "| p99 to theirs | goal |\n|---|---|---|---|---|---|---|---|---|")
    with tempfile.TemporaryDirectory(dir=BUILD) as folder:
        clusters = []
        try:
            for name in names:
                clusters.append(Cluster(name, folder, ours))
            for cluster in clusters:
                until = time.monotonic() + 30
                while not cluster.is_ready():
                    if time.monotonic() > until:
                        sys.exit(f"bench: the cluster of {cluster.name} takes no requests")
                cluster.load("put", 64, 1.0)  # so that reads find something
            for case in cases:
                measure(case, clusters, rounds, seconds)
        finally:
            for cluster in clusters:
                cluster.stop()


def measure(case, clusters, rounds, seconds):
    what, clients, goals = CASES[case]
    runs = {cluster.name: [] for cluster in clusters}
    for _ in range(rounds):
        for cluster in random.sample(clusters, len(clusters)):
            runs[cluster.name].append(cluster.load(what, clients, seconds))
    for name, own in runs.items():
        rate, p50, p99, nodes, load = (statistics.median(run[i] for run in own) for i in range(5))
        row = f"| {case} | {name} | {rate:,.0f}/s | {nodes:.1f} + {load:.1f} us | {p50:,.0f} us | {p99:,.0f} us "
        if name == OURS:
            print(row + "| | | |", flush=True)
            continue
        ratios = sorted(ours[0] / theirs[0] for ours, theirs in zip(runs[OURS], own))
        tails = statistics.median(ours[2] / theirs[2] for ours, theirs in zip(runs[OURS], own))
        print(f"{row}| {statistics.median(ratios):.2f} ({ratios[0]:.2f} to {ratios[-1]:.2f}) | {tails:.2f} "
              f"| {goals[name]:.2f} |", flush=True)
