"""The body, tables and states of one chunnel instance: parameters replaced by its arguments, names made unique."""

from __future__ import annotations

from typing import TYPE_CHECKING, Any

from attrs import evolve, frozen

from bertha_ir import expr as e
from bertha_ir import stmt as s
from bertha_ir.passes.codes import CH206TableElement
from bertha_ir.program import Entry, State, Table
from bertha_ir.spec import ListArgument, PrefixesArgument, RangesArgument, SecretArgument
from bertha_ir.types import (
    U16,
    U32,
    Bits,
    Bytes,
    EndpointType,
    IllTypedError,
    ListType,
    MapType,
    PrefixesType,
    RangesType,
    Type,
    bit_width,
)
from bertha_ir.walk import transform

if TYPE_CHECKING:
    from bertha_ir.diagnostics import Collector
    from bertha_ir.spec import Argument, Handler, Instance, Parameter, Transport

MAX_TABLE_BITS = 128


@frozen
class Names:
    """Names of an instance's tables and states, unique among everything that may end up in one device program."""

    stack: str
    direction: str
    instance: Instance

    def of(self, name: str) -> str:
        """Return the unique name."""
        reply = "reply_" if self.direction == "response" else ""
        return f"{self.stack}_{reply}{self.instance.id}_{name}"


def components(type_: Type) -> tuple[Bits | Bytes, ...] | None:
    """Return the words that hold a value in a table or a state; None when it has no fixed form."""
    match type_:
        case Bits() | Bytes():
            return (type_,)
        case EndpointType():
            return (U32, U16)
        case _:
            return None


def body_of(handler: Handler, instance: Instance, names: Names, transport: Transport | None) -> s.Body:
    """Return the handler's body with arguments for parameters and unique names for tables and states.

    A field that carries a part of an address on the wire becomes that part, so that there is one name for it.
    """
    arguments = dict(instance.arguments)
    own = {p.name for p in instance.chunnel.parameters} | {d.name for d in instance.chunnel.states}
    addresses = _addresses(transport)

    def change(node: Any) -> Any:  # noqa: ANN401  (any node)
        match node:
            case e.Param(name, type_):
                argument = arguments[name]
                return e.Secret(argument.name, type_, node.span) if isinstance(argument, SecretArgument) else argument
            case e.ParamField(name):
                node = arguments[name]
            case e.Count(table):
                return e.Const(_length(arguments[table]), U32, node.span)
            case e.Element() | e.Match():
                return evolve(node, table=names.of(node.table))
            case e.Contains():
                return evolve(node, container=names.of(node.container)) if node.container in own else node
            case e.Get() | s.Store() | s.Delete() | s.ForEach():
                return evolve(node, state=names.of(node.state))
        return addresses.get(node, node) if isinstance(node, e.Field) else node

    return transform(handler.body, change)


def _length(argument: Argument) -> int:
    if not isinstance(argument, ListArgument):
        raise IllTypedError(argument)
    return len(argument.elements)


def _addresses(transport: Transport | None) -> dict[e.Field, e.Part]:
    if transport is None:
        return {}
    return {
        getattr(transport, f"{which}_{part}"): e.Part(e.Address(which), part)
        for which in ("src", "dst")
        for part in ("ip", "port")
    }


def tables_of(instance: Instance, names: Names, collector: Collector) -> tuple[Table, ...]:
    """Return a table for each list, prefixes or ranges argument."""
    arguments = dict(instance.arguments)
    made = (_table(p, arguments[p.name], names, instance, collector) for p in instance.chunnel.parameters)
    return tuple(t for t in made if t is not None)


def _table(parameter: Parameter, argument: Any, names: Names, instance: Instance, collector: Collector) -> Table | None:  # noqa: ANN401
    name, span = names.of(parameter.name), instance.span
    match parameter.type, argument:
        case ListType(element, _, high), ListArgument(elements):
            words = _words(element, parameter, instance, collector)
            rows = tuple(Entry((i,), row(c)) for i, c in enumerate(elements))
            return Table(name, "array", (U32,), words, high, rows, span) if words else None
        case PrefixesType(element, limit), PrefixesArgument(prefixes):
            return Table(name, "lpm", (element,), (), limit, tuple(Entry(p) for p in prefixes), span)
        case RangesType(key, value, limit), RangesArgument(ranges):
            words = _words(value, parameter, instance, collector)
            rows = tuple(Entry((low, high), row(c)) for low, high, c in ranges)
            return Table(name, "range", (key,), words, limit, rows, span) if words else None
        case _:
            return None


def _words(type_: Type, parameter: Parameter, instance: Instance, collector: Collector) -> tuple[Bits, ...]:
    parts = components(type_) or ()
    words = tuple(Bits(width) for p in parts if (width := bit_width(p)) is not None and width <= MAX_TABLE_BITS)
    if not words or len(words) != len(parts):
        collector.add(
            CH206TableElement,
            f"`{parameter.name}` of `{instance.chunnel.name}` holds values of type `{type_}`, which no table can",
            instance.span,
            "use integers, byte strings of at most 16 bytes, or endpoints",
        )
        return ()
    return words


def row(constant: e.Const) -> tuple[int, ...]:
    """Return a constant as the words of a table's row."""
    match constant.value:
        case tuple(words):
            return words
        case bytes(text):
            return (int.from_bytes(text, "big"),)
        case value:
            return (int(value),)


def states_of(instance: Instance, names: Names) -> tuple[State, ...]:
    """Return the states of an instance, their keys and values as words."""
    return tuple(
        State(names.of(d.name), keys, values, size, d.volatile, d.evicts, d.span)
        for d in instance.chunnel.states
        for keys, values, size in [_shape(d.type)]
    )


def _shape(type_: MapType | Type) -> tuple[tuple[Bits | Bytes, ...], tuple[Bits | Bytes, ...], int]:
    if isinstance(type_, MapType):
        return components(type_.key) or (), components(type_.value) or (), type_.limit
    return (), components(type_) or (), 1
