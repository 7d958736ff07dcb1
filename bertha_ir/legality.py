"""Which nodes are legal at which stage. What a stage's row does not name is illegal."""

from __future__ import annotations

from typing import TYPE_CHECKING, Literal

from bertha_ir import expr as e
from bertha_ir import stmt as s
from bertha_ir.walk import walk

if TYPE_CHECKING:
    from bertha_ir.program import Root

Stage = Literal["source", "expanded", "frame", "datagram", "send", "recv"]

_WORDS: frozenset[type] = frozenset({e.Const, e.Local, e.Field, e.Unary, e.Binary, e.Cast, e.Choose, e.Call})
_FRAME_MEASURES: frozenset[type] = frozenset({e.FrameSize, e.HeaderOffset, e.Parsed})
_VALUES: frozenset[type] = frozenset({
    e.Secret, e.Address, e.Part, e.MakeEndpoint, e.Payload, e.Value, e.Size, e.Element, e.Match, e.Contains, e.Get,
})  # fmt: skip
_PARAMETERS: frozenset[type] = frozenset({e.Param, e.ParamField, e.Count})
_STEPS: frozenset[type] = frozenset({
    s.Let, s.Assign, s.If, s.Store, s.Delete, s.Drop, s.Bounce, s.Clone, s.Push, s.Pop, s.Repeat, s.ForEach, s.Attempt,
    s.Reply, s.Emit,
})  # fmt: skip
_LOWERED_STEPS: frozenset[type] = _STEPS | {s.Lookup}
_BYTES: frozenset[type] = frozenset({e.Payload, e.Secret, e.Size})

LEGAL: dict[Stage, frozenset[type]] = {
    "source": _WORDS | _VALUES | _PARAMETERS | _STEPS,
    "expanded": _WORDS | _VALUES | _STEPS,
    "frame": _WORDS | _FRAME_MEASURES | _LOWERED_STEPS | _BYTES | {s.FixChecksum},
    "datagram": _WORDS | _FRAME_MEASURES | _LOWERED_STEPS | _BYTES,
    "send": _WORDS | _LOWERED_STEPS | _BYTES | {e.Value},
    "recv": _WORDS | _LOWERED_STEPS | _BYTES | {e.Value},
}

# What no device program holds: lowering replaces it.
EARLIER = LEGAL["source"] - LEGAL["frame"] - LEGAL["datagram"] - LEGAL["send"] - LEGAL["recv"]


class VerifyError(AssertionError):
    """A pass left something that its stage does not allow: a defect of Bertha, not of the user's specification."""

    def __init__(self, where: str, what: str) -> None:
        super().__init__(f"{where}: {what}")


def check_stage(stage: Stage | Root, tree: object, where: str) -> None:
    """Raise `VerifyError` for the first node of a tree of expressions and statements that the stage does not allow."""
    for node in walk(tree):
        module = type(node).__module__
        if module in {e.__name__, s.__name__} and type(node) not in LEGAL[stage]:
            raise VerifyError(where, f"`{type(node).__name__}` is not legal at the stage `{stage}`")
