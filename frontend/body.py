"""What a body is typed in: its chunnel's signature, the names in sight, and the way to report mistakes."""

from __future__ import annotations

from collections.abc import Callable, Mapping
from typing import TYPE_CHECKING, Any

from attrs import Factory, define, frozen

from bertha_ir.diagnostics import Label
from bertha_ir.expr import Local
from bertha_ir.frontend.codes import CH030TypeMismatch, CH031WidthMismatch
from bertha_ir.frontend.operators import flexible
from bertha_ir.frontend.suggest import shown
from bertha_ir.types import BYTES, Bits, Bytes, MapType, ParameterType, Type

if TYPE_CHECKING:
    from bertha_ir.diagnostics import Code
    from bertha_ir.expr import Expr
    from bertha_ir.frontend import ast
    from bertha_ir.frontend.names import Names
    from bertha_ir.source import Span

Typer = Callable[["Body", Any, Type | None], "Expr | None"]


@frozen
class Signature:
    """What the bodies of one chunnel, or of one use of it, can see.

    A type is None when it is not known: after an error, or, for what depends on a field parameter, where the chunnel
    is declared. `records` maps message parameters to message names. `use` is where a stack uses the chunnel.
    """

    parameters: Mapping[str, ParameterType | None]
    states: Mapping[str, MapType | Type | None]
    fields: Mapping[str, Type | None]
    records: Mapping[str, str]
    use: Span | None = None


@define
class Body:
    """The body being typed. An expression is typed as None when its type is not known; then nothing is reported.

    `locals` maps a name in sight to its local, None when its type is not known. `taken` counts the uses of each name
    so far: a name used again in another block becomes another local. `rounds` is how often the loops around run this
    place. `own` are the headers that the body pushes or pops; of these, `present` are those whose fields can be read
    now, and `popped` those that are no part of the message any more. `complete`: every statement could be typed.
    """

    signature: Signature
    names: Names
    subject: str | None
    typers: Mapping[type, Typer]
    locals: dict[str, Local | None] = Factory(dict)
    taken: dict[str, int] = Factory(dict)
    rounds: int = 1
    complete: bool = True
    own: frozenset[str] = frozenset()
    present: frozenset[str] = frozenset()
    popped: frozenset[str] = frozenset()

    def expr(self, node: ast.Expression, expected: Type | None = None) -> Expr | None:
        """Return the typed expression. `expected` gives literals their width; it is not enforced."""
        return self.typers[type(node)](self, node, expected)

    def want(self, node: ast.Expression, type_: Type | None) -> Expr | None:
        """Return the typed expression, which must be of this type, if that is known."""
        if type_ is None and flexible(node):
            return None
        typed = self.expr(node, type_)
        if typed is None or type_ is None or self.fits(typed.type, type_):
            return typed
        self.mismatch(node, typed.type, type_)
        return None

    def unknown(self, type_: Type) -> Expr:
        """Return a stand-in for a value whose type is known although a part of it is not: the rest is still checked."""
        self.complete = False
        return Local("?", type_)

    @staticmethod
    def fits(type_: Type, target: Type) -> bool:
        """Whether a value of the type may stand where the target is wanted."""
        return type_ == target or (target == BYTES and isinstance(type_, Bytes))

    def mismatch(self, node: ast.Expression, found: Type, wanted: Type) -> None:
        """Report a value of the wrong type."""
        if isinstance(found, Bits) and isinstance(wanted, Bits):
            self.report(
                CH031WidthMismatch,
                f"`{shown(node)}` is {found} where {wanted} is needed",
                node.span,
                f"convert it: `({shown(node)}) as {wanted}`",
            )
        else:
            message = f"`{shown(node)}` is {found} where {wanted} is needed"
            self.report(CH030TypeMismatch, message, node.span, f"give a value of type {wanted}")

    def report(self, code: type[Code], message: str, span: Span, help_: str | None = None) -> None:
        """Report a mistake; in a use of the chunnel, the use is labelled."""
        use = self.signature.use
        labels = (Label(use, "in this use"),) if use else ()
        self.names.collector.add(code, message, span, help_, labels)
