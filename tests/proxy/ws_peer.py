"""A WebSocket peer of other make (Python's websockets) at either end of the tunnel.

    ws_peer.py server        prints `listening on tcp ADDRESS`, and `closed CODE` for each connection that
                             ended; until its stdin ends
    ws_peer.py client URL    through a proxy to that server: prints `ok WHAT` for each check that holds
    ws_peer.py echo URL      the same with only the checks that hold for any server that echoes messages

Exits 1 at the first check that does not hold, 77 where websockets is not installed. RFC 6455.
"""
import asyncio, random, sys

try:
    import websockets
except ImportError:
    sys.exit(77)

LIMIT = 4 << 20
SECONDS = 30
# Lengths on both sides of each form of a frame's length (section 5.2), and some that no buffer holds whole.
LENGTHS = [0, 1, 125, 126, 65535, 65536, 1 << 20]


async def serve():
    async def answer(socket):
        # At once, so that it may come in one piece with the 101: a tunnel must not lose what follows the head.
        if socket.subprotocol:
            await socket.send("hello")
        try:
            async for message in socket:
                await obey(socket, message)
        except websockets.ConnectionClosed:
            pass
        print(f"closed {socket.close_code}", flush=True)

    def choose(_, offered):
        return "peer" if "peer" in offered else None

    async with websockets.serve(answer, "127.0.0.1", 0, subprotocols=["peer"], select_subprotocol=choose,
                                origins=[None, "http://good.test"], max_size=LIMIT) as server:
        print("listening on tcp 127.0.0.1:%d" % server.sockets[0].getsockname()[1], flush=True)
        await asyncio.get_running_loop().run_in_executor(None, sys.stdin.read)


async def obey(socket, message):
    if message == "!ping":
        await (await socket.ping(b"are you there"))
        await socket.send("!pong")
    elif message == "!close":
        await socket.close(4001, "as you wish")
    elif message == "!abort":
        socket.transport.abort()
    else:
        await socket.send(message)


def connect(url, **options):
    return websockets.connect(url, max_size=LIMIT, ping_interval=None, **options)


async def echo(socket, message):
    await socket.send(message)
    reply = await socket.recv()
    assert reply == message, f"{len(message)} sent, {len(reply)} came back"


async def text_and_binary(url):
    async with connect(url, compression=None) as socket:
        for text in ["", "a", "Grüße aus dem Tunnel, 你好"]:
            await echo(socket, text)
        for length in LENGTHS:
            await echo(socket, random.Random(length).randbytes(length))


async def fragments(url):
    async with connect(url, compression=None) as socket:
        await socket.send([b"in ", b"", b"three " * 20_000, b"parts"])
        reply = await socket.recv()
        assert reply == b"in " + b"three " * 20_000 + b"parts", len(reply)


async def ping(url):
    async with connect(url) as socket:
        await (await socket.ping(b"123"))


async def both_ways_at_once(url):
    """More than all buffers on the way hold: who stops reading while writing stands still."""
    messages = [random.Random(n).randbytes(16 << 10) for n in range(500)]
    async with connect(url, compression=None) as socket:
        async def send():
            for message in messages:
                await socket.send(message)
        sender = asyncio.create_task(send())
        for number, message in enumerate(messages):
            assert await socket.recv() == message, f"message {number}"
        await sender


async def many(url):
    async def one(number):
        async with connect(url) as socket:
            for turn in range(20):
                await echo(socket, f"{number}.{turn}")
    await asyncio.gather(*(one(number) for number in range(50)))


async def close_by_client(url):
    async with connect(url) as socket:
        await echo(socket, "x")
        await socket.close(1000, "done")
        assert socket.close_code == 1000, socket.close_code


async def compression(url):
    async with connect(url) as socket:
        assert socket.extensions if hasattr(socket, "extensions") else socket.protocol.extensions, "not agreed on"
        await echo(socket, "again and " * 10_000)


async def subprotocol_and_first_message(url):
    for _ in range(20):
        async with connect(url, subprotocols=["other", "peer"]) as socket:
            assert socket.subprotocol == "peer", socket.subprotocol
            assert await socket.recv() == "hello"


async def ping_by_server(url):
    async with connect(url) as socket:
        await echo(socket, "x")
        await socket.send("!ping")
        assert await socket.recv() == "!pong"


async def refusal(url):
    try:
        async with connect(url, origin="http://bad.test"):
            raise AssertionError("was accepted")
    except websockets.InvalidHandshake as refused:
        status = getattr(refused, "status_code", None) or refused.response.status_code
        assert status == 403, status


async def ended(url, command):
    """The code and reason with which the connection ends at the server's side."""
    async with connect(url) as socket:
        await socket.send(command)
        try:
            reply = await socket.recv()
        except websockets.ConnectionClosed:
            return socket.close_code, socket.close_reason
        raise AssertionError(f"{reply} instead of the end")


async def close_by_server(url):
    end = await ended(url, "!close")
    assert end == (4001, "as you wish"), end


async def cut_by_server(url):
    end = await ended(url, "!abort")
    assert end[0] == 1006, end


async def cut_by_client(url):
    """The server says `closed 1006`."""
    async with connect(url) as socket:
        await echo(socket, "x")
        socket.transport.abort()


ECHO = [text_and_binary, fragments, ping, both_ways_at_once, many, close_by_client]
ALL = [*ECHO, compression, subprotocol_and_first_message, ping_by_server, refusal, close_by_server, cut_by_server,
       cut_by_client]


async def run(checks, url):
    for check in checks:
        what = check.__name__.replace("_", " ")
        try:
            await asyncio.wait_for(check(url), SECONDS)
        except Exception as wrong:
            sys.exit(f"ws_peer: {what}: {type(wrong).__name__}: {wrong}")
        print(f"ok {what}", flush=True)


if sys.argv[1:] == ["server"]:
    asyncio.run(serve())
elif len(sys.argv) == 3 and sys.argv[1] in ("client", "echo"):
    asyncio.run(run(ALL if sys.argv[1] == "client" else ECHO, sys.argv[2]))
else:
    sys.exit(__doc__)
