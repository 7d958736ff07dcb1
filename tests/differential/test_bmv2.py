"""What the real BMv2 does with the emitted P4 is, frame by frame and bit by bit, what the interpreter does."""

import random
import struct

import pytest
from bmv2 import MISSING, compile_p4, run_switch
from samples import SERVICE_IP, SERVICE_PORT, SHARDS, kv_egress, kv_ingress, kv_pipeline
from switches import arithmetic, counted, hostile, inputs, looked_up, remembered

from bertha_ir.backends.base import Unit
from bertha_ir.backends.p4.names import mangle
from bertha_ir.backends.p4.target import P4Backend
from bertha_ir.interpreter.program import Machine

pytestmark = [
    pytest.mark.p4,
    pytest.mark.skipif(bool(MISSING), reason=f"P4 IS NOT RUN: {', '.join(MISSING)} not on PATH"),
]
WIRE = {0: 1, 1: 0}


def ones_sum(data):
    """The Internet checksum's sum (RFC 1071), written apart from the code under test."""
    total = sum(struct.unpack(f"!{(len(data) + 1) // 2}H", data + b"\0" * (len(data) % 2)))
    while total >> 16:
        total = (total & 0xFFFF) + (total >> 16)
    return total


def frame(source, payload, src=(0x0A000009, 5555), dst=(SERVICE_IP, SERVICE_PORT), **more):
    """A right UDP datagram in an Ethernet frame; with `checksum=False` without its checksum, with `tag` behind one."""
    checksum, tag = more.get("checksum", True), more.get("tag", b"")
    ends = src[0].to_bytes(4, "big") + dst[0].to_bytes(4, "big")
    length = 8 + len(payload)
    udp = struct.pack("!HHHH", src[1], dst[1], length, 0) + payload
    if checksum:
        total = ~ones_sum(ends + struct.pack("!HH", 17, length) + udp) & 0xFFFF
        udp = udp[:6] + (total or 0xFFFF).to_bytes(2, "big") + udp[8:]
    head = struct.pack("!BBHHHBBH", 0x45, 0, 20 + length, source.getrandbits(16), 0x4000, 64, 17, 0) + ends
    head = head[:10] + (~ones_sum(head) & 0xFFFF).to_bytes(2, "big") + head[12:]
    return source.randbytes(12) + tag + b"\x08\x00" + head + udp


def kv_frames(source, count):
    """Requests and responses, right ones and ones that are wrong in every way."""
    frames = []
    for number in range(count):
        tag = b"\x81\x00" + source.randbytes(2) if source.random() < 0.2 else b""
        request = source.randbytes(26 + source.randrange(40))
        more = {"tag": tag, "checksum": source.random() < 0.8}
        good = frame(source, request, **more)
        back = frame(source, request, src=source.choice(SHARDS), dst=(0x0A000009, 5555), **more)
        at = 14 + len(tag)
        kinds = (
            good,
            back,
            frame(source, request[: source.randrange(30)], **more),
            good[: source.randrange(len(good))],
            back[: source.randrange(len(back))],
            good + bytes(source.randrange(1, 20)),
            patched(good, at + 2, source.randbytes(2)),
            patched(good, at + 24, source.randbytes(2)),
            patched(good, at + 24, struct.pack("!H", source.randrange(44))),
            patched(good, at, bytes([source.randrange(256)])),
            patched(good, at + 6, source.randbytes(2)),
            patched(good, at + 9, bytes([source.randrange(256)])),
            patched(good, at + 10, source.choice((b"\0\0", b"\xff\xff", source.randbytes(2)))),
            patched(good, at + 26, source.choice((b"\0\0", b"\xff\xff", source.randbytes(2)))),
            patched(good, at + 16, source.randbytes(4)),
            patched(good, at + 22, source.randbytes(2)),
            patched(good, at - 2, source.choice((b"\x86\xdd", b"\x81\x00", b"\x88\xa8", source.randbytes(2)))),
            patched(good, source.randrange(len(good)), source.randbytes(1)),
            source.randbytes(source.randrange(200)),
        )
        frames.append((source.randrange(2), kinds[number % len(kinds)]))
    return frames


def patched(data, at, new):
    return data[:at] + new + data[at + len(new) :]


def expected(program, frames):
    """The frames out of each port, by the interpreter, and what became of each frame that went in."""
    machine, out, verdicts = Machine(program), [[], []], []
    for port, data in frames:
        outcome = machine.run(data)
        verdicts.append((outcome.verdict, outcome.block, outcome.data != data))
        if outcome.verdict != "drop":
            out[WIRE[port] if outcome.verdict == "pass" else port].append(outcome.data)
    return out, verdicts


def emitted(program, folder, *options, warnings=False):
    """Write and compile a program; return the compiled one and its entries."""
    unit = Unit(program, ports=tuple(WIRE.items()))
    assert P4Backend().validate(unit) == ()
    files = P4Backend().emit(unit)
    for name, text in files.items():
        (folder / name).write_text(text)
    name = mangle(program.name)
    return compile_p4(folder / f"{name}.p4", *options, warnings=warnings), files[f"{name}.commands.txt"]


def compared(program, folder, frames, *, warnings=False):
    """Run frames through both; return what the interpreter says became of them."""
    compiled, commands = emitted(program, folder, warnings=warnings)
    out, verdicts = expected(program, frames)
    came = run_switch(compiled, commands, frames, sum(map(len, out)))
    for port in range(2):
        wrong = next((i for i, (a, b) in enumerate(zip(came[port], out[port], strict=False)) if a != b), None)
        assert wrong is None, f"port {port}, frame {wrong}: {came[port][wrong].hex()} not {out[port][wrong].hex()}"
        assert len(came[port]) == len(out[port])
    return verdicts


PROGRAMS = (kv_pipeline, kv_ingress, kv_egress, counted, remembered, looked_up, hostile, inputs)


@pytest.mark.parametrize("make", PROGRAMS, ids=lambda f: f.__name__)
def test_p4c_takes_the_program_and_agrees_on_its_control_plane(make, tmp_path):
    """p4c warns of nothing, and the p4info it would write is the one that was written."""
    theirs = tmp_path / "theirs.p4info.txt"
    emitted(make(), tmp_path, "--p4runtime-files", str(theirs))
    (ours,) = tmp_path.glob("*.p4info.txtpb")
    assert ours.read_text() == theirs.read_text()


def test_sharded_store_is_the_interpreters(tmp_path):
    """Requests are sharded, responses undone, and everything else passes as it is; at least 300 frames are taken."""
    frames = kv_frames(random.Random(2), 1900)
    verdicts = compared(kv_pipeline(), tmp_path, frames)
    taken = [block for _, block, _ in verdicts]
    assert taken.count("kv_request") >= 300
    assert taken.count("kv_response") >= 300
    assert taken.count(None) >= 300
    assert sum(changed for _, _, changed in verdicts) >= 300


def test_counts_and_limits_are_the_interpreters(tmp_path):
    """A filter, classes by range, counters and a limit by source: state lives in registers from frame to frame."""
    source = random.Random(3)
    addresses = [0x0A090901, 0xC0A80001, *(0x0A000100 + i for i in range(12))]
    frames = []
    for _ in range(600):
        data = frame(source, source.randbytes(8), src=(source.choice(addresses), 7))
        frames.append((source.randrange(2), patched(data, 15, bytes([source.randrange(256)]))))
    verdicts = compared(counted(), tmp_path, frames)
    assert {"drop", "pass"} == {verdict for verdict, _, _ in verdicts}
    assert sum(verdict == "drop" for verdict, _, _ in verdicts) > 100


def test_maps_are_the_interpreters(tmp_path):
    """Set, add, delete, look up and ask whether it is there, under a key of two parts; bounces and drops."""
    source = random.Random(4)
    frames = []
    for _ in range(800):
        verb = source.choice((0, 1, 1, 2, 3, 4, 4, 200))
        command = bytes([verb, source.choice((0, 31, 32, 33, 255))]) + source.randbytes(8 + source.randrange(9))
        frames.append((source.randrange(2), source.randbytes(12) + b"\x88\xb5" + command))
    verdicts = compared(remembered(), tmp_path, frames)
    assert {"drop", "pass", "bounce"} == {verdict for verdict, _, _ in verdicts}


def test_tables_are_the_interpreters(tmp_path):
    """Longest prefixes, ranges, exact pairs and arrays, hit and missed, a second time in the same block."""
    source = random.Random(5)
    addresses = (0, 1, 0x0A000001, 0x0A010203, 0x0A010204, 0x0AFFFFFF, 0x0A000000, 0xC0A80001, 0xFFFFFFFF)
    frames = []
    for _ in range(600):
        address = source.choice((*addresses, source.getrandbits(32)))
        small = source.choice((0, 6, 7, 99, 100, 198, 199, 200, 255, source.randrange(256)))
        probe = struct.pack("!IBI", address, small, source.getrandbits(32)) + source.randbytes(16)
        frames.append((source.randrange(2), source.randbytes(14) + probe))
    compared(looked_up(), tmp_path, frames)


@pytest.mark.parametrize("seed", range(3))
def test_arithmetic_is_the_interpreters(tmp_path, seed):
    """Random expressions of every operator and width: wrapping, division, shifts past the width, hashes.

    p4c folds constants across statements and may warn of what it finds; nothing is hidden from the comparison.
    """
    source = random.Random(seed)
    program = arithmetic(seed, 40)
    size = sum(header.size for header in program.headers)
    edges = [bytes(size), b"\xff" * size]
    frames = [(source.randrange(2), data) for data in (*edges, *(source.randbytes(size) for _ in range(400)))]
    frames.append((0, source.randbytes(size - 1)))
    compared(program, tmp_path, frames, warnings=True)


def test_time_and_chance_come_from_the_switch(tmp_path):
    """`now` is in nanoseconds and does not run backwards; `random` differs from frame to frame."""
    source = random.Random(6)
    frames = [(0, source.randbytes(22)) for _ in range(200)]
    compiled, commands = emitted(inputs(), tmp_path)
    _, out = run_switch(compiled, commands, frames, len(frames))
    assert [data[:10] for data in out] == [data[:10] for _, data in frames]
    times = [int.from_bytes(data[10:18], "big") for data in out]
    assert times == sorted(times)
    assert all(t % 1000 == 0 for t in times)
    assert 0 < times[-1] - times[0] < 60 * 10**9
    assert len({data[18:] for data in out}) > 190
