"""Random programs: kernel XDP, kernel TC, emitted Python and interpreter agree on every packet and all state."""

import os

import pytest
from attrs import evolve
from generators import Programs, frames
from loading import compared, needs_kernel, remembered

from bertha_ir.backends.base import Unit
from bertha_ir.backends.python.target import PythonBackend
from bertha_ir.interpreter.program import Machine
from bertha_ir.verify import verify_program

pytestmark = needs_kernel
COUNT = 200
PROGRAMS = 2000 if os.environ.get("BERTHA_LONG") == "1" else 200
# What random programs compute in vain is not the printer's fault.
IN_VAIN = ("variable", "but-set-variable")
OPTIONS = (*(f"-Wno-unused-{kind}" for kind in IN_VAIN), "-Wno-self-assign", "-Wno-tautological-compare")


@pytest.mark.parametrize("seed", range(PROGRAMS))
def test_random_programs_mean_one_thing(seed, tmp_path):
    """200 frames through each of 200 programs (`BERTHA_LONG=1`: 2,000), four ways: same verdict, bytes and state."""
    program = Programs(seed).program()
    verify_program(program)
    packets = frames(seed, COUNT)
    taken = 0
    for hook in ("ingress", "egress"):
        folder = tmp_path / hook
        folder.mkdir()
        seen = compared(evolve(program, hook=hook), packets, folder, *OPTIONS)
        taken = sum(count for (block, what), count in seen.items() if block and what != "changed")
    assert taken > 10
    in_python(program, packets)


def in_python(program, packets):
    """Run the emitted module beside the interpreter."""
    assert PythonBackend().validate(Unit(program)) == ()
    (text,) = PythonBackend().emit(Unit(program)).values()
    module, machine = {}, Machine(program)
    exec(compile(text, program.name, "exec"), module)  # noqa: S102  (what was just printed)
    for packet in packets:
        outcome = machine.run(packet)
        assert module["run"](packet)[:2] == (outcome.verdict, outcome.data), packet.hex()
    for state in program.states:
        assert dict(module[state.name].items()) == remembered(machine, state.name)
