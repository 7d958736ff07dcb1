"""The programs that `benchmarks/python.py` compares: what Bertha compiles for the ends of a stack, and ones by hand."""

from __future__ import annotations

from pathlib import Path
from struct import Struct
from tempfile import TemporaryDirectory
from typing import TYPE_CHECKING, Any

from asyncio_by_hand import (
    compressed,
    compressed_sealed,
    framed,
    once,
    plain,
    sealed,
    sealed_framed,
    tunnelled,
)
from asyncio_by_hand.request import Request
from attrs import frozen

from bertha_ir import api
from bertha_ir.artifact import write
from bertha_ir.runtime.artifact import Artifact

if TYPE_CHECKING:
    from collections.abc import Callable

KEY = bytes(range(32))
SPECIFICATION = """
message Request over udp, tcp { request: u64; client: u64; op: u8; flags: u8; key: u64; value: bytes; }
message numbered { sequence: u32; }
chunnel once() {
  place: endpoint;
  needs both ends;
  requires boundaries;
  state next: u32;
  state seen: map[u32 -> u8; 4096] evicts;
  on send(m) { push numbered { sequence = next }; next += 1; }
  on recv(m) {
    pop numbered else drop;
    let number = m.numbered.sequence;
    if number in seen { drop; }
    seen[number] = 1;
  }
}
"""
SITE = """
device h1: host { address 10.0.0.1; }
device c1: host { address 10.0.0.9; }
link c1 <-> h1 ethernet { rate 10 Gbit/s; }
run app.server on h1;
run app.client on c1;
"""
ENCRYPT = 'encrypt(key = secret("session"))'
TUNNEL = "encapsulate(vni = 5, inside_dst = 02:00:00:00:00:01, inside_src = 02:00:00:00:00:02)"
# `once` stands for `reliable |> order`: processes do not run timers yet.
STACKS: dict[str, tuple[str, Callable[[], Any]]] = {
    "serialize": ("udp(4242)", plain.Codec),
    "serialize |> compress": ("udp(4242)", compressed.Codec),
    f"serialize |> {ENCRYPT}": ("udp(4242)", lambda: sealed.Codec(KEY)),
    f"serialize |> compress |> {ENCRYPT}": ("udp(4242)", lambda: compressed_sealed.Codec(KEY)),
    "serialize |> http2": ("tcp(4242)", framed.Codec),
    f"serialize |> {ENCRYPT} |> http2": ("tcp(4242)", lambda: sealed_framed.Codec(KEY)),
    f"serialize |> {TUNNEL}": ("udp(4789)", tunnelled.Codec),
    "serialize |> once": ("udp(4242)", once.Codec),
}


@frozen
class Ends:
    """Both ends of a stack: `encode` from a `record`, `decode` to one; `taken` is what a stream's receiver gives the
    inside of a frame, or for what Bertha compiled the whole frame.
    """

    encode: Callable[[Any], bytes]
    decode: Callable[[bytes], Any]
    record: Callable[..., Any]
    taken: Callable[[bytes], Any]


def by_hand(stack: str) -> Ends:
    """Return the program by hand."""
    codec = STACKS[stack][1]()
    return Ends(codec.encode, codec.decode, Request, getattr(codec, "content", codec.decode))


def generated(stack: str) -> Ends:
    """Return what Bertha compiles, loaded from its artifact."""
    with TemporaryDirectory() as name:
        files = [Path(name, "app.chunnel"), Path(name, "site.chunnel")]
        request = f"{stack.replace('serialize', 'serialize(Request)')} |> {STACKS[stack][0]}"
        directions = f"stack app(client, server) {{ request: {request}; response: {STACKS[stack][0]}; }}"
        for path, text in zip(files, (SPECIFICATION + directions, SITE), strict=True):
            path.write_text(text)
        write(api.artifact(api.build(files)), Path(name, "out"))
        artifact = Artifact(Path(name, "out"))
        send, receive = artifact.module("app_request_send"), artifact.module("app_request_recv")
    for module in (send, receive):
        if hasattr(module, "SECRETS"):
            module.SECRETS["session"] = KEY
    return Ends(send.encode, receive.decode, send.Request, receive.decode)


def short(stack: str) -> str:
    """Return a stack without parameters."""
    return stack.replace(ENCRYPT, "encrypt").replace(TUNNEL, "encapsulate")


LENGTH = Struct(">I")
HEADER = 9


def frames(data: bytes) -> tuple[list[bytes], bytes]:
    """Return the whole HTTP/2 frames at the beginning of a stream, and the rest: what an application does in front of
    `decode`, to which a stack gives a frame.
    """
    at, found, end = 0, [], len(data)
    while at + HEADER <= end:
        behind = at + HEADER + (LENGTH.unpack_from(data, at)[0] >> 8)
        if behind > end:
            break
        found.append(data[at:behind])
        at = behind
    return found, data[at:]
