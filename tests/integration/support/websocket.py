"""A WebSocket client (RFC 6455) on the kernel's TCP, of nothing but the standard library:

    websocket.py HOST PORT

It has messages of every framing length echoed, text and binary, one in fragments with a ping between them, and
closes in order. Prints how many came back as they were sent; fails with a line that says what did not.
"""

import base64
import hashlib
import os
import socket
import struct
import sys

GUID = b"258EAFA5-E914-47DA-95CA-C5AB0DC85B11"
CONTINUATION, TEXT, BINARY, CLOSE, PING, PONG = 0, 1, 2, 8, 9, 10
# The length stands in seven bits up to 125, then in 16, then in 64 bits.
LENGTHS = (0, 1, 125, 126, 127, 65_535, 65_536, 1_000_000)


def connect(host, port):
    connection = socket.create_connection((host, port), timeout=20)
    key = base64.b64encode(os.urandom(16))
    connection.sendall(
        b"GET / HTTP/1.1\r\nHost: %s\r\nUpgrade: websocket\r\nConnection: Upgrade\r\n"
        b"Sec-WebSocket-Key: %s\r\nSec-WebSocket-Version: 13\r\n\r\n" % (host.encode(), key)
    )
    stream = connection.makefile("rwb")
    status = stream.readline()
    assert status.startswith(b"HTTP/1.1 101 "), f"no upgrade: {status}"
    accept = base64.b64encode(hashlib.sha1(key + GUID).digest())
    headers = list(iter(stream.readline, b"\r\n"))
    wanted = (b"sec-websocket-accept: " + accept).lower()
    assert any(header.strip().lower() == wanted for header in headers), f"wrong answer to the key: {headers}"
    return stream


def send(stream, opcode, payload, final=True):
    """One frame, masked as a client's have to be (5.3)."""
    length = len(payload)
    if length < 126:
        head = struct.pack("!BB", final << 7 | opcode, 0x80 | length)
    elif length < 1 << 16:
        head = struct.pack("!BBH", final << 7 | opcode, 0x80 | 126, length)
    else:
        head = struct.pack("!BBQ", final << 7 | opcode, 0x80 | 127, length)
    mask = os.urandom(4)
    keys = int.from_bytes((mask * (length // 4 + 1))[:length], "big")
    masked = (int.from_bytes(payload, "big") ^ keys).to_bytes(length, "big")
    stream.write(head + mask + masked)
    stream.flush()


def receive(stream):
    """One frame: opcode, whether it is the last of its message, payload."""
    first, second = stream.read(2)
    assert second & 0x80 == 0, "a server's frame is masked"
    length = second & 0x7F
    if length >= 126:
        form = "!H" if length == 126 else "!Q"
        (length,) = struct.unpack(form, stream.read(struct.calcsize(form)))
    return first & 15, bool(first & 0x80), stream.read(length)


def receive_message(stream):
    opcode, final, payload = receive(stream)
    while not final:
        following, final, more = receive(stream)
        assert following == CONTINUATION, f"opcode {following} within a message"
        payload += more
    return opcode, payload


def echoed(stream, opcode, payload):
    send(stream, opcode, payload)
    answer = receive_message(stream)
    assert answer == (opcode, payload), f"{len(payload)} bytes came back as {answer[0]}, {len(answer[1])} bytes"


def main(host, port):
    stream = connect(host, int(port))
    count = 0
    for length in LENGTHS:
        for opcode, payload in ((TEXT, b"x" * length), (BINARY, os.urandom(length))):
            echoed(stream, opcode, payload)
            count += 1
    send(stream, TEXT, b"in ", final=False)
    send(stream, PING, b"between")
    assert receive(stream) == (PONG, True, b"between"), "no pong"
    send(stream, CONTINUATION, b"two frames")
    assert receive_message(stream) == (TEXT, b"in two frames"), "fragments are not put together"
    send(stream, CLOSE, struct.pack("!H", 1000))
    opcode, _, payload = receive(stream)
    assert (opcode, payload[:2]) == (CLOSE, struct.pack("!H", 1000)), "no closing handshake"
    assert stream.read(1) == b"", "the connection stays open"
    print(count + 1)


main(*sys.argv[1:])
