"""Tables: how they are declared, and their entries as a control plane accepts them."""

from __future__ import annotations

from typing import TYPE_CHECKING

from bertha_ir.backends.p4.model import Row

if TYPE_CHECKING:
    from collections.abc import Iterator

    from bertha_ir.backends.p4.model import Action, TableSite
    from bertha_ir.program import Entry, Table


INDENT = "    "


def rows(table: Table, *, with_values: bool) -> tuple[Row, ...]:
    """Return the table's entries, prefixes without stray bits. Of two with the same match the first counts, as in the
    interpreter.
    """
    found: dict[tuple[tuple[int, ...], ...], Row] = {}
    for entry in table.entries:
        match = _match(table, entry)
        found.setdefault(match, Row(match, entry.values if with_values else ()))
    return tuple(found.values())


def _match(table: Table, entry: Entry) -> tuple[tuple[int, ...], ...]:
    match table.kind:
        case "array" | "exact":
            return tuple((value,) for value in entry.match)
        case "range":
            return (entry.match,)
        case "lpm":
            prefix, length = entry.match
            unused = table.keys[0].width - length
            return ((prefix >> unused << unused, length),)


def action_lines(*actions: Action) -> Iterator[str]:
    """Yield the declarations of actions."""
    for action in actions:
        params = ", ".join(f"bit<{width}> {name}" for name, width in action.params)
        head = f"@id({action.id:#010x}) action {action.name}({params})"
        if len(action.body) <= 1:
            yield f"{head} {{ {' '.join(action.body)} }}" if action.body else f"{head} {{}}"
            continue
        yield f"{head} {{"
        yield from (f"{INDENT}{line}" for line in action.body)
        yield "}"


def table_lines(site: TableSite) -> Iterator[str]:
    """Yield the declaration of a table."""
    names = [action.name for action in site.actions]
    constant = "" if site.miss in site.actions else "const "
    if constant:
        names.append(f"@defaultonly {site.miss.name}")
    yield f"@id({site.id:#010x}) table {site.name} {{"
    yield f"{INDENT}key = {{ {' '.join(f'{key.name}: {key.match};' for key in site.keys)} }}"
    yield f"{INDENT}actions = {{ {' '.join(f'{name};' for name in names)} }}"
    yield f"{INDENT}{constant}default_action = {site.miss.name}();"
    yield f"{INDENT}size = {site.size};"
    yield "}"
