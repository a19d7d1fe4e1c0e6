#!/usr/bin/env python3
"""An HTTP server whose paths are ways to misbehave.

misbehaving.py ADDRESS PORT: listens there, prints "ready", and treats each connection as the path of its first request
says. It ends when it is killed.
"""

import socket
import struct
import sys
import threading

OK = b"HTTP/1.1 200 OK\r\nContent-Length: 5\r\n\r\nhello"
SECONDS = 20  # for which a connection is kept that nobody is to wait for


def read_head(stream):
    """The path that is asked for; None at the end of the stream."""
    head = b""
    while not head.endswith(b"\r\n\r\n"):
        byte = stream.recv(1)
        if not byte:
            return None
        head += byte
    return head.split(b" ")[1].decode()


def stall(stream, text=b""):
    stream.sendall(text)
    stream.settimeout(SECONDS)
    stream.recv(1)


def reset(stream, text=b""):
    stream.sendall(text)
    stream.setsockopt(socket.SOL_SOCKET, socket.SO_LINGER, struct.pack("ii", 1, 0))


def interim(stream):
    while True:
        stream.sendall(b"HTTP/1.1 100 Continue\r\n\r\n")


def redirect(stream, to):
    """A circle: each request of the connection is sent on."""
    path = "/"
    while path:
        other = to(path)
        stream.sendall(f"HTTP/1.1 302 Found\r\nLocation: {other}\r\nContent-Length: 0\r\n\r\n".encode())
        path = read_head(stream)


def second(stream, what):
    """Answers the first request; does `what` at the second."""
    stream.sendall(OK)
    if read_head(stream):
        what(stream)


WAYS = {
    "/fine": lambda stream: stream.sendall(OK),
    "/silent": stall,
    "/half-head": lambda stream: stall(stream, b"HTTP/1.1 200 OK\r\nContent-Le"),
    "/half-body": lambda stream: stall(stream, b"HTTP/1.1 200 OK\r\nContent-Length: 9\r\n\r\nhalf"),
    "/half-chunk": lambda stream: stall(stream, b"HTTP/1.1 200 OK\r\nTransfer-Encoding: chunked\r\n\r\n9\r\nhalf"),
    "/cut-head": lambda stream: stream.sendall(b"HTTP/1.1 200 OK\r\nContent-Le"),
    "/cut-body": lambda stream: stream.sendall(b"HTTP/1.1 200 OK\r\nContent-Length: 9\r\n\r\nhalf"),
    "/cut-chunk": lambda stream: stream.sendall(b"HTTP/1.1 200 OK\r\nTransfer-Encoding: chunked\r\n\r\n9\r\nhalf"),
    "/cut-last-chunk": lambda stream: stream.sendall(b"HTTP/1.1 200 OK\r\nTransfer-Encoding: chunked\r\n\r\n2\r\nhi\r\n"),
    "/nothing": lambda stream: None,
    "/reset": reset,
    "/reset-body": lambda stream: reset(stream, b"HTTP/1.1 200 OK\r\nContent-Length: 9\r\n\r\nhalf"),
    "/interim": interim,
    "/garbage": lambda stream: stream.sendall(b"220 mail.example.org ESMTP\r\n\r\n"),
    "/two-lengths": lambda stream: stream.sendall(b"HTTP/1.1 200 OK\r\nContent-Length: 1\r\nContent-Length: 2\r\n\r\nxx"),
    "/huge-head": lambda stream: stream.sendall(b"HTTP/1.1 200 OK\r\nX: " + b"x" * 1_000_000),
    "/circle": lambda stream: redirect(stream, lambda _: "/circle"),
    "/there-and-back": lambda stream: redirect(stream, lambda path: "/back" if path == "/there" else "/there"),
    "/to-https": lambda stream: redirect(stream, lambda _: "https://example.org/"),
    "/to-nowhere": lambda stream: redirect(stream, lambda _: "http://"),
    "/closed-between": lambda stream: stream.sendall(OK),
    "/closed-at-second": lambda stream: second(stream, lambda _: None),
    "/reset-at-second": lambda stream: second(stream, reset),
}


def serve(stream):
    with stream:
        try:
            path = read_head(stream)
            if path:
                WAYS[path](stream)
        except OSError:
            pass  # the client has had enough


def main():
    with socket.create_server((sys.argv[1], int(sys.argv[2]))) as listener:
        print("ready", flush=True)
        while True:
            threading.Thread(target=serve, args=(listener.accept()[0],), daemon=True).start()


main()
