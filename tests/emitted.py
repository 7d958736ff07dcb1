"""Runs emitted Python beside the interpreter, both with the same inputs from outside."""

from __future__ import annotations

from collections import Counter
from importlib.util import module_from_spec, spec_from_loader

from bertha_ir.backends.base import Unit
from bertha_ir.backends.python.target import PythonBackend
from bertha_ir.expr import Secret
from bertha_ir.interpreter.program import Machine
from bertha_ir.runtime import primitives
from bertha_ir.walk import walk

SECRET = bytes(range(32))
WIDTHS = {"now": 64, "random": 32, "nonce": 96}


def source(program, messages=()):
    """The module that the backend prints; the backend must take the program."""
    unit = Unit(program, tuple(messages))
    assert PythonBackend().validate(unit) == ()
    (text,) = PythonBackend().emit(unit).values()
    return text


def imported(text):
    """The module of a text. Named tuples look their module up by name, so it has one while it loads."""
    module = module_from_spec(spec_from_loader("emitted", loader=None))
    exec(compile(text, "emitted.py", "exec", dont_inherit=True), module.__dict__)  # noqa: S102  (it is what we test)
    return module


def record_of(module):
    """The class of the module's message."""
    return next(v for v in vars(module).values() if hasattr(v, "_fields"))


class Inputs:
    """Time, chance and nonces that are the same for everyone who counts from the beginning."""

    def __init__(self):
        self.asked = Counter()

    def __call__(self, name):
        self.asked[name] += 1
        return self.asked[name] * 0x9E3779B97F4A7C15F39CC0605CEDC834 % (1 << WIDTHS[name])


class Pair:
    """One program, in the interpreter and as Python; `run` demands that they agree and returns what came out."""

    def __init__(self, program, monkeypatch, messages=()):
        self.program = program
        self.text = source(program, messages)
        self.module = imported(self.text)
        secrets = {node.name: SECRET for node in walk(program.blocks) if isinstance(node, Secret)}
        self.machine = Machine(program, Inputs(), {m.name: m for m in messages}, secrets)
        self.inputs, self.monkeypatch = Inputs(), monkeypatch
        if hasattr(self.module, "SECRETS"):
            self.module.SECRETS.update(secrets)

    def run(self, data=b"", src=(0, 0), dst=(0, 0), value=None):
        """Give both the same packet, and the same time and chance: those of this program, of several that run."""
        for name in ("now", "random", "nonce"):
            self.monkeypatch.setattr(primitives, name, lambda name=name: self.inputs(name))
        self.monkeypatch.setattr(primitives, "nonce_bytes", lambda: self.inputs("nonce").to_bytes(12, "big"))
        expected = self.machine.run(data, src, dst, value)
        match self.program.root:
            case "frame" | "datagram":
                got = self.module.run(data, src, dst)
                assert got == (expected.verdict, expected.data, expected.src, expected.dst), data.hex()
            case "send":
                record = record_of(self.module)(*value.values()) if value else data
                got = self.module.encode(record)
                assert got == (expected.data if expected.verdict == "pass" else None)
            case "recv":
                got = self.module.decode(data)
                if expected.verdict != "pass":
                    assert got is None
                elif self.program.message:
                    assert list(got) == list(expected.value.values())
                else:
                    assert got == expected.data
        return got
