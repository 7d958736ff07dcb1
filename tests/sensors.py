"""A stack whose network functions a switch runs, as an artifact."""

from __future__ import annotations

import json
from typing import TYPE_CHECKING

from finsy.proto import p4r
from google.protobuf import json_format

from bertha_ir import api
from bertha_ir.artifact import write

if TYPE_CHECKING:
    from pathlib import Path

TEXT = """
message Reading over udp { device: u32; kind: u8; value: u32; }
endpoint a = 10.0.0.1:7001;
endpoint b = 10.0.0.1:7002;
endpoint c = 10.0.0.1:7003;
stack sensors(sensor, hub) {
  request: CHAIN |> udp(7000);
  response: udp(7000);
}
device hub: host { address 10.0.0.1; }
device s1: host { address 10.0.0.9; }
device tor: switch { profile "bmv2"; }
link s1 <-> tor ethernet { rate 10 Gbit/s; port 0; }
link tor <-> hub ethernet { rate 10 Gbit/s; port 1; }
run sensors.hub on hub;
run sensors.sensor on s1;
"""
ON_SWITCH = "policy { prefer firewall on [tor]; prefer count on [tor]; prefer shard on [tor]; prefer steer on [tor]; }"
FIRST = "firewall(deny = [10.9.0.0/16]) |> count(by = Reading.kind) |> shard(Reading.device, [a, b])"
SECOND = "firewall(deny = [10.8.0.0/16, 10.7.0.0/16]) |> count(by = Reading.kind) |> shard(Reading.device, [b, c])"
SHORTER = "firewall(deny = [10.9.0.0/16]) |> shard(Reading.device, [a, b])"


def artifact(folder: Path, chain: str = FIRST, policy: str = ON_SWITCH) -> Path:
    """Compile a chain; return the folder of its artifact."""
    folder.mkdir()
    source, out = folder / "sensors.chunnel", folder / "out"
    source.write_text(TEXT.replace("CHAIN", chain) + policy)
    write(api.artifact(api.build([source])), out)
    return out


def entries_of(folder: Path) -> list[p4r.TableEntry]:
    """The entries that an artifact lists."""
    (path,) = folder.glob("p4/tor/*.entries.json")
    request = json_format.ParseDict(json.loads(path.read_text()), p4r.WriteRequest())
    return [update.entity.table_entry for update in request.updates]


def listed(folder: Path) -> list[bytes]:
    return sorted(entry.SerializeToString(deterministic=True) for entry in entries_of(folder))
