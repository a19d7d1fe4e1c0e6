#!/usr/bin/env python3
"""The table of malformed and ambiguous requests, tests/requests.txt, over real connections.

    requests.py ADDRESS PORT            to our server: prints what is not as the table says
    requests.py ADDRESS PORT --nginx    to nginx, by the table's lines for nginx
    requests.py --differences           prints what nginx does differently, as a table for the documentation

The last line of the first two is `N of M as the table says`; the status is 0 if all are.
"""

import re
import selectors
import socket
import sys
import time
from pathlib import Path

TABLE = Path(__file__).resolve().parents[3] / "tests" / "requests.txt"
NEXT = b"DELETE /healthz HTTP/1.1\r\nHost: h\r\n\r\n"
AT_ONCE = 150
SETTLED = 2  # seconds without a byte after which nothing more is expected
ESCAPES = {"r": b"\r", "n": b"\n", "t": b"\t", "0": b"\0", "\\": b"\\"}


class Row:
    def __init__(self, section):
        self.section, self.name, self.request = section, "", ""
        self.ours = self.nginx = self.why = None


def rows():
    section, found = "", []
    for block in TABLE.read_text("ascii").split("\n\n"):
        row = Row(section)
        for line in block.splitlines():
            mark, _, text = line.partition(" ")
            if mark == "##":
                section = text
            elif mark == "#":
                row.name = text
            elif mark == ">":
                row.request += text
            elif mark == "=":
                row.ours = text
            elif mark == "~":
                row.nginx = text
            elif mark == "!":
                row.why = text
        if row.name:
            found.append(row)
    return found


def expand(text):
    result, at = b"", 0
    for match in re.finditer(r"\\x([0-9a-fA-F]{2})|\\(.)|\{(\d+)\*([^}]*)\}", text):
        result += text[at : match.start()].encode("ascii")
        at = match.end()
        code, escape, count, piece = match.groups()
        if code:
            result += bytes([int(code, 16)])
        elif escape:
            result += ESCAPES[escape]
        else:
            result += expand(piece) * int(count)
    return result + text[at:].encode("ascii")


class Exchange:
    """One row on a connection of its own."""

    def __init__(self, row, address):
        self.row, self.answers, self.end = row, b"", None
        self.unsent = expand(row.request) + NEXT
        family = socket.AF_INET6 if ":" in address[0] else socket.AF_INET
        self.socket = socket.socket(family, socket.SOCK_STREAM)
        self.socket.settimeout(10)
        self.socket.connect(address)
        self.socket.setblocking(False)
        self.active_at = time.monotonic()

    def run(self, events):
        self.active_at = time.monotonic()
        try:
            if events & selectors.EVENT_WRITE and self.unsent:
                self.unsent = self.unsent[self.socket.send(self.unsent) :]
        except OSError:
            self.unsent = b""  # what has been answered before that is still to be read
        try:
            if events & selectors.EVENT_READ:
                got = self.socket.recv(65536)
                self.answers += got
                if not got:
                    self.end = "closed"
        except BlockingIOError:
            pass
        except OSError:
            self.end = "closed" if self.answers else "cut"

    def wanted(self):
        return selectors.EVENT_READ | (selectors.EVENT_WRITE if self.unsent else 0)

    def is_over(self, now):
        return self.end is not None or now - self.active_at > SETTLED

    def outcome(self):
        words = [status.decode() for status in re.findall(rb"HTTP/1\.1 (\d{3})", self.answers)]
        if self.end is None and words and words[-1] == "405":
            words[-1] = "next"
        else:
            words.append(self.end or "open")
        return " ".join(words)


def run(table, address):
    """The outcome of each row, in its order."""
    waiting, outcomes, selector, live = list(table), {}, selectors.DefaultSelector(), set()
    while waiting or live:
        while waiting and len(live) < AT_ONCE:
            exchange = Exchange(waiting.pop(0), address)
            selector.register(exchange.socket, exchange.wanted(), exchange)
            live.add(exchange)
        # Before looking, not after it: what came while this program itself was delayed is no silence.
        now = time.monotonic()
        for key, events in selector.select(0.05):
            key.data.run(events)
            selector.modify(key.fileobj, key.data.wanted(), key.data)
        for exchange in [exchange for exchange in live if exchange.is_over(now)]:
            live.remove(exchange)
            selector.unregister(exchange.socket)
            exchange.socket.close()
            outcomes[exchange.row] = exchange.outcome()
    return [outcomes[row] for row in table]


def main(arguments):
    table = rows()
    if arguments == ["--differences"]:
        print("| section | request | longwire | nginx | why they differ |\n| --- | --- | --- | --- | --- |")
        for row in table:
            if row.nginx:
                print(f"| {row.section.split(' (')[0]} | {row.name} | {row.ours} | {row.nginx} | {row.why} |")
        return 0
    address, port, *rest = arguments
    is_nginx, right = rest == ["--nginx"], 0
    for row, outcome in zip(table, run(table, (address, int(port)))):
        expected = row.nginx or row.ours if is_nginx else row.ours
        right += outcome == expected
        if outcome != expected:
            print(f"{row.section.split(' (')[0]}: {row.name}: {outcome} instead of {expected}")
    print(f"{right} of {len(table)} as the table says")
    return 0 if right == len(table) else 1


if __name__ == "__main__":
    sys.exit(main(sys.argv[1:]))
