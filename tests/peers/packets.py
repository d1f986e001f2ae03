"""The packet cases of bench.py: reading a capture, carrying bytes, and standing between.

`capture-read` has `capture`, tcpdump and tshark print a line for each packet of one capture of 1 GiB, which is
made here: 64 HTTP connections at a time, names looked up before each, an echo now and then. All write to /dev/null
with names left as numbers; the file is in memory (the page cache) from the second read on, and the first is not counted.

`netcat-file` and `netcat-pipe` carry 4 GiB over loopback from a sender to a receiver of the same make, from a sparse
file or a pipe. `wiretap-*` is `loadgen` at our TCP echo server: directly, through `wiretap`, through socat.
"""
import json, os, random, shutil, statistics, struct, subprocess, sys, tempfile, time

import process

HERE = os.path.dirname(os.path.abspath(__file__))
BUILD = os.path.join(HERE, "build")
OURS = "groundwire"
CAPTURE_BYTES = 1 << 30
CARRIED_BYTES = 4 << 30
AT_ONCE = 64  # connections in the capture

READ = "capture-read"
CARRY = {"netcat-file": False, "netcat-pipe": True}
# case: arguments of loadgen
BETWEEN = {"wiretap-1": ["-c", "1"], "wiretap-16k-8": ["-c", "8", "-s", "16KiB"]}
CASES = [READ, *CARRY, *BETWEEN]
# what ours is to be, as a ratio to theirs
GOALS = {READ: {"tcpdump": 1.0, "tshark": 10.0}} | {case: {"nc": 1.0, "ncat": 1.0, "socat": 1.0} for case in CARRY}

ETHERNET = bytes.fromhex("020000000002" "020000000001" "0800")
SERVER = bytes([10, 0, 0, 80])
FIN, SYN, PSH, ACK = 1, 2, 8, 16


def sum16(data):
    total = sum(struct.unpack(f">{len(data) // 2}H", data))
    while total >> 16:
        total = (total & 0xFFFF) + (total >> 16)
    return ~total & 0xFFFF


def ipv4(source, destination, protocol, body):
    head = struct.pack(">BBHHHBBH4s4s", 0x45, 0, 20 + len(body), 1, 0x4000, 64, protocol, 0, source, destination)
    return ETHERNET + head[:10] + struct.pack(">H", sum16(head)) + head[12:] + body


def tcp(to_server, port, client, seq, ack, flags, payload=b"", options=b""):
    ends = (port, 80) if to_server else (80, port)
    offset = (20 + len(options)) // 4 << 12
    body = struct.pack(">HHIIHHHH", *ends, seq, ack, offset | flags, 502, 0, 0) + options + payload
    return ipv4(*((client, SERVER) if to_server else (SERVER, client)), 6, body)


def udp(source, destination, ends, payload):
    return ipv4(source, destination, 17, struct.pack(">HHHH", *ends, 8 + len(payload), 0) + payload)


def connection(number):
    """All packets of one visit: a name, a connection, a request, a page of about 20 kB, and the end."""
    client, port = struct.pack(">BBH", 10, 1, 1 + number // 28_000), 32_768 + number % 28_000
    name = b"\3www\7example\4test\0\0\1\0\1"
    ident = number & 0xFFFF
    query = struct.pack(">HHHHHH", ident, 0x0100, 1, 0, 0, 0) + name
    reply = struct.pack(">HHHHHH", ident, 0x8180, 1, 1, 0, 0) + name + b"\xc0\x0c\0\1\0\1\0\0\0\x3c\0\4" + SERVER
    yield udp(client, SERVER, (port, 53), query)
    yield udp(SERVER, client, (53, port), reply)
    if number % 16 == 0:
        for kind in (8, 0):
            ends = (client, SERVER) if kind else (SERVER, client)
            yield ipv4(*ends, 1, struct.pack(">BBHHH", kind, 0, 0, ident, 1) + bytes(48))
    mine, theirs = 1_000_000 + number * 7919, 2_000_000 + number * 31_337
    syn = bytes.fromhex("020405b4" "0402" "01" "030307" "000000")
    yield tcp(True, port, client, mine, 0, SYN, options=syn)
    yield tcp(False, port, client, theirs, mine + 1, SYN | ACK, options=syn)
    yield tcp(True, port, client, mine + 1, theirs + 1, ACK)
    request = b"GET /page/%d HTTP/1.1\r\nHost: www.example.test\r\nUser-Agent: bench\r\n\r\n" % number
    yield tcp(True, port, client, mine + 1, theirs + 1, PSH | ACK, request)
    mine += 1 + len(request)
    head = b"HTTP/1.1 200 OK\r\nContent-Type: text/plain\r\nContent-Length: 20000\r\n\r\n"
    page, seq = head + b"x" * 20_000, theirs + 1
    for at in range(0, len(page), 1448):
        part = page[at:at + 1448]
        yield tcp(False, port, client, seq, mine, ACK, part)
        seq += len(part)
        if at // 1448 % 2:
            yield tcp(True, port, client, mine, seq, ACK)
    yield tcp(False, port, client, seq, mine, FIN | ACK)
    yield tcp(True, port, client, mine, seq + 1, FIN | ACK)
    yield tcp(False, port, client, seq + 1, mine + 1, ACK)


def write_capture(path, size):
    """A pcap file of at least so many bytes; how many packets it has."""
    count, number, written = 0, 0, 24
    with open(path, "wb", buffering=1 << 20) as file:
        file.write(struct.pack("<IHHiIII", 0xA1B2C3D4, 2, 4, 0, 0, 262_144, 1))
        while written < size:
            visits = [list(connection(number + one)) for one in range(AT_ONCE)]
            number += AT_ONCE
            for step in range(max(map(len, visits))):
                for visit in visits:
                    if step < len(visit):
                        packet, when = visit[step], count * 13
                        seconds, micros = divmod(when, 1_000_000)
                        file.write(struct.pack("<IIII", 1_700_000_000 + seconds, micros, len(packet), len(packet)))
                        file.write(packet)
                        written += 16 + len(packet)
                        count += 1
    return count


def timed(command, **more):
    """Seconds that it takes, and CPU seconds."""
    cpu, begun = process.children_cpu(), time.monotonic()
    done = subprocess.run(command, stderr=subprocess.PIPE, **more)
    if done.returncode:
        sys.exit(f"bench: {' '.join(command)}: {done.stderr.decode(errors='replace').strip()[-500:]}")
    return time.monotonic() - begun, process.children_cpu() - cpu


def read(ours, rounds):
    commands = {
        OURS: [os.path.join(ours, "capture"), "-n", "-r"],
        "tcpdump": [process.which("tcpdump"), "-n", "-r"],
        "tshark": [process.which("tshark"), "-n", "-r"],
    }
    commands = {name: command for name, command in commands.items() if there(READ, name, command[0])}
    runs = {name: [] for name in commands}
    with tempfile.TemporaryDirectory(dir=BUILD) as folder:
        path = os.path.join(folder, "one.pcap")
        count = write_capture(path, CAPTURE_BYTES)
        for turn in range(rounds + 1):
            for name in random.sample(list(commands), len(commands)):
                spent = timed([*commands[name], path], stdout=subprocess.DEVNULL)
                if turn:
                    runs[name].append(spent)
    for name, own in runs.items():
        rate = count / statistics.median(took for took, _ in own)
        cpu = statistics.median(cpu for _, cpu in own) / count * 1e9
        report(READ, name, f"{rate:,.0f} packets/s", f"{cpu:,.0f} ns", runs)


def carry(case, ours, rounds):
    """Sender and receiver of the same make; what arrives is counted once, before the clock runs."""
    netcat = os.path.join(ours, "netcat")
    makes = {
        OURS: (netcat, ["-l", "127.0.0.1", "{port}"], ["127.0.0.1", "{port}"]),
        "nc": (process.which("nc.openbsd"), ["-l", "127.0.0.1", "{port}"], ["-N", "127.0.0.1", "{port}"]),
        "ncat": (process.which("ncat"), ["-l", "--recv-only", "127.0.0.1", "{port}"],
                 ["--send-only", "127.0.0.1", "{port}"]),
        "socat": (process.which("socat"), ["-u", "TCP-LISTEN:{port},bind=127.0.0.1", "-"],
                  ["-u", "-", "TCP:127.0.0.1:{port}"]),
    }
    makes = {name: make for name, make in makes.items() if there(case, name, make[0])}
    runs = {name: [] for name in makes}
    with tempfile.TemporaryDirectory(dir=BUILD) as folder:
        path = os.path.join(folder, "sparse")
        with open(path, "wb") as file:
            file.truncate(CARRIED_BYTES)
        for turn in range(rounds + 1):
            for name in random.sample(list(makes), len(makes)):
                # The first round counts what arrives, the others throw it away and look at the clock.
                spent = one_carry(makes[name], path, CARRY[case], os.path.join(folder, "got") if turn == 0 else None)
                if turn:
                    runs[name].append(spent)
    for name, own in runs.items():
        rate = CARRIED_BYTES / statistics.median(took for took, _ in own) / (1 << 30)
        cpu = statistics.median(cpu for _, cpu in own) / (CARRIED_BYTES >> 30)
        report(case, name, f"{rate:.2f} GiB/s", f"{cpu:.2f} s a GiB", runs)


def one_carry(make, path, pipe, count_in):
    program, listen, send = make
    port = str(process.free_port())
    listen, send = ([program, *(part.replace("{port}", port) for part in words)] for words in (listen, send))
    out = subprocess.PIPE if count_in else subprocess.DEVNULL
    receiver = subprocess.Popen(listen, stdin=subprocess.DEVNULL, stdout=out, stderr=subprocess.DEVNULL)
    counter = subprocess.Popen(["wc", "-c"], stdin=receiver.stdout, stdout=subprocess.PIPE) if count_in else None
    while not listens(port):
        if receiver.poll() is not None:
            sys.exit(f"bench: {' '.join(listen)}: has ended")
    cpu, begun = process.children_cpu(), time.monotonic()
    source = subprocess.Popen(["cat", path], stdout=subprocess.PIPE).stdout if pipe else open(path, "rb")
    done = subprocess.run(send, stdin=source, stdout=subprocess.DEVNULL, stderr=subprocess.PIPE)
    if done.returncode:
        sys.exit(f"bench: {' '.join(send)}: {done.stderr.decode(errors='replace').strip()[-500:]}")
    receiver.wait()
    took, spent = time.monotonic() - begun, process.children_cpu() - cpu
    source.close()
    if counter and int(counter.communicate()[0]) != CARRIED_BYTES:
        sys.exit(f"bench: {' '.join(listen)}: not all has arrived")
    return took, spent


def listens(port):
    """Whether a socket listens there: asked of the kernel, since a connection would be taken for the sender's."""
    wanted = f":{int(port):04X}"
    with open("/proc/net/tcp") as table:
        return any(line.split()[1].endswith(wanted) and line.split()[3] == "0A" for line in list(table)[1:])


def between(case, ours, rounds, seconds):
    echo, at = started([os.path.join(ours, "tcp-echo-server"), "127.0.0.1:0"])
    tap, tapped = started([os.path.join(ours, "wiretap"), "--show", "none", "127.0.0.1:0", at])
    port, socat = process.free_port(), process.which("socat")
    targets, others = {OURS: tapped, "direct": at}, [echo, tap]
    if there(case, "socat", socat):
        others.append(subprocess.Popen([socat, f"TCP-LISTEN:{port},bind=127.0.0.1,fork,reuseaddr", f"TCP:{at}"],
                                       stderr=subprocess.DEVNULL))
        while not listens(port):
            pass
        targets["socat"] = f"127.0.0.1:{port}"
    runs = {name: [] for name in targets}
    for _ in range(rounds):
        for name in random.sample(list(targets), len(targets)):
            command = [os.path.join(ours, "loadgen"), "--json", "-w", "200ms", "-d", f"{seconds}s", *BETWEEN[case],
                       "tcp", targets[name]]
            result = json.loads(subprocess.run(command, capture_output=True, text=True, check=True).stdout)
            runs[name].append((1 / result["requests_per_second"], result["latency_ns"]["p50"] / 1e3))
    for name, own in runs.items():
        rate = statistics.median(1 / took for took, _ in own)
        report(case, name, f"{rate:,.0f} requests/s", f"p50 {statistics.median(p50 for _, p50 in own):,.1f} us", runs)
    for one in others:
        process.stop(one)


def started(command):
    """A program of ours, and the address on its first line."""
    child = subprocess.Popen(command, stdout=subprocess.PIPE, stderr=subprocess.DEVNULL, text=True)
    return child, child.stdout.readline().split()[-1]


def there(case, name, program):
    if program and os.access(program, os.X_OK):
        return True
    print(f"bench: {name} left out of {case}: not installed", file=sys.stderr)
    return False


def report(case, name, rate, cost, runs):
    row = f"| {case} | {name} | {rate} | {cost} "
    if name == OURS:
        return print(row + "| | |", flush=True)
    ratios = sorted(theirs[0] / ours[0] for ours, theirs in zip(runs[OURS], runs[name]))
    goal = GOALS.get(case, {}).get(name)
    goal = f"{goal:.1f}" if goal else ""
    print(f"{row}| {statistics.median(ratios):.2f} ({ratios[0]:.2f} to {ratios[-1]:.2f}) | {goal} |", flush=True)


def measure_all(cases, ours, rounds, seconds):
    os.makedirs(BUILD, exist_ok=True)
    print("| case | program | median | CPU or latency | ours to theirs: median (range) | goal |\n|---|---|---|---|---|---|")
    for case in cases:
        if case == READ:
            read(ours, rounds)
        elif case in CARRY:
            carry(case, ours, rounds)
        else:
            between(case, ours, rounds, seconds)
