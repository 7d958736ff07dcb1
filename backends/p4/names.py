"""P4 identifiers for names from the source: whatever the source says, what is printed is one new, harmless word."""

from __future__ import annotations

import re

from attrs import Factory, define

from bertha_ir.backends.names import Names as Shared
from bertha_ir.backends.names import mangle

__all__ = ["Names", "comment", "mangle"]

# P4-16 language specification, version 1.2.5, section 6.3 and appendix A
_KEYWORDS = """abstract action actions apply bit bool break const continue control default else entries enum error exit
extern false for header header_union if in inout int key list main match_kind out package parser priority return select
state string struct switch table this transition true tuple type typedef value_set varbit void"""
# What core.p4 and v1model.p4 declare
_LIBRARY = """CloneType Checksum16 ComputeChecksum CounterType Deparser Egress HashAlgorithm HeaderTooShort Ingress
MeterType NoAction NoError NoMatch PacketTooShort Parser ParserInvalidArgument ParserTimeout PortId_t StackOutOfBounds
V1MODEL_METER_COLOR_GREEN V1MODEL_METER_COLOR_RED V1MODEL_METER_COLOR_YELLOW V1MODEL_VERSION V1Switch VerifyChecksum
action_profile action_selector assert assume clone clone3 clone_preserving_field_list counter digest direct_counter
direct_meter exact hash log_msg lpm mark_to_drop meter optional packet_in packet_out random range recirculate
recirculate_preserving_field_list register resubmit resubmit_preserving_field_list selector standard_metadata_t
static_assert ternary truncate update_checksum update_checksum_with_payload verify verify_checksum
verify_checksum_with_payload"""
_METHODS = "isValid setInvalid setValid minSizeInBits minSizeInBytes maxSizeInBits maxSizeInBytes"
RESERVED = frozenset(f"{_KEYWORDS} {_LIBRARY}".split())
METHODS = frozenset(_METHODS.split())


@define
class Names(Shared):
    """One P4 name space."""

    reserved: frozenset[str] = RESERVED
    taken: set[str] = Factory(set)

    @classmethod
    def of_program(cls, *fixed: str) -> Names:
        """Return the name space of a whole program in which `fixed` names are the backend's own."""
        return cls(taken={*fixed})

    @classmethod
    def of_fields(cls) -> Names:
        """Return the name space of a header's or struct's fields."""
        return cls(taken={*METHODS})


def comment(text: str) -> str:
    """Return `text` fit for a `//` comment: one line of harmless characters."""
    return re.sub(r"[^A-Za-z0-9_.,:;()<>=+*/%& -]", "?", text)[:100]
