"""The syntax tree of workloads: what is said of the traffic. The tree of other declarations is in `tree`."""

from __future__ import annotations

from typing import TYPE_CHECKING

from attrs import field, frozen

if TYPE_CHECKING:
    from bertha_ir.frontend.ast import Decimal, Name, Number
    from bertha_ir.source import Span


@frozen
class Size:
    """`size 64..1500 mean 200;`, or one number alone. Which words may stand in front is the resolver's to say."""

    word: Name
    least: Number
    most: Number | None
    mean: Number | None
    span: Span = field(eq=False, repr=False)


@frozen
class Rate:
    """`rate 200_000 per second;`."""

    word: Name
    number: Number
    span: Span = field(eq=False, repr=False)


@frozen
class Share:
    """`firewall drops 30 %;`."""

    chunnel: Name
    word: Name
    percent: Number | Decimal
    span: Span = field(eq=False, repr=False)


@frozen
class Skew:
    """`KvRequest.key zipf 0.99;`."""

    message: Name
    name: Name
    exponent: Number | Decimal
    span: Span = field(eq=False, repr=False)


Fact = Size | Rate | Share | Skew


@frozen
class Workload:
    """`workload kv.request { … }`."""

    stack: Name
    direction: Name
    facts: tuple[Fact, ...]
    span: Span = field(eq=False, repr=False)
