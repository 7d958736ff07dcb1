"""Ethernet frames around UDP datagrams, with right checksums."""

import struct


def checksum(data: bytes) -> int:
    """The Internet checksum, summed over everything (RFC 1071)."""
    total = sum(struct.unpack(f">{(len(data) + 1) // 2}H", data + b"\0" * (len(data) % 2)))
    while total >> 16:
        total = (total & 0xFFFF) + (total >> 16)
    return ~total & 0xFFFF


def frame(src: tuple[int, int], dst: tuple[int, int], payload: bytes) -> bytes:
    """An Ethernet frame around a datagram between two endpoints."""
    udp = struct.pack(">HHHH", src[1], dst[1], 8 + len(payload), 0) + payload
    pseudo = struct.pack(">IIBBH", src[0], dst[0], 0, 17, len(udp))
    udp = udp[:6] + struct.pack(">H", checksum(pseudo + udp) or 0xFFFF) + udp[8:]
    ip = struct.pack(">BBHHHBBHII", 0x45, 0, 20 + len(udp), 7, 0, 64, 17, 0, src[0], dst[0])
    ip = ip[:10] + struct.pack(">H", checksum(ip)) + ip[12:]
    return bytes(12) + b"\x08\x00" + ip + udp
