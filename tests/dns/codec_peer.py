"""Reads messages with dnspython, and writes them again: for each line of stdin, a message in hexadecimal
digits, a line of JSON: what dnspython reads in it, and its own octets for that."""
import json, sys

try:
    import dns.flags, dns.message
except ImportError:
    sys.exit(77)

for line in sys.stdin:
    message = dns.message.from_wire(bytes.fromhex(line), one_rr_per_rrset=True)
    lines = [f"{message.id} {message.rcode()} {message.edns} {message.payload}"]
    lines += [f"{o.otype} {o.to_wire().hex()}" for o in message.options]
    lines += [f"{q.name.to_wire().hex()} {int(q.rdclass)} {int(q.rdtype)}" for q in message.question]
    for section in (message.answer, message.authority, message.additional):
        for rrset in section:
            head = f"{rrset.name.to_wire().hex()} {rrset.ttl} {int(rrset.rdclass)} {int(rrset.rdtype)}"
            lines += [f"{head} {data.to_wire().hex()}" for data in rrset]
        lines.append("-")
    # The same value, in dnspython's own octets; it would write its own OPT for the same fields.
    print(json.dumps({"lines": lines, "octets": message.to_wire().hex()}))
