"""Runs pipelines: checks what each pass needs, verifies after every pass, keeps a snapshot of every stage."""

from __future__ import annotations

import re
from typing import TYPE_CHECKING, Any, NoReturn, cast

from attrs import fields, frozen

from bertha_ir.diagnostics import BerthaError, Collector
from bertha_ir.passes.codes import CH210BadPipeline
from bertha_ir.passes.pipelines import PASSES, PIPELINES
from bertha_ir.passes.verify import verify_module

if TYPE_CHECKING:
    from collections.abc import Callable

    from attrs import Attribute, AttrsInstance

    from bertha_ir.passes.base import Context, Fact, Module, Pass

_STEP = re.compile(r"\s*([a-z][a-z0-9-]*)\s*(?:\{([^{}]*)\})?\s*")


@frozen
class Pipeline:
    """A list of passes with their options. `str` gives the text that parses back to it."""

    passes: tuple[Pass, ...]

    def __str__(self) -> str:
        return ",".join(_spelled(p) for p in self.passes)


def _spelled(step: Pass) -> str:
    options = [f"{a.name}={getattr(step, a.name)}" for a in _options(type(step)) if getattr(step, a.name) != a.default]
    return step.name + (f"{{{' '.join(options)}}}" if options else "")


def _options(step: type[Pass]) -> tuple[Attribute[Any], ...]:
    return tuple(fields(cast("type[AttrsInstance]", step)))


def parse_pipeline(text: str) -> Pipeline:
    """Return the pipeline of a text: names of passes or of pipelines, separated by commas, options in braces.

    Raises `BerthaError` (CH210) for unknown names and options, and for passes that run before what they need.
    """
    steps: list[Pass] = []
    at = 0
    while at < len(text) or not steps:
        found = _STEP.match(text, at)
        if found is None:
            _refuse(f"`{text}` is no pipeline", "write pass names separated by commas, such as `expand,place`")
        steps += _named(found[1], found[2])
        at = found.end()
        if at < len(text) and text[at] != ",":
            _refuse(f"unexpected `{text[at]}` in the pipeline", "separate passes by commas")
        at += 1
    _check_order(steps)
    return Pipeline(tuple(steps))


def _named(name: str, options: str | None) -> list[Pass]:
    if name in PIPELINES and options is None:
        return list(parse_pipeline(PIPELINES[name]).passes) if PIPELINES[name] else []
    if name not in PASSES.names():
        _refuse(f"no pass or pipeline is called `{name}`", f"passes: {', '.join(PASSES.names())}")
    cls = PASSES.get(name)
    given = dict(_option(item) for item in (options or "").split())
    known = {a.name for a in _options(cls)}
    if unknown := sorted(set(given) - known):
        _refuse(f"`{name}` has no option `{unknown[0]}`", f"its options: {', '.join(sorted(known)) or 'none'}")
    return [cls(**given)]


def _option(item: str) -> tuple[str, str]:
    name, equals, value = item.partition("=")
    if not equals:
        _refuse(f"the option `{item}` has no value", f"write `{item}=…`")
    return name, value


def _check_order(steps: list[Pass]) -> None:
    known: set[str] = set()
    for step in steps:
        if missing := sorted(step.requires - known):
            makers = [n for n in PASSES.names() if missing[0] in PASSES.get(n).establishes]
            _refuse(
                f"`{step.name}` needs what is not established before it: {', '.join(missing)}",
                f"run `{makers[0]}` before it" if makers else None,
            )
        known |= step.establishes


def require(pipeline: Pipeline, fact: Fact, what: str) -> None:
    """Raise `BerthaError` (CH210) when a pipeline does not establish what `what` is about, such as `an artifact`."""
    if any(fact in step.establishes for step in pipeline.passes):
        return
    makers = [n for n in PASSES.names() if fact in PASSES.get(n).establishes]
    known = [name for name, text in PIPELINES.items() if set(makers) & {p.name for p in parse_pipeline(text).passes}]
    _refuse(
        f"{what} takes a pipeline with the pass `{makers[0]}`, and `{pipeline}` has none",
        f"add `{makers[0]}` to it, or use one of the pipelines {', '.join(f'`{n}`' for n in known)}",
    )


def _refuse(message: str, help_: str | None) -> NoReturn:
    collector = Collector()
    collector.add(CH210BadPipeline, message, None, help_)
    raise BerthaError(tuple(collector.found))


def run_pipeline(
    pipeline: Pipeline, module: Module, context: Context, *, observe: Callable[[str, Module], None], verify: bool = True
) -> Module:
    """Run the passes in order. `observe` is told the module after each; with `verify`, each result is verified."""
    for step in pipeline.passes:
        module = step.run(module, context)
        if verify:
            verify_module(module)
        observe(step.name, module)
    return module
