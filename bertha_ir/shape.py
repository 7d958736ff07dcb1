"""Whether a value that was read has the shape that its class declares, and plain data as values of a class.

Constructors check what an expression needs to be typed; whatever else stands in a file that someone has changed is
found here, before anything relies on it.
"""

from __future__ import annotations

import sys
from functools import cache
from types import NoneType, UnionType
from typing import TYPE_CHECKING, Any, Literal, TypeVar, Union, cast, get_args, get_origin, get_type_hints

from attrs import NOTHING, fields, has

from bertha_ir import expr, message, plan, program, source, spec, stack, stmt, types

if TYPE_CHECKING:
    from collections.abc import Hashable

    from attrs import Attribute, AttrsInstance

T = TypeVar("T")
_MODULES = (source, types, expr, stmt, message, program, spec, stack, plan)


class ShapeError(ValueError):
    """What was read is not what its place is for: one line."""


def check(value: object, hint: Any, where: str) -> None:  # noqa: ANN401  (any type, as `typing` spells it)
    """Raise `ShapeError`, naming the place, unless a value and all in it are of a type; spans are not looked at."""
    if not _fits(value, hint):
        msg = f"{where} is {_word(value)}"
        raise ShapeError(msg)
    if isinstance(value, tuple):
        for number, item in enumerate(value):
            check(item, _item(value, hint, number), f"{where}[{number}]")
    elif has(type(value)):
        hints = _hints(cast("Hashable", type(value)))
        for name in _fields(type(value)):
            check(getattr(value, name), hints[name], f"{where}.{name}")


def from_data(data: object, cls: type[T], where: str) -> T:
    """Return a value of an attrs class of plain data: objects by field, lists for tuples. Other keys are left out.

    Raises `ShapeError`.
    """
    made = _made(data, cls, where)
    check(made, cls, where)
    return cast("T", made)


def _fits(value: object, hint: Any) -> bool:  # noqa: ANN401  (as in `check`)
    """Whether a value is of a type at its outside."""
    origin = get_origin(hint)
    if origin in (Union, UnionType):
        return any(_fits(value, one) for one in get_args(hint))
    if origin is Literal:
        return value in get_args(hint)
    if origin is tuple:
        sizes = get_args(hint)
        return isinstance(value, tuple) and (sizes[-1] is Ellipsis or len(value) == len(sizes))
    if hint is float:
        return isinstance(value, int | float) and not isinstance(value, bool)
    return isinstance(value, hint) and (hint is not int or not isinstance(value, bool))


def _item(value: tuple[object, ...], hint: Any, number: int) -> Any:  # noqa: ANN401  (as in `check`)
    """Return the type of an item of a tuple."""
    choices = get_args(hint) if get_origin(hint) in (Union, UnionType) else (hint,)
    kind = next(c for c in choices if get_origin(c) is tuple and _fits(value, c))
    items = get_args(kind)
    return items[0] if items[-1] is Ellipsis else items[number]


@cache
def _hints(cls: Hashable) -> dict[str, Any]:
    """Return the types of a class's fields. Names that its module imports for type checkers only are found, too."""
    known: dict[str, Any] = {}
    for module in (*_MODULES, sys.modules[cls.__module__]):
        known |= vars(module)
    return get_type_hints(cast("type", cls), localns=known)


def _fields(cls: type) -> tuple[str, ...]:
    return tuple(a.name for a in _declared(cls) if a.eq and a.init)


def _declared(cls: type) -> tuple[Attribute[Any], ...]:
    return tuple(fields(cast("type[AttrsInstance]", cls)))


def _made(data: object, hint: Any, where: str) -> object:  # noqa: ANN401  (as in `check`)
    """Return plain data as the value that a type asks for, as far as it can be."""
    origin = get_origin(hint)
    if origin in (Union, UnionType):
        kinds = [one for one in get_args(hint) if one is not NoneType]
        return None if data is None else _made(data, kinds[0], where) if len(kinds) == 1 else data
    if origin is tuple and isinstance(data, list):
        items = get_args(hint)
        kinds = [items[0]] * len(data) if items[-1] is Ellipsis else [*items, *[object] * len(data)]
        return tuple(_made(d, kind, f"{where}[{at}]") for at, (d, kind) in enumerate(zip(data, kinds, strict=False)))
    if isinstance(hint, type) and has(hint) and isinstance(data, dict):
        return _object(data, hint, where)
    return data


def _object(data: dict[str, object], cls: type, where: str) -> object:
    hints, given = _hints(cls), {}
    for attribute in _declared(cls):
        if attribute.name in data and attribute.eq and attribute.init:
            given[attribute.name] = _made(data[attribute.name], hints[attribute.name], f"{where}.{attribute.name}")
        elif attribute.default is NOTHING:
            msg = f"{where} has no `{attribute.name}`"
            raise ShapeError(msg)
    return cls(**given)


def _word(value: object) -> str:
    """Return what a value is, briefly."""
    if value is None or isinstance(value, int | float | str):
        return repr(value)[:40]
    return f"a {type(value).__name__}"
