#!/usr/bin/env python3
"""TCP flows of Linux's, for scripts/bench-linux.sh and scripts/bench-fairness.sh.

    flow.py serve PORT CONTROL          whoever connects is sent data ("d"), or what he sends is dropped ("u")
    flow.py get HOST PORT SECONDS CONTROL [d]   reads; prints Mbit/s
    flow.py put HOST PORT SECONDS CONTROL [u]   writes; prints Mbit/s, of what was acknowledged
    flow.py share WARM-UP SECONDS HOST:PORT:COUNT[:d]…   reads from all at once; prints a line for each HOST:PORT:
                                        Mbit/s of each of its COUNT connections, between WARM-UP and SECONDS later

CONTROL is the congestion control of this end. It is set by socket option and read back: namespaces have defaults of
their own. The last argument is sent first, for a peer that is `serve`.
"""

import selectors
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


def share(warm_up, seconds, sources):
    selector, flows = selectors.DefaultSelector(), []
    for source in sources:
        host, port, count, *first = source.split(":")
        for _ in range(int(count)):
            sock = socket.create_connection((host, int(port)), timeout=15)
            sock.sendall("".join(first).encode())
            sock.setblocking(False)
            selector.register(sock, selectors.EVENT_READ, len(flows))
            flows.append((source, [0, 0]))
    begin = time.monotonic()
    buffer = bytearray(len(CHUNK))
    while (elapsed := time.monotonic() - begin) < warm_up + seconds:
        for key, _ in selector.select(timeout=0.1):
            length = key.fileobj.recv_into(buffer)
            if not length:
                sys.exit("flow.py: the peer has closed")
            flows[key.data][1][elapsed >= warm_up] += length
    for source in sources:
        print(*(f"{counted[1] * 8e-6 / seconds:.3f}" for owner, counted in flows if owner == source))


def main():
    match sys.argv[1:]:
        case ["serve", port, name]:
            serve(int(port), name)
        case ["get", host, port, seconds, name, *first]:
            get(host, int(port), float(seconds), name, *first)
        case ["put", host, port, seconds, name, *first]:
            put(host, int(port), float(seconds), name, *first)
        case ["share", warm_up, seconds, *sources] if sources:
            share(float(warm_up), float(seconds), sources)
        case _:
            sys.exit(__doc__)


main()
