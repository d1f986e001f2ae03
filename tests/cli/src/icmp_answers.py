"""Answers echo requests as routers do, or as they should not: the first argument says how.

It reads and sends with a raw ICMP socket, so the kernel makes the IP header. It says "ready" once it
listens.
"""

import socket
import struct
import sys


def checksum(data):
    data += b"\0" * (len(data) % 2)
    total = sum(struct.unpack(f"!{len(data) // 2}H", data))
    while total > 0xFFFF:
        total = (total & 0xFFFF) + (total >> 16)
    return ~total & 0xFFFF


def message(kind, code, info, body):
    head = bytes([kind, code, 0, 0]) + info
    return head[:2] + struct.pack("!H", checksum(head + body)) + head[4:] + body


def extensions(count):
    """RFC 4884 section 7: a header, and objects of 16 bytes, each three labels of MPLS (RFC 4950)."""
    data = b"\x20\0\0\0" + (struct.pack("!HBB", 16, 1, 1) + b"\0\1\1\xff" * 3) * count
    return data[:2] + struct.pack("!H", checksum(data)) + data[4:]


def answers(mode, packet, icmp):
    """What is sent for a packet, whose ICMP message this is."""
    reply = message(0, 0, icmp[4:8], icmp[8:])
    padded = packet[:128].ljust(128, b"\0")
    unused = bytes(4)
    return {
        "good": [reply],
        "twice": [reply, reply],
        "redirect": [message(5, 1, bytes([10, 9, 1, 7]), packet), reply],
        "quench": [message(4, 0, unused, packet), reply],
        "flood": [message(3, 1, unused, packet)] * 200 + [reply],
        # 32 words of quote, then extensions: as MPLS routers do.
        "extended": [message(11, 0, b"\0\x20\0\0", padded + extensions(1))],
        "extended-much": [message(11, 0, b"\0\x20\0\0", padded + extensions(60))],
        # The same from before RFC 4884, which does not say how long the quote is.
        "extended-old": [message(11, 0, unused, padded + extensions(1))],
        # As little as RFC 792 asks for, then filling.
        "cut-and-filled": [message(11, 0, unused, packet[:28] + bytes(100))],
        "pointer": [message(12, 0, b"\x14\0\0\0", packet)],
    }[mode]


def main():
    mode = sys.argv[1]
    raw = socket.socket(socket.AF_INET, socket.SOCK_RAW, socket.IPPROTO_ICMP)
    print("ready", flush=True)
    while True:
        packet, (sender, _) = raw.recvfrom(65535)
        icmp = packet[(packet[0] & 15) * 4 :]
        if icmp[0] == 8:
            for answer in answers(mode, packet, icmp):
                raw.sendto(answer, (sender, 0))


main()
