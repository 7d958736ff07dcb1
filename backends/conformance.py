"""What any backend must keep, as a check that plug-ins can run on theirs.

It says nothing of whether what is printed does what the program says: that takes the target, and the interpreter
(`bertha_ir.interpreter.program.Machine`), which says what the verdict, the bytes and the state are.
"""

from __future__ import annotations

import re
from typing import TYPE_CHECKING, get_args

from attrs import evolve

from bertha_ir import expr as e
from bertha_ir import stmt as s
from bertha_ir.backends.base import Backend, Unit
from bertha_ir.diagnostics import Code, Diagnostic
from bertha_ir.program import (
    Block,
    DeviceProgram,
    Entry,
    Header,
    HeaderField,
    ParseState,
    Root,
    State,
    Table,
    Transition,
)
from bertha_ir.spec import DeviceKind
from bertha_ir.types import BOOL, BYTES, U8, U16, U32, U64

if TYPE_CHECKING:
    from collections.abc import Iterator

    from bertha_ir.stmt import Body

PATH = re.compile(r"[A-Za-z0-9_+-][A-Za-z0-9_.+-]*(/[A-Za-z0-9_+-][A-Za-z0-9_.+-]*)*")
EVIL = 'evil"; */ \n#error \\\'"""$(touch evil)/../..'
_OUTER = Header("outer", (HeaderField("kind", U8), HeaderField("length", U16), HeaderField("source", U32)))
_INNER = Header("inner", (HeaderField("key", U64), HeaderField("word", U32)))
_KIND, _SOURCE = e.Field("outer", "kind", U8), e.Field("outer", "source", U32)
_KEY, _WORD = e.Field("inner", "key", U64), e.Field("inner", "word", U32)
_TRUE = e.Const(value=True, type=BOOL)


def violations(backend: Backend) -> tuple[str, ...]:
    """Return what a backend breaks of the contract, one sentence each; empty when it conforms.

    It names kinds of devices and roots that there are; `validate` answers each program with diagnostics, the same each
    time, and never raises; what it has nothing against, `emit` prints: files whose names stay below the device's folder
    and whose text is the same each time, whatever names the program has. A program of a root that the backend does not
    take is refused.
    """
    return tuple(dict.fromkeys(_violations(backend)))


def _violations(backend: Backend) -> Iterator[str]:
    if not isinstance(backend, Backend):
        yield f"it is no Backend but a {type(backend).__name__}"
        return
    for what, given, known in (("kind", backend.kinds, get_args(DeviceKind)), ("root", backend.roots, get_args(Root))):
        yield from (f"there is no {what} `{name}`" for name in given if name not in known)
        if not given:
            yield f"it names no {what}"
    if not re.fullmatch(r"[a-z][a-z0-9_]*", backend.name):
        yield f"`{backend.name}` is no name for a folder of the artifact"
    taken = 0
    for unit in units():
        found = list(_of_unit(backend, unit))
        taken += found == [_TAKEN]
        yield from (text for text in found if text != _TAKEN)
    if not taken:
        yield "it takes no program at all, not even one that does nothing"


_TAKEN = "taken"


def _of_unit(backend: Backend, unit: Unit) -> Iterator[str]:
    name = unit.program.name if unit.program.name != EVIL else "a program with hostile names"
    try:
        answers = [backend.validate(unit) for _ in range(2)]
    except Exception as error:  # noqa: BLE001  (a stranger's code: whatever it raises is the finding)
        yield f"{name}: validate fails: {type(error).__name__}: {error}"
        return
    if not isinstance(answers[0], tuple) or not all(isinstance(d, Diagnostic) for d in answers[0]):
        yield f"{name}: validate answers with {type(answers[0]).__name__}, not with a tuple of diagnostics"
        return
    if answers[0] != answers[1]:
        yield f"{name}: validate answers otherwise when it is asked again"
    if any(not issubclass(d.code, Code) or not d.message for d in answers[0]):
        yield f"{name}: a diagnostic has no code, or no message"
    if not answers[0] and unit.program.root not in backend.roots:
        yield f"{name}: it has nothing against the root `{unit.program.root}`, which it does not take"
    elif not answers[0]:
        yield from _emitted(backend, unit, name)


def _emitted(backend: Backend, unit: Unit, name: str) -> Iterator[str]:
    try:
        files, again = backend.emit(unit), backend.emit(unit)
    except Exception as error:  # noqa: BLE001  (as above)
        yield f"{name}: emit fails: {type(error).__name__}: {error}"
        return
    if not files:
        yield f"{name}: emit prints no file"
    for path, text in files.items():
        if not PATH.fullmatch(path):
            yield f"{name}: `{' '.join(path.split())}` is no name for a file of an artifact"
        if not isinstance(text, str):
            yield f"{name}: `{path}` is {type(text).__name__}, not text"
    if files != again:
        yield f"{name}: emit prints something else when it is asked again"
    if files == again:
        yield _TAKEN


def units() -> tuple[Unit, ...]:
    """Return the programs that backends are tried with: of each root and hook, each with a few kinds of bodies."""
    plain = [_frame(name, body, tables, states) for name, body, tables, states in _bodies()]
    hooks = [evolve(p, hook=hook, name=f"{p.name} at {hook}") for p in plain for hook in ("egress", "pipeline")]
    hostile = evolve(plain[1], name=EVIL, device=EVIL)
    named = evolve(hostile, tables=tuple(evolve(t, name=EVIL) for t in hostile.tables), blocks=_renamed(hostile))
    datagram = DeviceProgram(
        "a datagram", "h", "datagram", "process", (), (), (), (), (Block("b", (), _TRUE, (), ()),)
    )  # fmt: skip
    sent = evolve(datagram, name="what is sent", root="send")
    return tuple(Unit(p, ports=((1, 2), (2, 1))) for p in (*plain, *hooks, named, datagram, sent))


def _renamed(program: DeviceProgram) -> tuple[Block, ...]:
    """Return the blocks of a program, their look-ups of tables that have a hostile name."""
    blocks = []
    for block in program.blocks:
        body = tuple(evolve(n, container=EVIL) if isinstance(n, s.Lookup) else n for n in block.body)
        blocks.append(evolve(block, name=EVIL, body=body, ops=(EVIL,)))
    return tuple(blocks)


def _frame(name: str, body: Body, tables: tuple[Table, ...], states: tuple[State, ...]) -> DeviceProgram:
    parser = (ParseState("outer", (Transition((("kind", 1),), "inner"),)), ParseState("inner"))
    block = Block("first", ("outer", "inner"), _TRUE, body, ("op.packet",))
    return DeviceProgram(name, "d", "frame", "ingress", (_OUTER, _INNER), parser, tables, states, (block,))


def _bodies() -> Iterator[tuple[str, Body, tuple[Table, ...], tuple[State, ...]]]:
    """Yield a name, a body, and its tables and state: from nothing to what only some targets can."""
    yield "nothing", (), (), ()
    denied = Table("denied", "exact", (U32,), (), 8, (Entry((7,)), Entry((9,))))
    dropped = (s.Lookup("denied", (_SOURCE,), "hit", ()), s.If(e.Local("hit", BOOL), (s.Drop(),)))
    yield "a table and a drop", dropped, (denied,), ()
    prefixes = Table("prefixes", "lpm", (U32,), (U16,), 8, (Entry((0x0A000000, 8), (1,)),))
    marked = (
        s.Lookup("prefixes", (_SOURCE,), "found", (e.Local("mark", U16),)),
        s.Assign(_WORD, e.Cast(e.Local("mark", U16), U32)),
    )
    yield "prefixes and a field", marked, (prefixes,), ()
    counted = (s.Store("count", (_KIND,), "add", (e.Const(1, U32),)),)
    yield "a counter", counted, (), (State("count", (U8,), (U32,), 256),)
    yield "a bounce", (s.Assign(_WORD, e.Binary("+", _WORD, e.Const(1, U32))), s.Bounce()), (), ()
    yield "time", (s.Let("now", e.Call("now", (), U64)), s.Assign(_KEY, e.Local("now", U64))), (), ()
    yield "the payload", (s.Assign(e.Payload(), e.Const(b"x", BYTES)),), (), ()
