"""From text to the syntax tree, by lark's LALR parser, one declaration at a time.

Trees are walked without recursion, and their depth is bounded here, so that the stages behind may recurse.
"""

from __future__ import annotations

from functools import cache
from pathlib import Path
from typing import TYPE_CHECKING, Any

from attrs import frozen

from bertha_ir.frontend import ast, literals, tree
from bertha_ir.frontend.codes import (
    CH004NestedTooDeep,
    CH005Unexpected,
    CH006UnknownDeclaration,
    CH007NotYet,
    CH014NameTooLong,
)
from bertha_ir.frontend.scan import KEYWORDS, MAX_NESTING, Piece, cut
from bertha_ir.frontend.suggest import nearest, shorten
from bertha_ir.source import Span

if TYPE_CHECKING:
    from lark import Lark, Token
    from lark.tree import Meta

    from bertha_ir.diagnostics import Collector
    from bertha_ir.source import SourceFile

GRAMMAR = Path(__file__).parent / "chunnel.lark"
LATER = ("site", "library")
MAX_NAME = 64
_MAC_WIDTH, _ADDRESS_WIDTH = 48, 32


def parse(source: SourceFile, collector: Collector) -> tuple[tree.Declaration, ...]:
    """Return the declarations that can be read; what cannot goes to `collector`, one mistake per declaration."""
    found = (_parse_piece(source, piece, collector) for piece in cut(source, collector))
    return tuple(d for d in found if d is not None)


def parse_chain(source: SourceFile, collector: Collector) -> tuple[tree.Use, ...]:
    """Return the uses of a text that is one chain, as in a stack; none after an error, which goes to `collector`."""
    before = len(collector.found)
    if cut(source, collector):
        chain: tuple[tree.Use, ...] | None = _read(source, Piece(0, len(source.text), ""), collector)
        return chain or ()
    if len(collector.found) == before:
        hint = "write uses such as `count(by = ipv4.dscp) |> mirror(10.0.0.9:9000)`"
        collector.add(CH005Unexpected, f"`{source.path}` holds no chunnel", Span(source, 0, 0), hint)
    return ()


@cache
def parser() -> Lark:
    """Return the parser of one declaration (`start`) or of a `chain`. lark is imported on first use, not before."""
    from lark import Lark  # noqa: PLC0415  (42 ms that `bertha --help` need not pay)

    grammar, starts = GRAMMAR.read_text(), ["start", "chain"]
    return Lark(grammar, start=starts, parser="lalr", propagate_positions=True, maybe_placeholders=True)


def _parse_piece(source: SourceFile, piece: Piece, collector: Collector) -> tree.Declaration | None:
    if piece.word not in KEYWORDS:
        _refuse_word(source, piece, collector)
        return None
    declaration: tree.Declaration | None = _read(source, piece, collector)
    return declaration


def _read(source: SourceFile, piece: Piece, collector: Collector) -> Any:  # noqa: ANN401  (what the piece is)
    """Return the node of a declaration, or, of a piece without a first word, of a chain; None after an error."""
    from lark import UnexpectedInput  # noqa: PLC0415  (see `parser`)

    try:
        parsed = parser().parse(source.text[piece.start : piece.end], start="start" if piece.word else "chain")
    except UnexpectedInput as error:
        from bertha_ir.frontend.mistakes import report  # noqa: PLC0415  (only when something is wrong)

        report(error, source, piece, collector)
        return None
    return _Builder(source, piece.start, collector).build(parsed)


def _refuse_word(source: SourceFile, piece: Piece, collector: Collector) -> None:
    span = Span(source, piece.start, piece.start + len(piece.word))
    if piece.word in LATER:
        collector.add(
            CH007NotYet, f"`{shorten(piece.word)}` is not supported yet", span, "leave the declaration out for now"
        )
        return
    known = "a file holds " + ", ".join(f"`{k}`" for k in KEYWORDS)
    collector.add(
        CH006UnknownDeclaration,
        f"`{shorten(piece.word)}` begins no declaration",
        span,
        nearest(piece.word, KEYWORDS) or known,
    )


@frozen
class _Builder:
    """Turns lark's tree of one piece, which begins at character `base`, into the syntax tree."""

    source: SourceFile
    base: int
    collector: Collector

    def build(self, root: Any) -> Any:  # noqa: ANN401  (lark's Tree, of no useful type; any node)
        """Return the node, or None, after an error, when it is too deep to go on with."""
        from lark import Tree  # noqa: PLC0415  (see `parser`)

        from bertha_ir.frontend.build import MAKERS  # noqa: PLC0415  (a cycle otherwise)

        made: dict[int, Any] = {}
        depth: dict[int, int] = {}
        for subtree in root.iter_subtrees():
            below = [depth[id(c)] for c in subtree.children if isinstance(c, Tree)]
            depth[id(subtree)] = level = 1 + max(below, default=0)
            span = self._span(subtree.meta)
            if level > MAX_NESTING:
                message, hint = f"nested more than {MAX_NESTING} deep", "name the inner parts with `let`"
                self.collector.add(CH004NestedTooDeep, message, span, hint)
                return None
            children = [
                made[id(c)] if isinstance(c, Tree) else None if c is None else self._token(c) for c in subtree.children
            ]
            made[id(subtree)] = MAKERS[subtree.data](span, children)
        return made[id(root)]

    def _span(self, meta: Meta) -> Span:
        start = getattr(meta, "start_pos", 0)
        return Span(self.source, self.base + start, self.base + getattr(meta, "end_pos", start))

    def _token(self, token: Token) -> Any:  # noqa: ANN401, PLR0911  (a leaf of any kind; one row a terminal)
        start = self.base + (token.start_pos or 0)
        text, span = str(token), Span(self.source, start, start + len(token))
        match token.type:
            case "NAME":
                return ast.Name(self._bounded(text, span), span)
            case "INTEGER":
                return ast.Number(literals.integer(text, span, self.collector), span)
            case "DECIMAL":
                return ast.Decimal(literals.decimal(text, span, self.collector), span)
            case "STRING":
                return ast.Text(literals.string(text, span, self.collector), span)
            case "TRUTH":
                return ast.Truth(text == "true", span)
            case "ADDRESS":
                return ast.Fixed(literals.address(text, span, self.collector), _ADDRESS_WIDTH, span)
            case "MAC":
                return ast.Fixed(int(text.replace(":", ""), 16), _MAC_WIDTH, span)
            case "ENDPOINT":
                return ast.EndpointLiteral(literals.endpoint(text, span, self.collector), span)
            case "PREFIX":
                return literals.prefix(text, span, self.collector)
            case _:
                return text

    def _bounded(self, name: str, span: Span) -> str:
        if len(name) > MAX_NAME:
            message = f"the name is {len(name)} characters long"
            self.collector.add(CH014NameTooLong, message, span, f"names have at most {MAX_NAME} characters")
        return name[:MAX_NAME]
