"""Another site: declarations that take the place of those of the files, or are added to them."""

from __future__ import annotations

from typing import TYPE_CHECKING

from attrs import evolve

from bertha_ir.frontend import facts, tree

if TYPE_CHECKING:
    from collections.abc import Hashable, Iterable, Sequence


def changed(declarations: Iterable[tree.Declaration], changes: Sequence[tree.Declaration]) -> list[tree.Declaration]:
    """Return the declarations with the changes in them. One that declares the same (a device of the name, a link of
    the two devices, where an end runs, an offload of the name, a direction's workload) takes the other's place. Of
    policies, `trust` takes the place of all `trust`, `prefer` of that of its chunnel; `deny` and `require` are added.
    """
    rules = [rule for change in changes if isinstance(change, tree.Policy) for rule in change.rules]
    policies = [c for c in changes if isinstance(c, tree.Policy)]
    waiting: dict[Hashable, list[tree.Declaration]] = {}
    for change in changes:
        if not isinstance(change, tree.Policy):
            waiting.setdefault(_what(change), []).append(change)
    replaced = set(waiting)
    found: list[tree.Declaration] = []
    for declaration in declarations:
        key = _what(declaration)
        if isinstance(declaration, tree.Policy):
            found.append(evolve(declaration, rules=tuple(r for r in declaration.rules if not _overruled(r, rules))))
        elif key in replaced:
            found += waiting.pop(key, [])
        else:
            found.append(declaration)
    return [*found, *(change for left in waiting.values() for change in left), *policies]


def _what(declaration: tree.Declaration) -> Hashable:
    """Return what a declaration of a site is about; None for others."""
    match declaration:
        case tree.Device(ref):
            return "device", ref.text
        case tree.Link(a, b):
            return "link", frozenset((a.text, b.text))
        case tree.Run(stack, end):
            return "run", stack.text, end.text
        case tree.Implementation(name):
            return "implementation", name.text
        case facts.Workload(stack, direction):
            return "workload", stack.text, direction.text
        case _:
            return None


def _overruled(rule: object, rules: Sequence[object]) -> bool:
    match rule:
        case tree.Trust():
            return any(isinstance(other, tree.Trust) for other in rules)
        case tree.ChooseAmong(chunnel):
            return any(isinstance(o, tree.ChooseAmong) and o.chunnel.text == chunnel.text for o in rules)
        case _:
            return False
