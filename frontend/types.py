"""From written types to the core's types.

A type that depends on a field parameter (`type(by)`) is known only where the chunnel is used; until then, as after
an error, it is None, and whatever involves it is not complained about.
"""

from __future__ import annotations

import re
from typing import TYPE_CHECKING

from attrs import Factory, frozen

from bertha_ir.frontend import ast
from bertha_ir.frontend.codes import CH021UnknownType, CH022MissingBound, CH023BadType
from bertha_ir.frontend.names import unknown
from bertha_ir.frontend.suggest import nearest_or_all, shown
from bertha_ir.types import (
    BOOL,
    BYTES,
    ENDPOINT,
    IPV4,
    IPV6,
    MAC,
    MAX_WIDTH,
    Bits,
    Bytes,
    FieldType,
    ListType,
    MapType,
    MessageType,
    ParameterType,
    PrefixesType,
    RangesType,
    SecretType,
    Type,
)

if TYPE_CHECKING:
    from collections.abc import Callable, Mapping

    from bertha_ir.diagnostics import Collector

MAX_ENTRIES = 1 << 24
MAX_BYTES = 65535
_PLAIN: Mapping[str, Type] = {"bool": BOOL, "endpoint": ENDPOINT, "mac": MAC, "ipv4": IPV4, "ipv6": IPV6}
_TABLES = ("list", "map", "prefixes", "ranges")
_KNOWN = (*_PLAIN, *_TABLES, "u8", "u16", "u32", "u64", "u128", "bytes", "secret", "field", "message")


@frozen
class TypeReader:
    """Reads types; `fields` gives the types of the fields that field parameters name, None where not known yet."""

    collector: Collector
    fields: Mapping[str, Type | None] = Factory(dict)

    def value(self, node: ast.AnyType) -> Type | None:
        """Return the type of a value: bits, bool, bytes or an endpoint."""
        if isinstance(node, ast.TypeOf):
            if node.parameter.text not in self.fields:
                unknown("field parameter", node.parameter.text, node.parameter.span, self.fields, self.collector)
            return self.fields.get(node.parameter.text)
        if found := re.fullmatch(r"u(\d{1,9})", node.name):
            return self._bits(node, int(found[1]))
        if node.name == "bytes":
            return self._bytes(node)
        if node.name in _PLAIN:
            return self._plain(node, _PLAIN[node.name])
        if node.name in (*_TABLES, "secret", "field", "message"):
            self._bad(node, f"`{node.name}` is no type of a value", "write a type such as u32, bytes[4] or endpoint")
            return None
        help_ = nearest_or_all(node.name, _KNOWN, "type")
        self.collector.add(CH021UnknownType, f"no type is called `{node.name}`", node.span, help_)
        return None

    def parameter(self, node: ast.AnyType) -> ParameterType | None:
        """Return the type of a parameter."""
        readers: dict[str, Callable[[ast.Type], ParameterType | None]] = {
            "field": lambda _: FieldType(),
            "message": lambda _: MessageType(),
            "secret": self._secret,
            "list": self._list,
            "prefixes": self._prefixes,
            "ranges": self._ranges,
        }
        if isinstance(node, ast.Type) and node.name in readers:
            return readers[node.name](node)
        return self.value(node)

    def state(self, node: ast.AnyType) -> MapType | Type | None:
        """Return the type of a state: a map or a value."""
        if not isinstance(node, ast.Type) or node.name != "map":
            return self.value(node)
        limit = self._limit(node)
        key, value = self._inner(node), self._second(node)
        return MapType(key, value, limit) if key and value and limit else None

    def _bits(self, node: ast.Type, width: int) -> Type | None:
        if not 1 <= width <= MAX_WIDTH:
            self._bad(node, f"`{node.name}` has no valid width", f"integers have 1 to {MAX_WIDTH} bits")
            return None
        return self._plain(node, Bits(width))

    def _plain(self, node: ast.Type, type_: Type) -> Type | None:
        if node.inner or node.size is not None or node.bound:
            self._bad(node, f"`{node.name}` takes nothing in brackets", f"write `{node.name}`")
            return None
        return type_

    def _bytes(self, node: ast.Type) -> Type | None:
        if node.inner or node.second or node.bound or not 1 <= (1 if node.size is None else node.size) <= MAX_BYTES:
            self._bad(node, f"`{shown(node)}` has no valid size", f"write `bytes[n]` with n from 1 to {MAX_BYTES}")
            return None
        return BYTES if node.size is None else Bytes(node.size)

    def _secret(self, node: ast.Type) -> ParameterType | None:
        if node.size is None or not 1 <= node.size <= MAX_BYTES:
            self._bad(node, "a secret has no size", "write its size in bytes: `secret[32]`")
            return None
        return SecretType(node.size)

    def _list(self, node: ast.Type) -> ParameterType | None:
        limit, element = self._limit(node), self._inner(node)
        if limit is None or element is None or node.bound is None:
            return None
        low = node.bound[0] if node.bound[0] is not None else 0
        if low > limit:
            self._bad(node, f"the list's low bound {low} is above its high bound {limit}", "write the low bound first")
            return None
        return ListType(element, low, limit)

    def _prefixes(self, node: ast.Type) -> ParameterType | None:
        limit, element = self._limit(node), self._inner(node)
        if not isinstance(element, Bits):
            if element is not None:
                self._bad(node, f"there are no prefixes of {element}", "write `prefixes[ipv4; N]`")
            return None
        return PrefixesType(element, limit) if limit else None

    def _ranges(self, node: ast.Type) -> ParameterType | None:
        limit, key, value = self._limit(node), self._inner(node), self._second(node)
        if key is not None and not isinstance(key, Bits):
            self._bad(node, f"there are no ranges of {key}", "ranges are over integers such as u8")
            return None
        return RangesType(key, value, limit) if key and value and limit else None

    def _limit(self, node: ast.Type) -> int | None:
        if node.bound is None:
            bounds = "1..64" if node.name == "list" else "1024"
            hint = f"write how many entries it holds at most: `{shown(node).rstrip(']')}; {bounds}]`"
            self.collector.add(CH022MissingBound, f"`{shown(node)}` has no bound", node.span, hint)
            return None
        low, high = node.bound
        if (low is not None and node.name != "list") or not 1 <= high <= MAX_ENTRIES:
            self._bad(node, f"`{shown(node)}` has no valid bound", f"write a bound from 1 to {MAX_ENTRIES}")
            return None
        return high

    def _inner(self, node: ast.Type) -> Type | None:
        if node.inner is None:
            self._bad(node, f"`{shown(node)}` does not say of what", f"write `{node.name}[u32; 64]`, for example")
            return None
        return self.value(node.inner)

    def _second(self, node: ast.Type) -> Type | None:
        if node.second is None:
            self._bad(node, f"`{shown(node)}` does not say what it gives", f"write `{node.name}[u32 -> u64; 64]`")
            return None
        return self.value(node.second)

    def _bad(self, node: ast.Type, message: str, help_: str) -> None:
        self.collector.add(CH023BadType, message, node.span, help_)
