"""Servers that a gateway leads to, on both families.

    python3 elsewhere.py serve        all of them, until killed; says `ready`
    python3 elsewhere.py bytes N      what GET /bytes/N gives, on standard output

HTTP, port 8080: `GET /bytes/N`; `PUT` answers with length and SHA-256 of the body. Other ports:
7001  reads to the end, then answers with length and SHA-256
7002  says something, ends its direction, reads to the end, and prints length and SHA-256
7003  reads something and resets
7004  reads nothing at all
"""

import hashlib
import http.server
import random
import socket
import struct
import sys
import threading

PIECE = 1 << 16


def pieces(total):
    """Bytes that differ from piece to piece, so that a lost, doubled or misplaced one shows."""
    base = random.Random(1).randbytes(PIECE - 8)
    for number in range(-(-total // PIECE)):
        yield (struct.pack(">Q", number) + base)[: min(PIECE, total - number * PIECE)]


def digest(read):
    total, sums = 0, hashlib.sha256()
    while piece := read(PIECE):
        total += len(piece)
        sums.update(piece)
    return f"{total} {sums.hexdigest()}\n"


class Handler(http.server.BaseHTTPRequestHandler):
    protocol_version = "HTTP/1.1"

    def do_GET(self):
        total = int(self.path.removeprefix("/bytes/"))
        self.send_response(200)
        self.send_header("Content-Length", str(total))
        self.end_headers()
        for piece in pieces(total):
            self.wfile.write(piece)

    def do_PUT(self):
        left = int(self.headers["Content-Length"])

        def read(most):
            nonlocal left
            piece = self.rfile.read(min(most, left))
            left -= len(piece)
            return piece

        answer = digest(read).encode()
        self.send_response(200)
        self.send_header("Content-Length", str(len(answer)))
        self.end_headers()
        self.wfile.write(answer)

    def log_message(self, *_):
        pass


class Server(http.server.ThreadingHTTPServer):
    address_family = socket.AF_INET6
    request_queue_size = 1024
    daemon_threads = True

    def server_bind(self):
        self.socket.setsockopt(socket.IPPROTO_IPV6, socket.IPV6_V6ONLY, 0)
        super().server_bind()


def answer_behind_the_end(peer):
    peer.sendall(digest(peer.recv).encode())


def end_first(peer):
    peer.sendall(b"nothing more from here\n")
    peer.shutdown(socket.SHUT_WR)
    print("heard", digest(peer.recv), end="", flush=True)


def reset(peer):
    peer.recv(1)
    peer.setsockopt(socket.SOL_SOCKET, socket.SO_LINGER, struct.pack("ii", 1, 0))


def deaf(peer):
    threading.Event().wait()


def serve(port, conversation):
    listener = socket.create_server(("", port), family=socket.AF_INET6, dualstack_ipv6=True, backlog=1024)

    def converse(peer):
        with peer:
            try:
                conversation(peer)
            except ConnectionError as error:
                print("broken", port, error, flush=True)

    while True:
        threading.Thread(target=converse, args=(listener.accept()[0],), daemon=True).start()


if __name__ == "__main__":
    if sys.argv[1] == "bytes":
        for piece in pieces(int(sys.argv[2])):
            sys.stdout.buffer.write(piece)
        sys.exit(0)
    for port, conversation in (7001, answer_behind_the_end), (7002, end_first), (7003, reset), (7004, deaf):
        threading.Thread(target=serve, args=(port, conversation), daemon=True).start()
    server = Server(("", 8080), Handler)
    print("ready", flush=True)
    server.serve_forever()
