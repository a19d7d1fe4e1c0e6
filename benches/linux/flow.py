#!/usr/bin/env python3
"""One TCP flow of Linux's, for scripts/bench-linux.sh.

    flow.py serve PORT CONTROL          whoever connects is sent data ("d"), or what he sends is dropped ("u")
    flow.py get HOST PORT SECONDS CONTROL [d]   reads; prints Mbit/s
    flow.py put HOST PORT SECONDS CONTROL [u]   writes; prints Mbit/s, of what was acknowledged

CONTROL is the congestion control of this end. It is set by socket option and read back: namespaces have defaults of
their own. The last argument is sent first, for a peer that is `serve`.
"""

import socket
import struct
import sys
import threading
import time

CHUNK = bytes(256 * 1024)
# Where struct tcp_info has tcpi_bytes_acked.
BYTES_ACKED = 120


def control(sock, name):
    sock.setsockopt(socket.IPPROTO_TCP, socket.TCP_CONGESTION, name.encode())
    real = sock.getsockopt(socket.IPPROTO_TCP, socket.TCP_CONGESTION, 16).rstrip(b"\0").decode()
    if real != name:
        sys.exit(f"flow.py: congestion control is {real}, not {name}")


def acknowledged(sock):
    info = sock.getsockopt(socket.IPPROTO_TCP, socket.TCP_INFO, 256)
    return struct.unpack_from("=Q", info, BYTES_ACKED)[0]


def serve(port, name):
    listener = socket.create_server(("", port), backlog=16)
    control(listener, name)
    print("ready", flush=True)
    while True:
        sock, _ = listener.accept()
        threading.Thread(target=answer, args=(sock, name), daemon=True).start()


def answer(sock, name):
    with sock:
        try:
            control(sock, name)
            if sock.recv(1) == b"d":
                while True:
                    sock.sendall(CHUNK)
            while sock.recv(len(CHUNK)):
                pass
        except OSError:
            pass


def connect(host, port, name, first):
    sock = socket.create_connection((host, port), timeout=15)
    control(sock, name)
    sock.settimeout(5)
    sock.sendall(first.encode())
    return sock


def get(host, port, seconds, name, first=""):
    sock = connect(host, port, name, first)
    begin, count = time.monotonic(), 0
    while (elapsed := time.monotonic() - begin) < seconds:
        try:
            piece = sock.recv(len(CHUNK))
        except TimeoutError:
            continue
        if not piece:
            sys.exit("flow.py: the peer has closed")
        count += len(piece)
    print(f"{count * 8e-6 / elapsed:.3f}")


def put(host, port, seconds, name, first=""):
    sock = connect(host, port, name, first)
    begin = time.monotonic()
    while (elapsed := time.monotonic() - begin) < seconds:
        sock.settimeout(max(seconds - elapsed, 0.01))
        try:
            sock.send(CHUNK)
        except TimeoutError:
            break
    elapsed = time.monotonic() - begin
    print(f"{acknowledged(sock) * 8e-6 / elapsed:.3f}")
    # What still waits is of no interest: a reset, so that the next flow has the path to itself.
    sock.setsockopt(socket.SOL_SOCKET, socket.SO_LINGER, struct.pack("ii", 1, 0))
    sock.close()


def main():
    match sys.argv[1:]:
        case ["serve", port, name]:
            serve(int(port), name)
        case ["get", host, port, seconds, name, *first]:
            get(host, int(port), float(seconds), name, *first)
        case ["put", host, port, seconds, name, *first]:
            put(host, int(port), float(seconds), name, *first)
        case _:
            sys.exit(__doc__)


main()
