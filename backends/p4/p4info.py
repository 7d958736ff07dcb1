"""Prints what the control plane sees as a P4Info message (P4Runtime specification 1.3, section 6), in protobuf's text,
byte for byte as p4c prints it for the same program. No protobuf library is needed to compile.
"""

from __future__ import annotations

from typing import TYPE_CHECKING

if TYPE_CHECKING:
    from collections.abc import Iterable, Iterator

    from bertha_ir.backends.p4.model import Action, Catalogue, Register, TableSite


def p4info(catalogue: Catalogue) -> str:
    """Return the text."""
    lines = list(_message("pkg_info", ['arch: "v1model"']))
    for table in catalogue.tables:
        lines += _message("tables", _table(table))
    for action in catalogue.actions:
        lines += _message("actions", _action(action))
    for register in catalogue.registers:
        lines += _message("registers", _register(register))
    return "\n".join([*lines, "type_info {", "}"]) + "\n"


def _message(name: str, lines: Iterable[str]) -> Iterator[str]:
    yield f"{name} {{"
    yield from (f"  {line}" for line in lines)
    yield "}"


def _preamble(number: int, full_name: str, alias: str) -> Iterator[str]:
    return _message("preamble", [f"id: {number}", f'name: "{full_name}"', f'alias: "{alias}"'])


def _table(table: TableSite) -> Iterator[str]:
    yield from _preamble(table.id, table.full_name, table.name)
    for number, key in enumerate(table.keys, 1):
        match = f"match_type: {key.match.upper()}"
        yield from _message("match_fields", [f"id: {number}", f'name: "{key.name}"', f"bitwidth: {key.width}", match])
    for action in table.actions:
        yield from _message("action_refs", [f"id: {action.id}"])
    if table.miss not in table.actions:
        only = ['annotations: "@defaultonly"', "scope: DEFAULT_ONLY"]
        yield from _message("action_refs", [f"id: {table.miss.id}", *only])
        yield f"const_default_action_id: {table.miss.id}"
    yield f"size: {table.size}"


def _action(action: Action) -> Iterator[str]:
    yield from _preamble(action.id, action.full_name, action.name)
    for number, (name, width) in enumerate(action.params, 1):
        yield from _message("params", [f"id: {number}", f'name: "{name}"', f"bitwidth: {width}"])


def _register(register: Register) -> Iterator[str]:
    yield from _preamble(register.id, register.name, register.name)
    word = _message("bit", [f"bitwidth: {register.width}"])
    yield from _message("type_spec", _message("bitstring", word))
    yield f"size: {register.size}"
