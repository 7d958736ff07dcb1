"""Prints a device program as P4-16 for v1model."""

from __future__ import annotations

from typing import TYPE_CHECKING

from attrs import Factory, define, field

from bertha_ir.backends.p4.block import BlockPrinter
from bertha_ir.backends.p4.forward import Forwarding
from bertha_ir.backends.p4.helpers import Helpers
from bertha_ir.backends.p4.layout import FOUND, HEADERS, METADATA, PIPELINE, Layout, width_of
from bertha_ir.backends.p4.model import Catalogue
from bertha_ir.backends.p4.names import Names, comment, mangle
from bertha_ir.backends.p4.state import declare
from bertha_ir.backends.p4.tables import INDENT, action_lines, table_lines
from bertha_ir.backends.printing import role

if TYPE_CHECKING:
    from collections.abc import Iterator

    from bertha_ir.backends.base import Unit
    from bertha_ir.program import ParseState

OWN_NAMES = (
    HEADERS, METADATA, PIPELINE, "headers_t", "metadata_t", FOUND, "packet", "taken", "start", "accept", "reject",
    "FrameParser", "Unchecked", "Unsummed", "PassOn", "FrameDeparser",
)  # fmt: skip
FIELDS_A_LINE = 3
USUAL = f"inout headers_t {HEADERS}, inout metadata_t {FOUND}"


@define
class Source:
    """The text of a program, and the catalogue of what its control plane sees."""

    unit: Unit
    catalogue: Catalogue = Factory(Catalogue)
    names: Names = Factory(lambda: Names.of_program(*OWN_NAMES))
    text: str = field(init=False)

    def __attrs_post_init__(self) -> None:
        program = self.unit.program
        layout, helpers = Layout.of(program), Helpers(self.names)
        types = {state.header: self.names.fresh(f"{state.header}_t") for state in program.parser}
        states = declare(program, self.names, self.catalogue)
        tables = {table.name: table for table in program.tables}
        blocks = [
            BlockPrinter(block, layout, self.names, helpers, self.catalogue, tables, states) for block in program.blocks
        ]
        controls = [block.print() for block in blocks]
        forwarding = Forwarding.of(self.unit, layout, self.names, self.catalogue)
        parts = [
            self._title(),
            "#include <core.p4>\n#include <v1model.p4>",
            *_header_types(layout, types),
            _metadata(blocks),
            _parser(layout, self.names),
            *helpers.texts(),
            *self._registers(),
            *controls,
            _ingress(forwarding, blocks),
            _rest(layout),
        ]
        self.text = "\n\n".join(parts) + "\n"

    def _title(self) -> str:
        program = self.unit.program
        name = mangle(program.name)
        return (
            f"// {comment(program.name)}: what {comment(program.device)} runs. P4-16 for the v1model architecture.\n"
            f"// {role(active=self.unit.active)}\n"
            "// Written by Bertha; changes are lost when it is compiled again.\n"
            f"//   p4c-bm2-ss -o {name}.json {name}.p4\n"
            f"// {name}.p4info.txtpb describes it to a P4Runtime controller. The tables start empty: their entries\n"
            f"// are in {name}.entries.json (P4Runtime) and, the same, in {name}.commands.txt (simple_switch_CLI)."
        )

    def _registers(self) -> Iterator[str]:
        lines = [f"@id({r.id:#010x}) register<bit<{r.width}>>({r.size}) {r.name};" for r in self.catalogue.registers]
        if lines:
            yield "\n".join(lines)


def _header_types(layout: Layout, types: dict[str, str]) -> Iterator[str]:
    for name, type_ in types.items():
        fields = "".join(
            f"{INDENT}bit<{width_of(f.type)}> {layout.fields[name, f.name]};\n"
            for f in layout.program.header(name).fields
        )
        yield f"header {type_} {{\n{fields}}}"
    members = "".join(f"{INDENT}{types[name]} {member};\n" for name, member in layout.members.items())
    yield f"struct headers_t {{\n{members}}}"


def _metadata(blocks: list[BlockPrinter]) -> str:
    """Print the metadata: what the look-ups of the blocks found."""
    members = "".join(f"{INDENT}{member}\n" for block in blocks for member in block.found.values())
    return f"struct metadata_t {{\n{members}}}" if members else "struct metadata_t {}"


def _parser(layout: Layout, names: Names) -> str:
    """Print the parser. A frame too short for a header ends it with that header invalid, which v1model lets pass."""
    states = {state.header: names.fresh(f"parse_{state.header}") for state in layout.program.parser}
    first = next(iter(states.values()), "accept")
    text = f"{INDENT}state start {{\n{INDENT * 2}transition {first};\n{INDENT}}}\n"
    for state in layout.program.parser:
        text += (
            f"{INDENT}state {states[state.header]} {{\n{INDENT * 2}packet.extract({layout.header(state.header)});\n"
            f"{_transition(state, layout, states)}{INDENT}}}\n"
        )
    return (
        f"parser FrameParser(packet_in packet, out headers_t {HEADERS}, inout metadata_t {FOUND},\n"
        f"{INDENT * 3}inout standard_metadata_t {METADATA}) {{\n{text}}}"
    )


def _transition(state: ParseState, layout: Layout, states: dict[str, str]) -> str:
    """Print the choice of the next state: the first transition whose fields all hold their values."""
    rows: list[tuple[dict[str, int], str]] = []
    header = layout.program.header(state.header)
    for transition in state.transitions:
        wanted = dict(transition.when)
        impossible = any(wanted[n] != v or v >> header.field(n).width for n, v in transition.when)
        if not impossible:
            rows.append((wanted, states[transition.to]))
        if not wanted:
            break
    columns = list(dict.fromkeys(name for wanted, _ in rows for name in wanted))
    if not columns:
        return f"{INDENT * 2}transition {rows[0][1] if rows else 'accept'};\n"
    last = rows.pop()[1] if not rows[-1][0] else "accept"
    fields = [layout.field(state.header, name) for name in columns]
    between = ", " if len(fields) <= FIELDS_A_LINE else f",\n{INDENT * 6}"
    text = f"{INDENT * 2}transition select({between.join(fields)}) {{\n"
    for wanted, target in rows:
        values = [f"{wanted[name]:#x}" if name in wanted else "_" for name in columns]
        keyset = f"({', '.join(values)})" if len(values) > 1 else values[0]
        text += f"{INDENT * 3}{keyset}: {target};\n"
    return f"{text}{INDENT * 3}default: {last};\n{INDENT * 2}}}\n"


def _ingress(forwarding: Forwarding, blocks: list[BlockPrinter]) -> str:
    lines = [f"{block.control}() {block.instance};" for block in blocks]
    lines += ["", *action_lines(*forwarding.actions)]
    for site in forwarding.sites:
        lines += ["", *table_lines(site)]
    body = ["bool taken = false;"] if blocks else []
    body += [f"{block.instance}.apply({HEADERS}, {FOUND}, {METADATA}, taken);" for block in blocks]
    body += forwarding.steps()
    return (
        "// The first block whose headers are there and whose guard holds takes the frame; then it goes on its way.\n"
        f"control {PIPELINE}({USUAL}, inout standard_metadata_t {METADATA}) {{\n"
        + "".join(f"{INDENT}{line}\n" if line else "\n" for line in lines)
        + f"{INDENT}apply {{\n"
        + "".join(f"{INDENT * 2}{line}\n" for line in body)
        + f"{INDENT}}}\n}}"
    )


def _rest(layout: Layout) -> str:
    emits = "".join(f"{INDENT * 2}packet.emit({layout.header(h.name)});\n" for h in layout.ordered)
    return (
        "// Checksums are updated for what changed, never computed anew: a broken frame stays broken.\n"
        f"control Unchecked({USUAL}) {{\n{INDENT}apply {{}}\n}}\n\n"
        f"control Unsummed({USUAL}) {{\n{INDENT}apply {{}}\n}}\n\n"
        f"control PassOn({USUAL}, inout standard_metadata_t {METADATA}) {{\n{INDENT}apply {{}}\n}}\n\n"
        f"control FrameDeparser(packet_out packet, in headers_t {HEADERS}) {{\n"
        f"{INDENT}apply {{\n{emits}{INDENT}}}\n}}\n\n"
        f"V1Switch(FrameParser(), Unchecked(), {PIPELINE}(), PassOn(), Unsummed(), FrameDeparser()) main;"
    )
