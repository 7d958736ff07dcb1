"""The clauses of a chunnel that do not depend on its arguments: checked once, where it is declared."""

from __future__ import annotations

from typing import TYPE_CHECKING, cast, get_args

from attrs import frozen

from bertha_ir.expr import Field
from bertha_ir.frontend import ast, tree
from bertha_ir.frontend.codes import (
    CH011Duplicate,
    CH051BadClause,
    CH052EventNotAllowed,
    CH053MissingHandler,
    CH054BadLaw,
    CH055BadTransport,
)
from bertha_ir.frontend.guarantees import guarantees
from bertha_ir.frontend.names import Names, check_name, check_names, duplicate, unknown
from bertha_ir.frontend.suggest import nearest_or_all, shown
from bertha_ir.spec import Event, Law, Place, Transport
from bertha_ir.types import U16, U32

if TYPE_CHECKING:
    from bertha_ir.diagnostics import Collector
    from bertha_ir.types import Type

ON_THE_PATH = ("packet", "reply")
EVENTS, PLACES, MODIFIERS = get_args(Event), get_args(Place), ("volatile", "evicts")
UNITS_OF_TIME = {"ns": 1, "us": 1_000, "ms": 1_000_000, "s": 1_000_000_000}


@frozen
class Clauses:
    """A chunnel's clauses, sorted. `periods`: of each timer, in nanoseconds, by its place in `handlers`."""

    place: Place
    both_ends: bool
    provides: tuple[str, ...]
    requires: tuple[str, ...]
    states: tuple[tree.State, ...]
    handlers: tuple[tree.Handler, ...]
    laws: tuple[Law, ...]
    transport: Transport | None


def read_clauses(declaration: tree.Chunnel, names: Names) -> Clauses:
    """Sort and check the clauses of a declaration."""
    collector, clauses = names.collector, declaration.clauses
    for kind in (tree.Place, tree.BothEnds, tree.Provides, tree.Requires, tree.Transport):
        for again in [c for c in clauses if isinstance(c, kind)][1:]:
            collector.add(CH051BadClause, "the clause is repeated", again.span, "write one clause of each kind")
    states = tuple(c for c in clauses if isinstance(c, tree.State))
    own = {n.text: n for n in (*(p.name for p in declaration.parameters), *(s.name for s in states))}
    check_names((*(p.name for p in declaration.parameters), *(s.name for s in states)), "parameter or state", collector)
    for subject in (c.subject for c in clauses if isinstance(c, tree.Handler)):
        if isinstance(subject, ast.Name):
            check_name(subject, collector)
            duplicate(subject, own.get(subject.text), "thing", collector)
    _check_modifiers(states, collector)
    place = _place([c for c in clauses if isinstance(c, tree.Place)], collector)
    both_ends = next((c for c in clauses if isinstance(c, tree.BothEnds)), None)
    handlers = _handlers(declaration, place, both_ends, collector)
    return Clauses(
        place,
        both_ends is not None,
        tuple(g for c in clauses if isinstance(c, tree.Provides) for g in guarantees(c.names, collector)),
        tuple(g for c in clauses if isinstance(c, tree.Requires) for g in guarantees(c.names, collector)),
        states,
        handlers,
        tuple(law for c in clauses if isinstance(c, tree.Law) and (law := _law(c, handlers, collector))),
        next((_transport(c, names) for c in clauses if isinstance(c, tree.Transport)), None),
    )


def period(handler: tree.Handler) -> int | None:
    """Return a timer's period in nanoseconds; None for other handlers."""
    subject = handler.subject
    return subject.number * UNITS_OF_TIME.get(subject.unit.text, 0) if isinstance(subject, tree.Duration) else None


def is_transport(declaration: tree.Chunnel) -> bool:
    """Whether a chunnel puts messages on the wire, so that nothing can stand below it."""
    return any(isinstance(c, tree.Transport) for c in declaration.clauses)


def _place(clauses: list[tree.Place], collector: Collector) -> Place:
    if not clauses:
        return "anywhere"
    word = clauses[0].place
    if word.text not in PLACES:
        hint = nearest_or_all(word.text, PLACES, "place")
        collector.add(CH051BadClause, f"no place is called `{word.text}`", word.span, hint)
        return "endpoint"  # where every handler may be, so that nothing else is reported
    return cast("Place", word.text)


def _check_modifiers(states: tuple[tree.State, ...], collector: Collector) -> None:
    for state in states:
        for word in state.modifiers:
            if word.text not in MODIFIERS:
                hint = nearest_or_all(word.text, MODIFIERS, "modifier")
                collector.add(CH051BadClause, f"a state cannot be `{word.text}`", word.span, hint)


def _handlers(
    declaration: tree.Chunnel, place: Place, both_ends: tree.BothEnds | None, collector: Collector
) -> tuple[tree.Handler, ...]:
    handlers: dict[str, tree.Handler] = {}
    for handler in (c for c in declaration.clauses if isinstance(c, tree.Handler)):
        event = handler.event
        if event.text not in EVENTS:
            unknown("event", event.text, event.span, EVENTS, collector)
            continue
        if event.text in handlers:
            message = f"`{event.text}` is handled twice"
            collector.add(CH011Duplicate, message, event.span, "write both into one handler")
            continue
        handlers[event.text] = handler
        if event.text not in ON_THE_PATH and place != "endpoint":
            hint = "write `place: endpoint;`, or handle `packet`"
            message = f"`{event.text}` happens at endpoints only, and this chunnel's place is `{place}`"
            collector.add(CH052EventNotAllowed, message, event.span, hint)
        _check_subject(handler, collector)
    if "reply" in handlers and "packet" not in handlers:
        message = "`reply` runs where `packet` does, and there is no `packet`"
        hint = "write `on packet(m) { … }`"
        collector.add(CH053MissingHandler, message, handlers["reply"].event.span, hint)
    if both_ends:
        for event_name in {"send", "recv"} - set(handlers):
            message = f"`{declaration.name.text}` needs both ends and has no `{event_name}`"
            hint = f"write `on {event_name}(m) {{ … }}`, or remove the clause"
            collector.add(CH053MissingHandler, message, both_ends.span, hint)
    return tuple(handlers.values())


def _check_subject(handler: tree.Handler, collector: Collector) -> None:
    timer, subject = handler.event.text == "timer", handler.subject
    if timer and isinstance(subject, tree.Duration):
        if not 0 < (period(handler) or 0) < 1 << 63:
            hint = f"write a number above 0 and one of {', '.join(UNITS_OF_TIME)}"
            collector.add(CH051BadClause, f"`{shown(subject)}` is no period", subject.span, hint)
    elif timer or not isinstance(subject, ast.Name):
        hint = "write `on timer(20 ms)`" if timer else f"write `on {handler.event.text}(m)`"
        collector.add(CH051BadClause, f"`{handler.event.text}` does not say of what", handler.event.span, hint)


def _law(clause: tree.Law, handlers: tuple[tree.Handler, ...], collector: Collector) -> Law | None:
    equation = clause.equation
    events: list[ast.Name] = []
    if isinstance(equation, ast.Binary) and equation.op == "==":
        node = equation.left
        while isinstance(node, ast.Call) and len(node.arguments) == 1:
            events.append(node.function)
            node = node.arguments[0].value
        if not (isinstance(node, ast.Name) and node == equation.right):
            events = []
    if not events or any(e.text not in EVENTS for e in events):
        collector.add(CH054BadLaw, "the law has no known form", clause.span, "write `law recv(send(m)) == m;`")
        return None
    for event in events:
        if event.text not in {h.event.text for h in handlers}:
            message = f"the law speaks of `{event.text}`, which is not handled"
            collector.add(CH053MissingHandler, message, event.span, f"write `on {event.text}(m) {{ … }}`")
    return Law(tuple(cast("Event", e.text) for e in events), clause.span)


def _transport(clause: tree.Transport, names: Names) -> Transport | None:
    collector = names.collector
    if clause.header.text not in names.messages:
        unknown("message", clause.header.text, clause.header.span, names.messages, collector)
        return None
    given = {name.text: (ip, port) for name, ip, port in clause.addresses}
    if sorted(given) != ["dst", "src"]:
        hint = "write `src = (ipv4.src, udp.src_port); dst = (ipv4.dst, udp.dst_port);`"
        collector.add(CH055BadTransport, "a transport gives `src` and `dst`", clause.span, hint)
        return None
    fields = [
        _field(node, type_, names)
        for side in ("src", "dst")
        for node, type_ in zip(given[side], (U32, U16), strict=True)
    ]
    known = [f for f in fields if f is not None]
    return Transport(clause.header.text, *known) if len(known) == len(fields) else None


def _field(node: ast.Expression, type_: Type, names: Names) -> Field | None:
    match node:
        case ast.Member(ast.Name(header), name) if layout := names.layouts.get(header):
            field = names.field(header, name.text)
            if field is None:
                known = (f.name for f in layout.fields)
                unknown(f"field of `{header}`", name.text, name.span, known, names.collector)
                return None
            if field.type == type_:
                return Field(header, name.text, type_, node.span)
    hint = "addresses are `(header.field, header.field)`, of u32 and u16"
    names.collector.add(CH055BadTransport, f"`{shown(node)}` is no header field of {type_}", node.span, hint)
    return None
