"""The guarantees that a chunnel provides or requires, and a stack relies on: a closed set."""

from __future__ import annotations

from typing import TYPE_CHECKING

from bertha_ir.frontend.codes import CH050UnknownGuarantee
from bertha_ir.frontend.suggest import nearest_or_all

if TYPE_CHECKING:
    from bertha_ir.diagnostics import Collector
    from bertha_ir.frontend.ast import Name

GUARANTEES = {
    "ordered": "messages arrive in the order in which they were sent",
    "reliable": "every message arrives while the connection lives",
    "exactly_once": "no message arrives twice, and every one arrives",
    "boundaries": "what is sent as one message arrives as one message",
    "stream": "bytes arrive as a stream, without boundaries",
    "confidential": "nobody on the path can read a message",
    "authentic": "nobody on the path can change or forge a message",
    "lossless": "what is received equals what was sent, bit for bit",
    "compressed": "messages take fewer bytes on the wire",
    "typed": "both ends agree on the layout of a message",
}


def guarantees(names: tuple[Name, ...], collector: Collector) -> tuple[str, ...]:
    """Return the known ones of the words, each once, and report the others."""
    for name in names:
        if name.text not in GUARANTEES:
            hint = nearest_or_all(name.text, GUARANTEES, "guarantee")
            collector.add(CH050UnknownGuarantee, f"no guarantee is called `{name.text}`", name.span, hint)
    return tuple(dict.fromkeys(n.text for n in names if n.text in GUARANTEES))
