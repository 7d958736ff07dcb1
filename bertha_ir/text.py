"""The textual IR: one printed form for every stage, which parses back to an equal value.

A node is `(class-name field field …)`, its fields in the order of their declaration, with trailing fields left
out that hold their defaults; tuples are `[…]`; types of values are written as in the language (`u32`,
`bytes:4`, `endpoint`). Spans are not printed: they take no part in equality.

The form is generic over every node class that `register` has seen, so a new node needs no printer.
"""

from __future__ import annotations

import json
import re
from typing import TYPE_CHECKING, Any

from attrs import NOTHING, Factory, fields, has

from bertha_ir import types

if TYPE_CHECKING:
    from collections.abc import Callable, Iterator
    from types import ModuleType

WIDTH = 100
MAX_DEPTH = 400
_TOKEN = re.compile(
    r"""\s*(?:(?P<open>[(\[])|(?P<close>[)\]])|(?P<bytes>x"[0-9a-f]*")|(?P<string>"(?:[^"\\]|\\.)*")"""
    r"""|(?P<atom>[^\s()\[\]"]+)|(?P<comment>;[^\n]*))"""
)
_classes: dict[str, type] = {}
_names: dict[type, str] = {}
_TYPE_ATOMS = {"bool": types.BOOL, "bytes": types.BYTES, "endpoint": types.ENDPOINT}
_WORDS = {"none": None, "true": True, "false": False}


class TextError(ValueError):
    """The text is no IR: says what is wrong and on which line."""


def register(module: ModuleType) -> None:
    """Make every attrs class defined in `module` printable. A second class of the same name is an error."""
    for cls in vars(module).values():
        if isinstance(cls, type) and has(cls) and cls.__module__ == module.__name__:
            name = re.sub(r"(?<!^)(?=[A-Z])", "-", cls.__name__).lower()
            if _classes.setdefault(name, cls) is not cls:
                msg = f"two IR classes print as `{name}`: {cls} and {_classes[name]}"
                raise ValueError(msg)
            _names[cls] = name


def print_ir(node: object) -> str:
    """Return the text of a node, a tuple of nodes or a plain value, ending in a newline."""
    return _lay_out(_form(node), 0) + "\n"


def parse_ir(text: str) -> Any:  # noqa: ANN401  (whatever was printed)
    """Return the value that `print_ir` printed; `TextError` when the text is none."""
    tokens = list(_tokens(text))
    value, rest = _parse(tokens, 0, 0)
    if rest != len(tokens):
        msg = f"line {tokens[rest][2]}: text after the end"
        raise TextError(msg)
    return value


Form = str | tuple[str, str, "list[Form]"]  # an atom, or (open bracket with head, close, items)


def _form(node: object) -> Form:
    if isinstance(node, tuple):
        return ("[", "]", [_form(item) for item in node])
    if type(node) in _names and not isinstance(node, types.Bits | types.Bool | types.Bytes | types.EndpointType):
        return ("(" + _names[type(node)], ")", [_form(value) for value in _printed_fields(node)])
    return _printed_atom(node)


def _printed_atom(node: object) -> str:
    match node:
        case None | bool():
            return {None: "none", True: "true", False: "false"}[node]
        case int() | float():
            return repr(node)
        case str():
            return json.dumps(node)
        case bytes():
            return f'x"{node.hex()}"'
        case types.Bytes(int(size)):
            return f"bytes:{size}"
        case types.Bits() | types.Bool() | types.Bytes() | types.EndpointType():
            return str(node)
    msg = f"{type(node).__name__} is no IR node"
    raise TypeError(msg)


def _printed_fields(node: Any) -> list[object]:  # noqa: ANN401  (any attrs node)
    declared = [a for a in fields(type(node)) if a.eq and a.init]
    values = [getattr(node, a.name) for a in declared]
    while declared and _is_default(declared[-1].default, values[-1]):
        declared.pop()
        values.pop()
    return values


def _is_default(default: object, value: object) -> bool:
    if isinstance(default, Factory):  # type: ignore[arg-type]  # attrs types Factory as a function
        default = default.factory()  # type: ignore[attr-defined]
    return default is not NOTHING and type(default) is type(value) and default == value


def _flat(form: Form) -> str:
    if isinstance(form, str):
        return form
    head, tail, items = form
    inner = " ".join(_flat(item) for item in items)
    return f"{head}{' ' if inner and head != '[' else ''}{inner}{tail}"


def _lay_out(form: Form, indent: int) -> str:
    flat = _flat(form)
    if isinstance(form, str) or len(flat) + indent <= WIDTH:
        return flat
    head, tail, items = form
    lead = 0
    while lead < len(items) and isinstance(items[lead], str) and head != "[":
        head += f" {items[lead]}"
        lead += 1
    pad = "\n" + " " * (indent + 2)
    return head + "".join(pad + _lay_out(item, indent + 2) for item in items[lead:]) + tail


def _tokens(text: str) -> Iterator[tuple[str, str, int]]:
    at, line, end = 0, 1, len(text.rstrip())
    while at < end:
        found = _TOKEN.match(text, at)
        if found is None:
            msg = f"line {line}: unexpected {text[at : at + 10]!r}"
            raise TextError(msg)
        line += text.count("\n", at, found.start(found.lastgroup or 0))
        at = found.end()
        if found.lastgroup != "comment":
            yield str(found.lastgroup), found[str(found.lastgroup)], line


def _parse(tokens: list[tuple[str, str, int]], at: int, depth: int) -> tuple[Any, int]:
    if at >= len(tokens):
        msg = "the text ends too early"
        raise TextError(msg)
    kind, text, line = tokens[at]
    if depth > MAX_DEPTH:
        msg = f"line {line}: nested too deeply"
        raise TextError(msg)
    if kind == "open":
        return _parse_group(tokens, at, depth)
    try:
        return _LITERALS[kind](text), at + 1
    except (KeyError, ValueError) as error:
        msg = f"line {line}: unexpected `{text}`"
        raise TextError(msg) from error


def _parse_group(tokens: list[tuple[str, str, int]], at: int, depth: int) -> tuple[Any, int]:
    _, bracket, line = tokens[at]
    close, cls, at = ")" if bracket == "(" else "]", None, at + 1
    if bracket == "(":
        name = tokens[at][1] if at < len(tokens) else ""
        cls, at = _classes.get(name), at + 1
        if cls is None:
            msg = f"line {line}: no IR node is called `{name}`"
            raise TextError(msg)
    items: list[Any] = []
    while at < len(tokens) and tokens[at][1] != close:
        item, at = _parse(tokens, at, depth + 1)
        items.append(item)
    if at >= len(tokens):
        msg = f"line {line}: `{bracket}` is not closed"
        raise TextError(msg)
    if cls is None:
        return tuple(items), at + 1
    try:
        return _build(cls, items), at + 1
    except (AttributeError, TypeError, ValueError) as error:  # a word where a node belongs has none of its attributes
        msg = f"line {line}: {error}"
        raise TextError(msg) from error


def _build(cls: type, items: list[Any]) -> Any:  # noqa: ANN401  (an instance of cls)
    names = [a.name.lstrip("_") for a in fields(cls) if a.eq and a.init]
    if len(items) > len(names):
        msg = f"`{_names[cls]}` has {len(names)} fields, not {len(items)}"
        raise ValueError(msg)
    return cls(**dict(zip(names, items, strict=False)))


def _atom(text: str) -> Any:  # noqa: ANN401  (a type, a word or a number)
    if text in _WORDS:
        return _WORDS[text]
    if text in _TYPE_ATOMS:
        return _TYPE_ATOMS[text]
    if found := re.fullmatch(r"(u|bytes:)(\d{1,9})", text):
        return (types.Bits if found[1] == "u" else types.Bytes)(int(found[2]))
    return float(text) if re.search(r"[.en]", text) else int(text)


_LITERALS: dict[str, Callable[[str], Any]] = {
    "string": json.loads,
    "bytes": lambda text: bytes.fromhex(text[2:-1]),
    "atom": _atom,
}
