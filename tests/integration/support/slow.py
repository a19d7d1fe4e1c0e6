#!/usr/bin/env python3
"""Clients that keep a server busy by being slow, and one that measures how others fare meanwhile.

    slow.py loris ADDRESS PORT COUNT SECONDS SOURCE…   COUNT connections from these addresses, a header line a second each
    slow.py honest ADDRESS PORT SECONDS SOURCE         new connections one after the other, fifty a second
    slow.py deaf ADDRESS PORT SECONDS                  asks for much and reads nothing
    slow.py drip ADDRESS PORT SECONDS                  a body, a byte a second
    slow.py idle ADDRESS PORT SECONDS                  one exchange, and then silence
    slow.py again ADDRESS PORT SECONDS                 one exchange, and two seconds later another request
    slow.py busy ADDRESS PORT SECONDS                  reads a long answer slowly but steadily

Each writes one line of `name=value` pairs at its end.
"""

import resource
import selectors
import socket
import sys
import time

GET = b"GET /healthz HTTP/1.1\r\nHost: h\r\n\r\n"
AT_ONCE = 400  # connections that are being opened


def report(**values):
    print(*(f"{name}={value}" for name, value in values.items()), flush=True)


class Loris:
    """One of many connections with a head that never ends."""

    def __init__(self, address, source):
        self.socket = socket.socket(socket.AF_INET, socket.SOCK_STREAM)
        self.socket.setblocking(False)
        self.socket.setsockopt(socket.IPPROTO_IP, 24, 1)  # IP_BIND_ADDRESS_NO_PORT
        self.socket.bind((source, 0))
        self.begun_at = time.monotonic()
        self.socket.connect_ex(address)
        self.opened_at = self.ended_at = None
        self.answer = b""
        self.reset = False

    def opened(self, now):
        if self.socket.getsockopt(socket.SOL_SOCKET, socket.SO_ERROR):
            self.end(now, reset=True)
            return
        self.opened_at = now
        self.drip(b"GET /healthz HTTP/1.1\r\nHost: h\r\n")

    def drip(self, data=b"X-Slow: yes\r\n"):
        try:
            self.socket.send(data)
        except OSError:
            pass  # reading tells what has happened

    def read(self, now):
        try:
            got = self.socket.recv(4096)
        except BlockingIOError:
            return
        except OSError:
            self.end(now, reset=True)
            return
        self.answer += got
        if not got:
            self.end(now)

    def end(self, now, reset=False):
        self.ended_at, self.reset = now, reset


def loris(address, count, seconds, sources):
    resource.setrlimit(resource.RLIMIT_NOFILE, (count + 100, resource.getrlimit(resource.RLIMIT_NOFILE)[1]))
    selector, everyone, begun = selectors.EpollSelector(), [], time.monotonic()
    opening, live, next_drip = set(), set(), begun + 1
    while time.monotonic() - begun < seconds and (len(everyone) < count or opening or live):
        while len(everyone) < count and len(opening) < AT_ONCE:
            one = Loris(address, sources[len(everyone) % len(sources)])
            everyone.append(one)
            opening.add(one)
            selector.register(one.socket, selectors.EVENT_WRITE, one)
        events = selector.select(0.05)
        now = time.monotonic()
        for key, _ in events:
            one = key.data
            if one in opening:
                opening.remove(one)
                one.opened(now)
                selector.modify(one.socket, selectors.EVENT_READ, one)
                live.add(one)
            else:
                one.read(now)
            if one.ended_at is not None:
                selector.unregister(one.socket)
                one.socket.close()
                live.discard(one)
        if now >= next_drip:
            next_drip = now + 1
            for one in live:
                one.drip()
    ended = [one for one in everyone if one.opened_at and one.ended_at]
    # The server's clock starts at a time between the two.
    shortest = min((one.ended_at - one.begun_at for one in ended), default=0)
    longest = max((one.ended_at - one.opened_at for one in ended), default=0)
    report(
        opened=sum(one.opened_at is not None for one in everyone),
        told_408=sum(one.answer.startswith(b"HTTP/1.1 408") for one in everyone),
        told_503=sum(one.answer.startswith(b"HTTP/1.1 503") for one in everyone),
        reset=sum(one.reset for one in everyone),
        left=len(live) + len(opening),
        shortest_ms=round(1000 * shortest),
        longest_ms=round(1000 * longest),
    )


def connect(address, source=None, buffer=None):
    one = socket.socket(socket.AF_INET, socket.SOCK_STREAM)
    one.settimeout(10)
    if buffer:
        one.setsockopt(socket.SOL_SOCKET, socket.SO_RCVBUF, buffer)
    if source:
        one.bind((source, 0))
    one.connect(address)
    return one


def honest(address, seconds, source):
    took, failed, begun = [], 0, time.monotonic()
    while time.monotonic() - begun < seconds:
        started = time.monotonic()
        try:
            with connect(address, source) as one:
                one.sendall(GET.replace(b"\r\n\r\n", b"\r\nConnection: close\r\n\r\n"))
                answer = b""
                while got := one.recv(4096):
                    answer += got
                failed += not answer.startswith(b"HTTP/1.1 200")
        except OSError:
            failed += 1
        took.append(time.monotonic() - started)
        time.sleep(max(0.0, 0.02 - took[-1]))
    took.sort()
    at = lambda share: round(1000 * took[min(len(took) - 1, int(share * len(took)))], 1)
    report(served=len(took) - failed, failed=failed, p50_ms=at(0.5), p99_ms=at(0.99), max_ms=at(1))


def deaf(address, seconds):
    with connect(address, buffer=4096) as one:
        one.sendall(b"GET /bytes/100000000 HTTP/1.1\r\nHost: h\r\n\r\n")
        report(**until_end(one, seconds, reads=False))


def drip(address, seconds):
    with connect(address) as one:
        one.sendall(b"POST /sha256 HTTP/1.1\r\nHost: h\r\nContent-Length: 100000\r\n\r\n")
        report(**until_end(one, seconds, sends=b"x"))


def idle(address, seconds):
    with connect(address) as one:
        one.sendall(GET)
        one.recv(4096)
        report(ready=1)
        report(**until_end(one, seconds))


def again(address, seconds):
    with connect(address) as one:
        one.sendall(GET)
        one.recv(4096)
        report(ready=1)
        time.sleep(2)
        one.sendall(GET)
        report(**until_end(one, seconds))


def busy(address, seconds):
    with connect(address, buffer=65536) as one:
        one.sendall(b"GET /bytes/100000000 HTTP/1.1\r\nHost: h\r\n\r\n")
        report(ready=1)
        report(**until_end(one, seconds, pace=0.005))


def until_end(one, seconds, reads=True, sends=None, pace=0):
    """Until the server ends it: how, after how long, and with which status."""
    begun, status, end = time.monotonic(), "none", "open"
    one.settimeout(1 if sends or not reads else 0.2)
    while time.monotonic() - begun < seconds and end == "open":
        try:
            if sends:
                one.send(sends)
            if reads:
                time.sleep(pace)
                got = one.recv(4096)
                if got.startswith(b"HTTP/1.1 "):
                    status = got[9:12].decode()
                if not got:
                    end = "closed"
            else:
                time.sleep(0.1)
                if one.getsockopt(socket.SOL_SOCKET, socket.SO_ERROR):
                    end = "reset"
        except TimeoutError:
            pass
        except OSError:
            end = "reset"
    return {"end": end, "status": status, "after_ms": round(1000 * (time.monotonic() - begun))}


def main(kind, address, port, *rest):
    end = (address, int(port))
    if kind == "loris":
        loris(end, int(rest[0]), float(rest[1]), rest[2:])
    elif kind == "honest":
        honest(end, float(rest[0]), rest[1])
    else:
        {"deaf": deaf, "drip": drip, "idle": idle, "again": again, "busy": busy}[kind](end, float(rest[0]))


if __name__ == "__main__":
    main(*sys.argv[1:])
