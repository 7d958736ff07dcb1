"""Runs one message both ways: through a direction as written, and through the programs that were made of it."""

from __future__ import annotations

from typing import TYPE_CHECKING, Any

from attrs import define, frozen

from bertha_ir.runtime.primitives import PrimitiveError

if TYPE_CHECKING:
    from collections.abc import Mapping, Sequence

    from bertha_ir.interpreter.frame import Network
    from bertha_ir.interpreter.halves import Placed
    from bertha_ir.interpreter.packet import Endpoint, Record
    from bertha_ir.interpreter.program import Machine, Outcome
    from bertha_ir.interpreter.stack import Delivery, StackMachine
    from bertha_ir.interpreter.traffic import Sending
    from bertha_ir.program import DeviceProgram

FAILURES = (ArithmeticError, AssertionError, AttributeError, LookupError, TypeError, ValueError, PrimitiveError)
"""What running a body that is not well formed may raise."""
Came = tuple[bytes, "Endpoint", "Endpoint"]


@frozen
class Row:
    """One thing that is not the same: its name, and how it is on each side, empty where it is not there."""

    name: str
    written: str
    placed: str


class DiffersError(Exception):
    """The two ways differ: `where`, and in what."""

    def __init__(self, where: str, rows: tuple[Row, ...]) -> None:
        super().__init__(where)
        self.where, self.rows = where, rows


def shown(value: object) -> str:
    """Return a value as text: bytes in hexadecimal, an endpoint with dots."""
    match value:
        case None:
            return ""
        case bytes():
            return f"0x{value.hex()}" if value else "no bytes"
        case (int(ip), int(port)):
            return ".".join(str(b) for b in ip.to_bytes(4, "big")) + f":{port}"
        case tuple() | list():
            return ", ".join(shown(v) for v in value)
        case _:
            return str(value)


def rows_between(written: Mapping[str, object], placed: Mapping[str, object]) -> tuple[Row, ...]:
    """Return what is not the same in two sets of named values."""
    names = [*written, *(n for n in placed if n not in written)]
    missing = object()
    return tuple(
        Row(n, *(shown(side[n]) if n in side else "" for side in (written, placed)))
        for n in names
        if written.get(n, missing) != placed.get(n, missing)
    )


def ran(
    machine: Machine, data: bytes, src: Endpoint = (0, 0), dst: Endpoint = (0, 0), value: Record | None = None
) -> Outcome:
    """Run a program on a message. One that fails differs from whatever was written."""
    try:
        return machine.run(data, src, dst, _copy(value))
    except FAILURES as error:
        where = f"{machine.program.name} of {machine.program.device}"
        text = " ".join(f"{type(error).__name__}: {error}".split())
        raise DiffersError(where, (Row("the run", "ends", text),)) from error


@define
class Both:
    """One direction, ready to run both ways. `sender`, `wire` and `whole` run it as written: as far as the sender's
    transport without what is on the path, as far as the receiver's with it, and to the end. `machines` run the
    programs, by name; `card_out` and `card_in` what devices beside the ends do by themselves.
    """

    placed: Placed
    sender: StackMachine
    wire: StackMachine
    whole: StackMachine
    machines: Mapping[str, Machine]
    card_out: StackMachine | None = None
    card_in: StackMachine | None = None

    def machine(self, program: DeviceProgram) -> Machine:
        """Return what runs a program, with its state."""
        return self.machines[program_key(program)]

    def run(self, sending: Sending) -> None:
        """Send one message both ways. Raises `DiffersError`."""
        start: dict[str, Any] = {"payload": sending.payload, "src": sending.src, "dst": sending.dst}
        value = sending.value
        sent = [d.payload for d in self.sender.run(**start, value=_copy(value))]
        frame = self._framed(sending, sent[0]) if sent else None
        network: Network = sending.framing.fields(frame) if sending.framing is not None and frame is not None else {}
        arrived = self.wire.run(**start, value=_copy(value), network=network)
        received = self.whole.run(**start, value=_copy(value), network=network)
        _same("what the sender's process packs", sent, self._packed(sending))
        if not sent:
            return
        came = self._by_process(sending, sent[0], arrived) if frame is None else self._by_wire(sending, frame, arrived)
        if came is not None:
            self._received(came, [d for d in received if not d.back])

    def _framed(self, sending: Sending, payload: bytes) -> bytes | None:
        if sending.framing is None:
            return None
        frame = sending.framing.build(sending.src, sending.dst, payload, sending.given, summed=sending.summed)
        return frame + bytes(sending.padding)

    def _packed(self, sending: Sending) -> list[bytes]:
        data, value = sending.payload, sending.value
        if self.placed.send is not None:
            outcome = ran(self.machine(self.placed.send), data, sending.src, sending.dst, value)
            if outcome.verdict != "pass":
                return []
            data, value = outcome.data, None
        if self.card_out is None:
            return [data]
        return [d.payload for d in self.card_out.run(data, sending.src, sending.dst, _copy(value))]

    def _by_wire(self, sending: Sending, data: bytes, arrived: Sequence[Delivery]) -> Came | None:
        """Return what comes to the receiver's process, compared; None when nothing does."""
        assert sending.framing is not None  # noqa: S101  INVARIANT: there is a frame
        verdict, where = "pass", "the frame"
        for program in self.placed.frames:
            outcome = ran(self.machine(program), data)
            verdict, data, where = outcome.verdict, outcome.data, f"the frame behind {program.name} on {program.device}"
            if verdict != "pass":
                break
        if self.placed.datagram is None:
            got = None if verdict == "drop" else (verdict, data)
            wanted = next((_frame_of(d, sending) for d in arrived), None)
            if wanted != got:
                raise DiffersError(where, _frame_rows(wanted, got, sending))
        if verdict != "pass":
            if self.placed.datagram is not None:
                _same(where, [_ended(d) for d in arrived], [] if verdict == "drop" else [(verdict,)])
            return None
        src, dst = sending.framing.ends(data)
        payload = data[sending.framing.size : len(data) - sending.padding]
        if self.placed.datagram is None:
            return payload, src, dst
        return self._by_process(sending, payload, arrived, src, dst)

    def _by_process(
        self, sending: Sending, payload: bytes, arrived: Sequence[Delivery], src: Endpoint | None = None,
        dst: Endpoint | None = None,
    ) -> Came | None:  # fmt: skip
        """Return what the receiver's own process makes of a message that comes to it, compared."""
        src, dst = src or sending.src, dst or sending.dst
        verdict, where = "pass", "the message"
        if self.placed.datagram is not None:
            outcome = ran(self.machine(self.placed.datagram), payload, src, dst)
            verdict, payload, src, dst = outcome.verdict, outcome.data, outcome.src, outcome.dst
            where = f"the message behind {self.placed.datagram.name} on {self.placed.datagram.device}"
        made = [] if verdict == "drop" else [(verdict, src, dst, payload)]
        _same(where, [_ended(d) for d in arrived], made)
        return (payload, src, dst) if verdict == "pass" else None

    def _received(self, came: Came, received: list[Delivery]) -> None:
        program = self.placed.recv
        decoded = program is not None and program.message is not None
        wanted = [d.value if decoded else d.payload for d in received]
        if self.card_in is not None:
            taken = self.card_in.run(*came)
            came = (taken[0].payload, came[1], came[2]) if taken else came
            if not taken:
                _same("what the receiver's device takes apart", wanted, [])
                return
        got: list[Any] = [came[0]]
        if program is not None:
            outcome = ran(self.machine(program), *came)
            got = [outcome.value if decoded else outcome.data] if outcome.verdict == "pass" else []
        _same("what the receiver's process unpacks", wanted, got)


def program_key(program: DeviceProgram) -> str:
    """Return a name that no two programs of an artifact share."""
    return f"{program.device}/{program.hook}/{program.name}"


def _copy(value: Record | None) -> Record | None:
    return dict(value) if value is not None else None


def _ended(delivery: Delivery) -> tuple[str, Endpoint, Endpoint, bytes]:
    return "bounce" if delivery.back else "pass", delivery.src, delivery.dst, delivery.payload


def _same(where: str, written: Sequence[Any], placed: Sequence[Any]) -> None:
    """Compare what is there of a message, or is not. Raises `DiffersError`."""
    if list(written) != list(placed):
        sides = [_named(found) for found in (written, placed)]
        if not written or not placed:
            sides = [{"message": side.get("message", "goes on")} for side in sides]
        raise DiffersError(where, rows_between(*sides))


def _named(found: Sequence[Any]) -> dict[str, object]:
    """Return what is to be seen of a message by name."""
    if not found:
        return {"message": "dropped"}
    match found[0]:
        case dict() as record:
            return dict(record)
        case (verdict, *rest):
            names = ("source", "destination", "payload")
            return {"message": _WORDS[verdict], **dict(zip(names, rest, strict=False))}
        case payload:
            return {"payload": payload}


_WORDS = {"pass": "goes on", "bounce": "goes back"}


def _frame_of(delivery: Delivery, sending: Sending) -> tuple[str, bytes]:
    """Return the frame of a message that was run as written, as if it had been sent so from the start."""
    framing = sending.framing
    assert framing is not None  # noqa: S101  INVARIANT: only frames are compared so
    fields = {h: dict(sending.given.get(h, {})) for h in framing.way}
    for header, found in delivery.network:
        fields[header].update(found)
    root = fields[framing.way[0]]
    if delivery.back and {"src", "dst"} <= root.keys():
        root["src"], root["dst"] = root["dst"], root["src"]
    frame = framing.build(delivery.src, delivery.dst, delivery.payload, fields, summed=sending.summed)
    return "bounce" if delivery.back else "pass", frame + bytes(sending.padding)


def _frame_rows(wanted: tuple[str, bytes] | None, got: tuple[str, bytes] | None, sending: Sending) -> tuple[Row, ...]:
    """Return in what two frames differ; where one of them is not there, its fields say nothing."""
    sides = [_frame_named(found, sending) for found in (wanted, got)]
    if wanted is None or got is None:
        sides = [{"message": side["message"]} for side in sides]
    return rows_between(*sides)


def _frame_named(found: tuple[str, bytes] | None, sending: Sending) -> dict[str, object]:
    framing = sending.framing
    if found is None:
        return {"message": "dropped"}
    verdict, data = found
    assert framing is not None  # noqa: S101  INVARIANT: only frames are compared so
    if len(data) < framing.size:
        return {"message": _WORDS[verdict], "frame": data}
    fields = {f"{h}.{name}": value for h, record in framing.fields(data).items() for name, value in record.items()}
    return {"message": _WORDS[verdict], **fields, "payload": data[framing.size :]}
