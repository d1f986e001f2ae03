"""What the comparisons ask of a server's process: a port for it, its CPU time, its end."""
import os, shutil, socket, subprocess

PATH = os.environ.get("PATH", "") + ":/usr/sbin:/usr/local/sbin"


def which(program):
    """The program's path, also where only root's PATH has it."""
    return shutil.which(program, path=PATH)


def free_port():
    """A port that is free for TCP and UDP now."""
    while True:
        with socket.socket() as tcp, socket.socket(type=socket.SOCK_DGRAM) as udp:
            tcp.bind(("127.0.0.1", 0))
            try:
                udp.bind(tcp.getsockname())
                return tcp.getsockname()[1]
            except OSError:
                pass


def family(pid):
    """The process and all below it: some serve in processes of their own."""
    found = [pid]
    for pid in found:
        try:
            found += [int(child) for child in open(f"/proc/{pid}/task/{pid}/children").read().split()]
        except OSError:
            continue
    return found


def cpu_seconds(pid):
    """CPU time of the process and of all below it."""
    total = 0.0
    for one in family(pid):
        try:
            fields = open(f"/proc/{one}/stat").read().rsplit(")", 1)[1].split()
        except OSError:
            continue
        total += (int(fields[11]) + int(fields[12])) / os.sysconf("SC_CLK_TCK")
    return total


def children_cpu():
    """CPU time of all processes that this one has started and that have ended."""
    times = os.times()
    return times.children_user + times.children_system


def stop(process):
    process.terminate()
    try:
        process.wait(10)
    except subprocess.TimeoutExpired:
        process.kill()
        process.wait()
