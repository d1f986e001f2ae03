"""The load balancer's cases of bench.py: `load-balancer` beside nginx, HAProxy and Go's ReverseProxy under wrk.

All stand before the same two backends, each an nginx with one worker that answers from memory, and take them in
turn. wrk has one thread, so that the contestant has what is left of the machine. nginx and HAProxy are as a
careful operator sets them for this: a worker or thread for each CPU with a listening socket of its own,
connections to the backends kept and reused, no log. nginx has buffers for a whole body; in the cases with 100 KiB
it is there a second time, passing on what it has as ours does (`proxy_buffering off`). `groundwire-logged` is ours
with its access log on, compared with ours without.

Memory is the peak of all processes of a contestant, with what they share in each. System calls are counted by
perf, or by strace where perf can't, in a run of their own after the rounds; those that make and end the connections
are among them, which shows from 256 on.
"""
import contextlib, http.client, os, random, re, statistics, subprocess, sys, tempfile, time

import process

HERE = os.path.dirname(os.path.abspath(__file__))
GO = os.path.join(HERE, "build/proxy-go")
CPUS = os.cpu_count()
SIZES = {"/1k": 1024, "/100k": 100 * 1024}

# case: (connections, path, goals: ratio to a peer; of ours, system calls a request and MiB)
GO_GOALS = {"go-tuned": 1.8, "go-plain": 4.0}
CASES = {
    "proxy-1": (1, "/1k", {"nginx": 1.15, "haproxy": 1.25, **GO_GOALS, "calls": 4}),
    "proxy-64": (64, "/1k", {"nginx": 0.95, "haproxy": 0.95, **GO_GOALS, "calls": 4}),
    "proxy-256": (256, "/1k", {"nginx": 0.85, "haproxy": 0.85, **GO_GOALS}),
    "proxy-1000": (1000, "/1k", {"nginx": 0.9, "haproxy": 0.9, **GO_GOALS, "MiB": 28}),
    "proxy-100k-1": (1, "/100k", {"nginx": 1.1, "calls": 6}),
    "proxy-100k-64": (64, "/100k", {"nginx": 1.0, "haproxy": 1.1, "calls": 6}),
}
OURS, LOGGED, LOGGED_GOAL = "groundwire", "groundwire-logged", 0.9
UNBUFFERED = "nginx-unbuffered"
CONTESTANTS = [OURS, LOGGED, "nginx", UNBUFFERED, "haproxy", "go-tuned", "go-plain"]

NGINX = """daemon off;
user root;
pid {folder}/{name}.pid;
error_log stderr crit;
worker_processes {workers};
worker_rlimit_nofile 20000;
events {{
  worker_connections 9000;
  multi_accept on;
}}
http {{
  access_log off;
  tcp_nodelay on;
  keepalive_requests 1000000000;
  keepalive_timeout 600s;
  client_body_temp_path {folder}/{name}-body;
  proxy_temp_path {folder}/{name}-proxy;
  fastcgi_temp_path {folder}/{name}-fastcgi;
  uwsgi_temp_path {folder}/{name}-uwsgi;
  scgi_temp_path {folder}/{name}-scgi;
{http}}}
"""
BACKEND = """  sendfile on;
  tcp_nopush on;
  open_file_cache max=16 inactive=1h;
  open_file_cache_valid 1h;
  server {{
    listen 127.0.0.1:{port} backlog=4096;
    root {folder};
    default_type text/plain;
    add_header X-Backend {name};
    location = /1k {{ return 200 "{body}"; }}
  }}
"""
NGINX_PROXY = """  upstream backends {{
    server 127.0.0.1:{backends[0]};
    server 127.0.0.1:{backends[1]};
    keepalive 1024;
    keepalive_requests 1000000000;
    keepalive_timeout 600s;
  }}
  server {{
    listen 127.0.0.1:{port} reuseport backlog=4096;
    location / {{
      proxy_pass http://backends;
      proxy_http_version 1.1;
      proxy_set_header Connection "";
      proxy_buffer_size {buffer};
      proxy_buffers 4 128k;
      proxy_busy_buffers_size 256k;
      proxy_buffering {buffering};
    }}
  }}
"""
HAPROXY = """global
  nbthread {cpus}
  cpu-map auto:1/1-{cpus} 0-{last_cpu}
  maxconn 9000
defaults
  mode http
  timeout connect 5s
  timeout client 600s
  timeout server 600s
  http-reuse always
frontend here
  bind 127.0.0.1:{port} shards by-thread backlog 4096
  default_backend there
backend there
  balance roundrobin
  server one 127.0.0.1:{backends[0]}
  server two 127.0.0.1:{backends[1]}
"""
# What wrk says at its end, for a program to read.
REPORT = """function done(summary, latency)
  local e = summary.errors
  print(string.format("report %d %d %d %d", summary.requests, summary.duration, latency:percentile(99),
    e.connect + e.read + e.write + e.timeout + e.status))
end
"""


class Server:
    """A process with a port: a backend or a contestant."""

    def __init__(self, name, folder, command, port=None):
        """Without a port it takes one and says it on its first line."""
        self.name, self.port, self.log = name, port, os.path.join(folder, f"{name}.log")
        with open(self.log, "w") as log:
            self.process = subprocess.Popen(command, stdout=log if port else subprocess.PIPE, stderr=log, text=True)
        if not port:
            line = self.process.stdout.readline()
            self.port = int(line.rsplit(":", 1)[1]) if ":" in line else self.fail("does not start")

    def fail(self, what):
        process.stop(self.process)
        sys.exit(f"bench: {self.name} {what}: {open(self.log).read()[-2000:]}")

    def replies(self, path, count):
        """The lengths and the backends of replies on one connection."""
        found, connection = [], http.client.HTTPConnection("127.0.0.1", self.port, timeout=5)
        for _ in range(count):
            connection.request("GET", path)
            reply = connection.getresponse()
            found.append((len(reply.read()), reply.getheader("X-Backend")))
        connection.close()
        return found

    def check(self, backends):
        """Waits until it answers; then every body must be whole, and no backend be left out."""
        deadline = time.monotonic() + 10
        while True:
            try:
                self.replies("/1k", 1)
                break
            except OSError:
                if time.monotonic() > deadline or self.process.poll() is not None:
                    self.fail("does not answer")
                time.sleep(0.05)
        for path, size in SIZES.items():
            found = self.replies(path, 4 * backends)
            if {length for length, _ in found} != {size} or len({name for _, name in found}) != backends:
                self.fail(f"answers {path} with {found}")

    def peak_mib(self):
        kib = 0
        for pid in process.family(self.process.pid):
            kib += int(re.search(r"VmHWM:\s+(\d+)", open(f"/proc/{pid}/status").read()).group(1))
        return kib / 1024


def nginx(name, folder, http, workers, **values):
    port = process.free_port()
    config = os.path.join(folder, f"{name}.conf")
    with open(config, "w") as file:
        http = http.format(name=name, port=port, folder=folder, **values)
        file.write(NGINX.format(name=name, folder=folder, workers=workers, http=http))
    return Server(name, folder, [process.which("nginx"), "-p", folder, "-e", "stderr", "-c", config], port)


def haproxy(folder, backends):
    port = process.free_port()
    config = os.path.join(folder, "haproxy.conf")
    with open(config, "w") as file:
        file.write(HAPROXY.format(cpus=CPUS, last_cpu=CPUS - 1, port=port, backends=backends))
    return Server("haproxy", folder, [process.which("haproxy"), "-q", "-db", "-f", config], port)


def contestant(name, ours, folder, backends):
    urls = [f"http://127.0.0.1:{port}" for port in backends]
    if name == "nginx":
        return nginx(name, folder, NGINX_PROXY, CPUS, backends=backends, buffering="on", buffer="8k")
    if name == UNBUFFERED:
        return nginx(name, folder, NGINX_PROXY, CPUS, backends=backends, buffering="off", buffer="64k")
    if name == "haproxy":
        return haproxy(folder, backends)
    if name.startswith("go-"):
        return Server(name, folder, [GO, name.removeprefix("go-"), "127.0.0.1:0", *urls])
    command = [os.path.join(ours, "load-balancer"), "--listen", "127.0.0.1:0", "--keep-alive", "1024"]
    for url in urls:
        command += ["--backend", url]
    if name == LOGGED:
        command += ["--access-log", os.path.join(folder, "access.log")]
    return Server(name, folder, command)


def missing(name, ours):
    """Why a contestant can't take part, if so."""
    if name in ("nginx", UNBUFFERED, "haproxy"):
        return None if process.which(name.removesuffix("-unbuffered")) else "it is not installed"
    program = GO if name.startswith("go-") else os.path.join(ours, "load-balancer")
    return None if os.access(program, os.X_OK) else f"{os.path.relpath(program)} was not built"


class Load:
    def __init__(self, folder, connections, path):
        self.script, self.connections, self.path = os.path.join(folder, "report.lua"), connections, path
        with open(self.script, "w") as file:
            file.write(REPORT)

    def command(self, server, seconds):
        return [process.which("wrk"), "-t", "1", "-c", str(self.connections), "-d", f"{seconds}s", "--timeout", "10s",
                "-s", self.script, f"http://127.0.0.1:{server.port}{self.path}"]

    def run(self, server, seconds, around=()):
        """Requests, requests a second, 99th percentile in us, failed requests, what `around` said."""
        done = subprocess.run([*around, *self.command(server, seconds)], capture_output=True, text=True)
        report = re.search(r"^report (\d+) (\d+) (\d+) (\d+)$", done.stdout, re.MULTILINE)
        if not report or report.group(1) == "0":
            sys.exit(f"bench: {server.name}: wrk: {done.stdout} {done.stderr}")
        requests, microseconds, p99, failed = map(int, report.groups())
        return requests, requests / microseconds * 1e6, p99, failed, done.stderr

    def calls(self, server):
        """System calls of the server for each request, if they can be counted."""
        pids = [str(pid) for pid in process.family(server.process.pid)]
        perf, strace = process.which("perf"), process.which("strace")
        counting = [perf, "stat", "-x,", "-e", "raw_syscalls:sys_enter", "-p", ",".join(pids), "--"]
        if perf and subprocess.run([*counting, "true"], capture_output=True).returncode == 0:
            requests, _, _, _, said = self.run(server, 1, counting)
            return int(re.search(r"^(\d+),,raw_syscalls", said, re.MULTILINE).group(1)) / requests
        if strace:
            tracing = [strace, "-c", "-f", "-qq"] + [part for pid in pids for part in ("-p", pid)]
            with subprocess.Popen(tracing, stderr=subprocess.PIPE, text=True) as tracer:
                time.sleep(0.5)  # It does not say when it has them all; a few calls missed don't matter.
                requests = self.run(server, 1)[0]
                tracer.terminate()
                total = re.search(r"^100\.00 +\S+ +\d+ +(\d+) .*total$", tracer.communicate()[1], re.MULTILINE)
            return int(total.group(1)) / requests if total else None
        return None


@contextlib.contextmanager
def running(servers):
    """Stops what was started, however the measurement ends."""
    try:
        yield servers
    finally:
        for server in servers:
            process.stop(server.process)


def measure(case, names, ours, rounds, seconds, quick):
    connections, path, goals = CASES[case]
    if connections >= 1000 and not quick:
        seconds *= 2  # To make so many takes part of the first.
    memory = "/dev/shm" if os.path.isdir("/dev/shm") else None
    with tempfile.TemporaryDirectory(dir=memory) as folder, running([]) as servers:
        with open(os.path.join(folder, "100k"), "w") as file:
            file.write("x" * SIZES["/100k"])
        for name in ("one", "two"):
            servers.append(nginx(name, folder, BACKEND, 1, body="x" * SIZES["/1k"]))
            servers[-1].check(backends=1)
        ports = [server.port for server in servers]
        for name in (name for name in names if name != UNBUFFERED or path == "/100k"):
            servers.append(contestant(name, ours, folder, ports))
            servers[-1].check(backends=2)
        contestants, load = servers[2:], Load(folder, connections, path)
        runs = {server.name: [] for server in contestants}
        for _ in range(rounds):
            for server in random.sample(contestants, len(contestants)):
                before = process.cpu_seconds(server.process.pid)
                requests, rate, p99, failed, _ = load.run(server, seconds)
                spent = process.cpu_seconds(server.process.pid) - before
                runs[server.name].append((rate, spent / requests * 1e6, p99, failed))
        for server in contestants:
            calls = None if quick else load.calls(server)
            show(case, goals, server, runs, calls)


def show(case, goals, server, runs, calls):
    own = runs[server.name]
    rate, cpu, p99 = (statistics.median(run[i] for run in own) for i in range(3))
    failed, counted = sum(run[3] for run in own), f"{calls:.1f}" if calls else ""
    row = f"| {case} | {server.name} | {rate:,.0f}/s | {cpu:.1f} us | {p99:,.0f} us | {failed} "
    row += f"| {server.peak_mib():.1f} MiB | {counted} "
    if server.name == OURS:
        wanted = [f"{goals[what]} {what}" for what in ("calls", "MiB") if what in goals]
        return print(f"{row}| | {', '.join(wanted)} |", flush=True)
    if OURS not in runs:
        return print(f"{row}| | |", flush=True)
    pairs = zip(own, runs[OURS]) if server.name == LOGGED else zip(runs[OURS], own)
    ratios = sorted(a[0] / b[0] for a, b in pairs)
    goal = LOGGED_GOAL if server.name == LOGGED else goals.get(server.name)
    print(f"{row}| {statistics.median(ratios):.2f} ({ratios[0]:.2f} to {ratios[-1]:.2f}) "
          f"| {f'{goal:.2f}' if goal else ''} |", flush=True)


def version(program, flag):
    done = subprocess.run([process.which(program), flag], capture_output=True, text=True)
    return re.search(r"\d+(\.\d+)+", done.stdout + done.stderr).group()


def measure_all(cases, ours, rounds, seconds, without, quick):
    """Quick is without counting system calls and without the plain form of Go."""
    for tool in ("nginx", "wrk"):
        if not process.which(tool):
            return print(f"bench: {', '.join(cases)} left out: {tool} is not installed", file=sys.stderr)
    without = [*without, "go-plain"] if quick else without
    names = [name for name in CONTESTANTS if name not in without]
    for name in [name for name in names if missing(name, ours)]:
        names.remove(name)
        print(f"bench: {name} left out: {missing(name, ours)}", file=sys.stderr)
    if not names:
        return
    tools = [f"{tool} {version(tool, '-v')}" for tool in ("nginx", "haproxy", "wrk") if process.which(tool)]
    print(f"Proxies before two backends, {', '.join(tools)}:\n")
    print("| case | proxy | requests (median) | CPU a request | p99 | failed | peak memory | calls a request "
          "| ours to theirs: median (range) | goal |")
    print("|---|---|---|---|---|---|---|---|---|---|")
    for case in cases:
        measure(case, names, ours, rounds, max(1, round(seconds)), quick)
