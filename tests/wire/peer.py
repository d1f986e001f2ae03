#!/usr/bin/env python3
"""The wire format in Python, from docs/wire-format.md alone: reads and writes all its vectors.

    tests/wire/peer.py docs/wire-format.md

Prints how many vectors it agreed on and how many messages it refused; any difference ends it.
"""
import ipaddress, json, re, struct, sys

RECORD = "struct i64 string map<string,i64> bytes option<record>"
NAMED = {
    "shape": ["unit", "f64", "tuple<string,list<tuple<i32,i32>>>", "list<shape>"],
    "event": ["string", "tuple<u32,string>"],
}
INTEGERS = {f"{sign}{bits}": (bits // 8, sign == "i") for sign in "ui" for bits in (8, 16, 32, 64, 128)}
INTEGERS.update(usize=(8, False), isize=(8, True))


class Refused(Exception):
    pass


def split(kind):
    """`map<string,list<u8>>` as `map` and its arguments."""
    head, _, rest = kind.partition("<")
    arguments, depth, begun = [], 0, ""
    for letter in rest[:-1]:
        depth += {"<": 1, ">": -1}.get(letter, 0)
        if letter == "," and depth == 0:
            arguments.append(begun)
            begun = ""
        else:
            begun += letter
    return head, arguments + [begun] if begun else arguments


class Reader:
    def __init__(self, message):
        if len(message) < 4:
            raise Refused("no header")
        texts = struct.unpack("<I", message[:4])[0]
        if texts > len(message) - 4:
            raise Refused("texts longer than the message")
        self.body, self.at = message[4:len(message) - texts], 0
        self.texts, self.text_at = message[len(message) - texts:], 0
        try:
            self.texts.decode("utf-8")
        except UnicodeDecodeError as error:
            raise Refused(error)
        self.end, self.text_end = len(self.body), len(self.texts)

    def take(self, count):
        if count > self.end - self.at:
            raise Refused("cut")
        self.at += count
        return self.body[self.at - count:self.at]

    def number(self, width, signed=False):
        return int.from_bytes(self.take(width), "little", signed=signed)

    def text(self, count):
        if count > self.text_end - self.text_at:
            raise Refused("texts cut")
        self.text_at += count
        try:
            return self.texts[self.text_at - count:self.text_at].decode("utf-8")
        except UnicodeDecodeError as error:
            raise Refused(error)

    def rest(self):
        return self.end - self.at + self.text_end - self.text_at

    def tag(self, *known):
        tag = self.number(1)
        if tag not in known:
            raise Refused(f"tag {tag}")
        return tag

    def block(self, read, exact):
        body, texts = self.number(4), self.number(4)
        if body > self.end - self.at or texts > self.text_end - self.text_at:
            raise Refused("a block longer than what is left")
        outer = self.end, self.text_end
        self.end, self.text_end = self.at + body, self.text_at + texts
        value = read()
        if exact and self.rest():
            raise Refused("a block with more in it")
        self.at, self.text_at = self.end, self.text_end
        self.end, self.text_end = outer
        return value

    def late(self, kind):
        if not self.rest():
            return None
        value = self.read(f"option<{kind}>")
        if value is None and not self.rest():
            raise Refused("an absent last field")
        return value

    def ascending(self, kind, value=None):
        entries, last = [], None
        for _ in range(self.number(4)):
            key = self.read(kind)
            # Strings are ordered by their bytes, which is the order of their code points.
            if last is not None and not last < key:
                raise Refused("key order")
            last = key
            entries.append([key, self.read(value)] if value else key)
        return entries

    def read(self, kind):
        head, of = split(kind)
        if head in INTEGERS:
            value = self.number(*INTEGERS[head])
            return str(value) if INTEGERS[head][0] > 8 or head in ("usize", "isize") else value
        if head in ("f32", "f64"):
            width = int(head[1:]) // 8
            return self.take(width)[::-1].hex()
        if head == "bool":
            return self.tag(0, 1) == 1
        if head == "char":
            value = self.number(4)
            if value > 0x10FFFF or 0xD800 <= value < 0xE000:
                raise Refused("no scalar value")
            return chr(value)
        if head == "unit":
            return None
        if head == "string":
            return self.text(self.number(4))
        if head in ("bytes", "path"):
            return self.take(self.number(4)).hex()
        if head == "option":
            return [self.read(of[0])] if self.tag(0, 1) else None
        if head == "result":
            tag = self.tag(0, 1)
            return [tag, self.read(of[tag])]
        if head == "list":
            return [self.read(of[0]) for _ in range(self.number(4))]
        if head == "array":
            return [self.read(of[0]) for _ in range(int(of[1]))]
        if head == "tuple":
            return [self.read(part) for part in of]
        if head == "map":
            return self.ascending(*of)
        if head == "set":
            return self.ascending(of[0])
        if head in ("duration", "time"):
            value = [self.number(8, head == "time"), self.number(4)]
            if value[1] >= 10**9:
                raise Refused("a billion nanoseconds")
            return value
        if head in ("ip", "socket"):
            address = ipaddress.ip_address(self.take(4 if self.tag(4, 6) == 4 else 16))
            if head == "ip":
                return str(address)
            port = self.number(2)
            if address.version == 4:
                return f"{address}:{port}"
            flow, scope = self.number(4), self.number(4)
            assert flow == 0, "the text has no place for a flow"
            return f"[{address}%{scope}]:{port}" if scope else f"[{address}]:{port}"
        if head == "shape":
            tag = self.tag(0, 1, 2, 3)
            value = self.read(NAMED[head][tag])
            return [tag] if tag == 0 else [tag, *value] if tag == 2 else [tag, value]
        if head == "record":
            return [self.read(part) for part in RECORD.split()[1:]]
        if head == "user":
            return [self.read("string"), *self.block(lambda: [self.late("string"), self.late("u8")], exact=False)]
        if head == "event":
            tag = self.tag(0, 1)
            value = self.block(lambda: self.read(NAMED[head][tag]), exact=True)
            return [tag, *value] if tag == 1 else [tag, value]
        raise KeyError(kind)


class Writer:
    def __init__(self):
        self.body, self.texts = bytearray(), bytearray()

    def message(self):
        return struct.pack("<I", len(self.texts)) + self.body + self.texts

    def number(self, value, width, signed=False):
        self.body += int(value).to_bytes(width, "little", signed=signed)

    def block(self, write):
        inner = Writer()
        write(inner)
        self.number(len(inner.body), 4)
        self.number(len(inner.texts), 4)
        self.body += inner.body
        self.texts += inner.texts

    def write(self, kind, value):
        head, of = split(kind)
        if head in INTEGERS:
            self.number(value, *INTEGERS[head])
        elif head in ("f32", "f64"):
            self.body += bytes.fromhex(value)[::-1]
        elif head == "bool":
            self.number(value, 1)
        elif head == "char":
            self.number(ord(value), 4)
        elif head == "string":
            self.number(len(value.encode()), 4)
            self.texts += value.encode()
        elif head in ("bytes", "path"):
            self.number(len(value) // 2, 4)
            self.body += bytes.fromhex(value)
        elif head == "option":
            self.number(value is not None, 1)
            if value is not None:
                self.write(of[0], value[0])
        elif head == "result":
            self.number(value[0], 1)
            self.write(of[value[0]], value[1])
        elif head in ("list", "array", "set"):
            if head != "array":
                self.number(len(value), 4)
            for item in value:
                self.write(of[0], item)
        elif head == "tuple":
            for part, item in zip(of, value, strict=True):
                self.write(part, item)
        elif head == "map":
            self.number(len(value), 4)
            for pair in value:
                self.write(f"tuple<{kind[4:-1]}>", pair)
        elif head in ("duration", "time"):
            self.number(value[0], 8, head == "time")
            self.number(value[1], 4)
        elif head == "ip":
            address = ipaddress.ip_address(value)
            self.number(address.version, 1)
            self.body += address.packed
        elif head == "socket":
            host, port = value.rsplit(":", 1)
            host, _, scope = host.strip("[]").partition("%")
            self.write("ip", host)
            self.number(port, 2)
            if ":" in host:
                self.number(0, 4)
                self.number(scope or 0, 4)
        elif head == "shape":
            self.number(value[0], 1)
            self.write(NAMED[head][value[0]], value[1:] if value[0] == 2 else value[-1])
        elif head == "record":
            for part, item in zip(RECORD.split()[1:], value, strict=True):
                self.write(part, item)
        elif head == "user":
            self.write("string", value[0])
            late = list(zip(("string", "u8"), value[1:]))
            while late and late[-1][1] is None:
                late.pop()
            self.block(lambda inner: [inner.write(f"option<{part}>", item) for part, item in late])
        elif head == "event":
            self.number(value[0], 1)
            self.block(lambda inner: inner.write(NAMED[head][value[0]], value[1:] if value[0] == 1 else value[1]))
        elif head != "unit":
            raise KeyError(kind)


def same(left, right):
    """Equal, where an integer and its text are the same."""
    if isinstance(left, list):
        return isinstance(right, list) and len(left) == len(right) and all(map(same, left, right))
    return left == right or str(left) == str(right)


def block_after(text, head):
    return re.search(rf"^{head}.*?^```text\n(.*?)^```$", text, re.S | re.M)[1].splitlines()


def main():
    text = open(sys.argv[1], encoding="utf-8").read()
    agreed = refused = 0
    for line in block_after(text, "## Vectors"):
        kind, value, message = line.split(" ; ")
        value, message = json.loads(value), bytes.fromhex(message)
        reader = Reader(message)
        found = reader.read(kind)
        if reader.rest() or not same(found, value):
            sys.exit(f"{line}: read as {found}, {reader.rest()} bytes left over")
        writer = Writer()
        writer.write(kind, value)
        if writer.message() != message:
            sys.exit(f"{line}: written as {writer.message().hex()}")
        agreed += 1
    for line in block_after(text, "Refused:"):
        kind, _, message = line.split(" ; ")
        try:
            reader = Reader(bytes.fromhex(message))
            found = reader.read(kind)
            if not reader.rest():
                sys.exit(f"{line}: read as {found}")
        except Refused:
            pass
        refused += 1
    print(f"{agreed} vectors, {refused} refused")


if __name__ == "__main__":
    main()
