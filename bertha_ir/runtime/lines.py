"""Records as lines of JSON: an object, by field; or, where a stack gives its messages no layout, the bytes.

Bytes are text where they are UTF-8, and `{"hex": "00ff"}` where not. Either may be written.
"""

from __future__ import annotations

import json
from typing import Any

LONGEST = 1 << 20  # bytes of a line: more than any record needs


class LineError(ValueError):
    """A line is no record; says why."""


def line(record: Any) -> str:  # noqa: ANN401  (a record of the stack's)
    """Return a record as a line, without its end."""
    shown = _bytes(record) if isinstance(record, bytes) else {n: _shown(v) for n, v in record._asdict().items()}
    return json.dumps(shown)


def parsed(text: str | bytes, kind: type) -> Any:  # noqa: ANN401  (a record of the stack's)
    """Return the record of a line, which is to be of that type. Raises `LineError`."""
    try:
        value = json.loads(text)
    except (ValueError, RecursionError) as error:
        msg = "it is not JSON"
        raise LineError(msg) from error
    if kind is bytes:
        return _taken("the record", value, bytes)
    if not isinstance(value, dict):
        msg = f"a `{kind.__name__}` is an object of its fields: {', '.join(_fields(kind))}"
        raise LineError(msg)
    fields = _fields(kind)
    for names, what in (
        (fields.keys() - value.keys(), "needs the field"),
        (value.keys() - fields.keys(), "has no field"),
    ):
        if names:
            msg = f"a `{kind.__name__}` {what} `{min(names)[:40]}`"
            raise LineError(msg)
    return kind(**{name: _taken(f"`{name}`", value[name], of) for name, of in fields.items()})


def like(record: Any, kind: type) -> Any:  # noqa: ANN401  (records of the stack's)
    """Return a record of a type that has what another has, by the names of fields; the others are 0, or empty. Raises
    `LineError` when one of both has no fields, and the other has.
    """
    if isinstance(record, kind):
        return record
    if isinstance(record, bytes) or kind is bytes:
        msg = f"no `{kind.__name__}` can be made of a `{type(record).__name__}`"
        raise LineError(msg)
    given = record._asdict()
    found = {name: given.get(name) for name in _fields(kind)}
    return kind(**{name: found[name] if isinstance(found[name], of) else of() for name, of in _fields(kind).items()})


def _fields(kind: type) -> dict[str, type]:
    return dict(kind.__annotations__)


def _shown(value: Any) -> Any:  # noqa: ANN401  (JSON)
    return _bytes(value) if isinstance(value, bytes) else value


def _bytes(value: bytes) -> str | dict[str, str]:
    try:
        return value.decode()
    except UnicodeDecodeError:
        return {"hex": value.hex()}


def _taken(name: str, value: Any, of: type) -> Any:  # noqa: ANN401  (JSON)
    if of is not bytes:
        if type(value) is not of:
            msg = f"{name} is no {'number' if of is int else of.__name__}"
            raise LineError(msg)
        return value
    try:
        if isinstance(value, str):
            return value.encode()
        if isinstance(value, dict) and value.keys() == {"hex"}:
            return bytes.fromhex(value["hex"])
    except (ValueError, TypeError) as error:
        msg = f"{name} is neither text nor hexadecimal digits"
        raise LineError(msg) from error
    msg = f'{name} is neither text nor {{"hex": …}}'
    raise LineError(msg)
