"""The programs by hand that benchmarks compare with do the same job: verdicts and bytes, on many packets."""

import sys
from random import Random

import pytest
from frames import frame
from loading import needs_kernel
from project import ROOT

sys.path.insert(0, str(ROOT / "benchmarks"))
import handwritten

pytestmark = needs_kernel


def packets(chance: Random, count: int) -> list[bytes]:
    """Datagrams for the service and for others, from all sorts of addresses, of many lengths, some tagged or cut."""
    found = []
    for _ in range(count):
        source = chance.choice([0x0A000009, 0xC0A80101, 0xAC100005, 0x0A630001, 0x64400001, chance.getrandbits(32)])
        service = chance.choice([(0x0A000001, 4242)] * 5 + [(0x0A000001, 4243), (0x0A000002, 4242)])
        data = frame(
            (source, chance.randrange(1, 65536)), service, chance.randbytes(chance.choice([0, 5, 11, 12, 20, 64]))
        )
        if chance.random() < 0.2:
            data = data[:12] + b"\x81\x00\x00\x05" + data[12:]
        if chance.random() < 0.1:
            data = data[: chance.randrange(14, len(data) + 1)]
        if chance.random() < 0.1:
            at = chance.randrange(min(42, len(data)))
            data = data[:at] + bytes([chance.randrange(256)]) + data[at + 1 :]
        found.append(data)
    return found


@pytest.mark.parametrize("job", handwritten.JOBS)
def test_both_do_the_same(job):
    """On 600 packets, of which some are dropped or changed."""
    done = set()
    with handwritten.loaded(job) as (ours, theirs):
        for data in packets(Random(job), 600):
            mine, other = ours.verdict(data), theirs.verdict(data)
            assert mine[0] == other[0], data.hex()
            assert mine[0] == "drop" or mine[1] == other[1], data.hex()
            done.add("drop" if mine[0] == "drop" else "changed" if mine[1] != data else "passed")
    assert done >= {"passed", {"deny": "drop", "limiter": "passed"}.get(job, "changed")}
