"""The nodes of every IR are values: frozen, compared by structure, their place in the source apart."""

from types import ModuleType

import pytest
from attrs import fields, has
from attrs.exceptions import FrozenInstanceError

from bertha_ir import expr, message, plan, program, spec, stack, stmt, types

MODULES = (types, expr, stmt, message, program, spec, stack, plan)


def nodes(module: ModuleType) -> list[type]:
    return [c for c in vars(module).values() if isinstance(c, type) and has(c) and c.__module__ == module.__name__]


@pytest.mark.parametrize("cls", [c for m in MODULES for c in nodes(m)], ids=lambda c: c.__name__)
def test_node_is_a_value(cls: type) -> None:
    """A node cannot be changed, has no further attributes, and its span takes no part in equality or in its text."""
    node = cls.__new__(cls)
    with pytest.raises(FrozenInstanceError):
        node.anything = 1
    assert not hasattr(node, "__dict__")
    for attribute in fields(cls):
        if attribute.name == "span":
            assert not attribute.eq
            assert not attribute.repr
