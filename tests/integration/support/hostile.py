"""Packets that no honest peer sends, put on a TUN interface as if the kernel had sent them:

    hostile.py INTERFACE random  SECONDS RATE
    hostile.py INTERFACE mutated SECONDS RATE CAPTURE.pcap
    hostile.py INTERFACE syn     COUNT   RATE ADDRESS PORT

RATE is in packets a second. `random` is bytes; `mutated` is a real capture's packets with bits flipped, cut off or
drawn out, half of them with checksums made right again, so that they get past the first gate; `syn` is SYNs that
are never followed up, each from a source of its own in 10.66.0.0/16. The seed is fixed. Prints how many were sent.
"""

import random
import socket
import struct
import sys
import time

LARGEST = 1500
TCP, UDP, ICMP, ICMPV6 = 6, 17, 1, 58
CHECKSUM_AT = {TCP: 16, UDP: 6, ICMP: 2, ICMPV6: 2}


def ones_sum(data):
    data += b"\0" * (len(data) % 2)
    total = sum(struct.unpack(f"!{len(data) // 2}H", data))
    while total >> 16:
        total = (total & 0xFFFF) + (total >> 16)
    return ~total & 0xFFFF


def put16(packet, at, value):
    packet[at : at + 2] = struct.pack("!H", value)


def mend(packet):
    """Makes length and checksums right, as far as the packet's headers are there."""
    if len(packet) >= 20 and packet[0] >> 4 == 4:
        header = (packet[0] & 15) * 4
        if header < 20 or header > len(packet):
            return
        put16(packet, 2, len(packet))
        put16(packet, 10, 0)
        put16(packet, 10, ones_sum(bytes(packet[:header])))
        protocol, addresses = packet[9], bytes(packet[12:20])
    elif len(packet) >= 40 and packet[0] >> 4 == 6:
        header = 40
        put16(packet, 4, len(packet) - header)
        protocol, addresses = packet[6], bytes(packet[8:40])
    else:
        return
    at = header + CHECKSUM_AT.get(protocol, LARGEST)
    if at + 2 <= len(packet):
        payload = len(packet) - header
        pseudo = b"" if protocol == ICMP else addresses + struct.pack("!II", payload, protocol)
        put16(packet, at, 0)
        put16(packet, at, ones_sum(pseudo + bytes(packet[header:])))


def read_capture(path):
    with open(path, "rb") as file:
        data = file.read()
    order = "<" if data[:4] in (b"\xd4\xc3\xb2\xa1", b"\x4d\x3c\xb2\xa1") else ">"
    at, packets = 24, []
    while at + 16 <= len(data):
        length = struct.unpack(order + "I", data[at + 8 : at + 12])[0]
        packets.append(data[at + 16 : at + 16 + length])
        at += 16 + length
    return [packet for packet in packets if 20 <= len(packet) <= LARGEST]


def random_packets(chance):
    while True:
        packet = bytearray(chance.randbytes(chance.randint(1, LARGEST)))
        if chance.random() < 0.5:
            packet[0] = chance.choice((0x45, 0x46, 0x60))
        yield packet


def mutated_packets(chance, originals):
    # Each protocol as often as any other, though most packets of a capture are TCP's.
    kinds = {}
    for packet in originals:
        version = packet[0] >> 4
        kinds.setdefault((version, packet[9 if version == 4 else 6]), []).append(packet)
    kinds = list(kinds.values())
    while True:
        packet = bytearray(chance.choice(chance.choice(kinds)))
        kind = chance.randrange(4)
        if kind == 0:
            del packet[chance.randrange(1, len(packet)) :]
        elif kind == 1:
            packet += chance.randbytes(chance.randint(0, LARGEST - len(packet)))
        for _ in range(chance.choice((0, 1, 1, 2, 8)) if kind else 0):
            # Headers are where it matters.
            packet[chance.randrange(min(len(packet), 80))] ^= 1 << chance.randrange(8)
        if chance.random() < 0.5:
            mend(packet)
        yield packet


def syn_packets(chance, address, port):
    for number in range(1 << 16):
        source = bytes((10, 66, number >> 8, number & 255))
        header = struct.pack("!BBHHHBBH4s4s", 0x45, 0, 0, number, 0, 64, TCP, 0, source, socket.inet_aton(address))
        segment = struct.pack("!HHIIHHHH", chance.randint(1024, 65535), port, chance.getrandbits(32), 0, 0x6002, 65535, 0, 0)
        packet = bytearray(header + segment + bytes((2, 4, 5, 180)))
        mend(packet)
        yield packet


def main(interface, kind, amount, rate, *rest):
    amount, rate = float(amount), float(rate)
    chance = random.Random(251)
    packets = {
        "random": lambda: random_packets(chance),
        "mutated": lambda: mutated_packets(chance, read_capture(*rest)),
        "syn": lambda: syn_packets(chance, rest[0], int(rest[1])),
    }[kind]()
    most = amount if kind == "syn" else amount * rate
    wire = socket.socket(socket.AF_PACKET, socket.SOCK_RAW)
    begun, sent, refused = time.monotonic(), 0, 0
    while sent + refused < most:
        elapsed = time.monotonic() - begun
        if kind != "syn" and elapsed > amount:
            break
        for packet in (next(packets) for _ in range(int(min(most, elapsed * rate + 1)) - sent - refused)):
            try:
                wire.sendto(packet, (interface, 0x86DD if packet[0] >> 4 == 6 else 0x0800))
                sent += 1
            except OSError:  # the interface's queue is full
                refused += 1
        time.sleep(0.002)
    print(f"{sent} sent, {refused} refused, in {time.monotonic() - begun:.1f} s")


main(*sys.argv[1:])
