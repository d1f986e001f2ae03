"""Reads messages with h11. On stdin records, each a 4-byte length and so many bytes: a line with the
methods that responses answer (empty: the record is requests), then what one connection carried. For
each record a line of JSON: its messages as [start, content in hex, trailers], and what went wrong."""
import json, struct, sys

try:
    import h11
except ImportError:
    sys.exit(77)


def take(connection, messages, is_request):
    """Reads events up to the end of a message; None, or why there is no more."""
    start, content, trailers = None, b"", 0
    while True:
        event = connection.next_event()
        if event in (h11.NEED_DATA, h11.PAUSED) or isinstance(event, h11.ConnectionClosed):
            return "incomplete" if start else "end"
        if isinstance(event, h11.InformationalResponse):
            messages.append([str(event.status_code), "", 0])
        elif isinstance(event, h11.Request):
            start = f"{event.method.decode()} {event.target.decode()}"
        elif isinstance(event, h11.Response):
            start = str(event.status_code)
        elif isinstance(event, h11.Data):
            content += event.data
        elif isinstance(event, h11.EndOfMessage):
            trailers = len(event.headers)
            messages.append([start, content.hex(), trailers])
            return None


def requests(data, messages):
    while data:
        connection = h11.Connection(h11.SERVER, max_incomplete_event_size=1 << 20)
        connection.receive_data(data)
        while (why := take(connection, messages, True)) is None:
            connection.send(h11.Response(status_code=200, headers=[("Content-Length", "0")]))
            connection.send(h11.EndOfMessage())
            if connection.our_state is not h11.DONE or connection.their_state is not h11.DONE:
                break  # the last request: what follows it is an error
            connection.start_next_cycle()
        data = connection.trailing_data[0] if why is None else b""
        if why not in (None, "end"):
            return why
        if data:
            return "bytes after the last request"
    return None


def responses(data, methods, messages):
    for method in methods:
        connection = h11.Connection(h11.CLIENT, max_incomplete_event_size=1 << 20)
        connection.send(h11.Request(method=method, target="/", headers=[("Host", "a")]))
        connection.send(h11.EndOfMessage())
        connection.receive_data(data)
        connection.receive_data(b"")
        if why := take(connection, messages, False):
            return why
        data = connection.trailing_data[0]
    return "bytes after the last response" if data else None


while header := sys.stdin.buffer.read(4):
    record = sys.stdin.buffer.read(struct.unpack(">I", header)[0])
    methods, _, data = record.partition(b"\n")
    messages = []
    try:
        if methods:
            why = responses(data, methods.split(b","), messages)
        else:
            why = requests(data, messages)
    except h11.ProtocolError as error:
        why = str(error)
    print(json.dumps({"messages": messages, "error": why}), flush=True)
