"""What an end does with messages of one plan: the emitted functions of both directions, with state of their own."""

from __future__ import annotations

from functools import lru_cache
from inspect import get_annotations
from typing import TYPE_CHECKING, Any

from bertha_ir.runtime.artifact import ArtifactError
from bertha_ir.runtime.state import Cell, Recent, Rows

if TYPE_CHECKING:
    from collections.abc import Callable, Mapping
    from types import ModuleType

    from bertha_ir.runtime.connections.life import Running
    from bertha_ir.runtime.connections.ways import Way

    Outgoing = Callable[[Any], list[bytes]]
    Incoming = Callable[[bytes], tuple[list[Any], list[bytes]]]


class Codec:
    """Both directions at one end of a plan. Stateful programs are imported for this codec alone.

    `outgoing` returns the messages to send for a record, none when it is dropped; `incoming` the records that came of
    a message, and what to return to its sender; `returned` what to send after something came back. `timers` are pairs
    of a period in nanoseconds and a function that returns what to send. `record` is the type of what is sent, `bytes`
    where the stack gives messages no layout.
    """

    def __init__(self, running: Running, secrets: Mapping[str, bytes]) -> None:
        """Import the programs of one end of a plan that was started; `ArtifactError` when one does not load."""
        ours, theirs = ("request", "response") if running.role == "client" else ("response", "request")
        sends, receives = _module(running, ours, "send", secrets), _module(running, theirs, "recv", secrets)
        self.outgoing, self.incoming = _outgoing(sends), _incoming(receives)
        self.returned: Callable[[bytes], list[bytes]] = getattr(sends, "returned", _nothing)
        self.timers: tuple[tuple[int, Callable[[], list[bytes]]], ...] = getattr(sends, "TIMERS", ())
        self.record = _taken(sends)
        kept = vars(sends).values() if hasattr(sends, "returned") else ()
        self._states = [state for state in kept if isinstance(state, Cell | Rows | Recent)]

    @property
    def waits(self) -> bool:
        """Whether what is dropped when it is sent is worth another try: a chunnel hears of what became of messages."""
        return bool(self._states)

    def tried(self, record: Any) -> list[bytes]:  # noqa: ANN401  (a record of the stack's)
        """Return the messages to send for a record. When there are none, and another try is worth it, nothing has
        happened: chunnels above the one that dropped it remember nothing of it.
        """
        before = [state.row if isinstance(state, Cell) else dict(state) for state in self._states]
        messages = self.outgoing(record)
        if not messages:
            for state, old in zip(self._states, before, strict=True):
                _restore(state, old)
        return messages


def _restore(state: Cell | Rows | Recent, old: Any) -> None:  # noqa: ANN401  (what the state held)
    if isinstance(state, Cell):
        state.row = old
        return
    state.clear()
    state.update(old)


def _taken(module: ModuleType | None) -> type:
    """Return the type of what a program takes, which its function says."""
    function = getattr(module, "send", None) or getattr(module, "encode", None)
    found = get_annotations(function).get("value", bytes) if function else bytes
    return found if isinstance(found, type) else bytes


def _nothing(_data: bytes) -> list[bytes]:
    return []


def _outgoing(module: ModuleType | None) -> Outgoing:
    if module is None:
        return lambda value: [value]
    if hasattr(module, "send"):
        several: Outgoing = module.send
        return several
    encode = module.encode

    def one(value: Any) -> list[bytes]:  # noqa: ANN401  (a record of the stack's)
        data = encode(value)
        return [] if data is None else [data]

    return one


def _incoming(module: ModuleType | None) -> Incoming:
    if module is None:
        return lambda data: ([data], [])
    if hasattr(module, "receive"):
        several: Incoming = module.receive
        return several
    decode = module.decode

    def one(data: bytes) -> tuple[list[Any], list[bytes]]:
        record = decode(data)
        return ([] if record is None else [record]), []

    return one


def _module(running: Running, direction: str, root: str, secrets: Mapping[str, bytes]) -> ModuleType | None:
    program = running.way.program(direction, root, running.offloads)
    if program is None:
        return None
    given = tuple(sorted(secrets.items()))
    make = _own if program.stateful else _shared
    return make(running.way, program.name, frozenset(running.offloads), given)


def _own(way: Way, name: str, started: frozenset[str], secrets: tuple[tuple[str, bytes], ...]) -> ModuleType:
    module = way.artifact.module(name, started)
    needed = getattr(module, "SECRETS", None)
    if needed is not None:
        needed.update(secrets)
    return module


_shared = lru_cache(maxsize=64)(_own)


def secrets_of(way: Way, given: Mapping[str, bytes]) -> dict[str, bytes]:
    """Return the secrets that a stack's ends share, of those that were given; `ArtifactError` when one is missing."""
    missing = [name for name in way.stack.secrets if name not in given]
    if missing:
        msg = f"the stack `{way.stack.name}` needs the secret `{missing[0]}`"
        raise ArtifactError(msg)
    return {name: given[name] for name in way.stack.secrets}
