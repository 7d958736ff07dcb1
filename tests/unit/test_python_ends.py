"""What the Python backend prints for ends does what the interpreter does, however bodies put payloads together."""

import random

import pytest
from compiling import compiled
from emitted import SECRET, Pair, imported, record_of, source
from samples import header

from bertha_ir import expr as e
from bertha_ir import stmt as s
from bertha_ir.program import Block, DeviceProgram, State
from bertha_ir.runtime import primitives
from bertha_ir.runtime.state import Secrets
from bertha_ir.types import BOOL, BYTES, U8, U16, U32, Bits, Bytes

TRUE, DROP = e.Const(value=True, type=BOOL), (s.Drop(),)
PAYLOAD, KEY = e.Payload(), e.Secret("key", Bytes(32))
HEADERS = (
    header("short", ("a", 16)),
    header("odd", ("b", 24)),
    header("mixed", ("c", 8), ("d", 32), ("e", 16)),
    header("bits", ("f", 4), ("g", 12)),
)
FIELDS = {h.name: tuple(e.Field(h.name, f.name, f.type) for f in h.fields) for h in HEADERS}
STATES = (State("last", (), (U32,)),)
COUNT = s.Store("last", (), "add", (e.Const(1, U32),))
UNDO = {
    "undelimit": primitives.delimit,
    "http2_unframe": lambda data: primitives.http2_frame(3, data),
    "aead_open": lambda data: primitives.aead_seal(SECRET, 7, data),
    "zstd_decompress": primitives.zstd_compress,
}


def call(name, *arguments):
    return e.Call(name, arguments, BYTES)


class Bodies:
    """Random bodies of ends; `values` are words that can be read so far."""

    def __init__(self, seed):
        self.random = random.Random(seed)
        self.values = [e.Const(5, U8), e.Const(0x1234, U16)]

    def word(self, type_):
        size = e.Size(PAYLOAD)
        value = self.random.choice([*self.values, e.Cast(size, U32)])
        return value if value.type == type_ else e.Cast(value, type_)

    def let(self):
        """Bind a local, new or known, to a word or to what is remembered."""
        local = e.Local(f"x{self.random.randrange(4)}", U32)
        made = self.random.choice((s.Let(local.name, self.word(U32)), s.Lookup("last", (), None, (local,))))
        self.values.append(local)
        return made

    def condition(self):
        return e.Binary("==", e.Binary("&", self.word(U32), e.Const(1, U32)), e.Const(self.random.randrange(2), U32))

    def put(self):
        """Give the payload a value that is longer."""
        nonce = e.Call("nonce", (), Bits(96))
        stream = self.random.choice((e.Const(0x80000003, U32), self.word(U32)))
        made = self.random.choice(
            (
                call("delimit", PAYLOAD),
                call("http2_frame", stream, PAYLOAD),
                call("delimit", call("aead_seal", KEY, nonce, PAYLOAD)),
                call("aead_seal", KEY, e.Cast(self.word(U32), Bits(96)), call("delimit", PAYLOAD)),
                call("http2_frame", stream, call("delimit", call("http2_frame", stream, PAYLOAD))),
            )
        )
        return s.Assign(PAYLOAD, made)

    def push(self):
        layout = self.random.choice(HEADERS)
        constant = self.random.random() < 0.4
        given = tuple(
            (f.name, e.Const(self.random.getrandbits(f.width), f.type) if constant else self.word(f.type))
            for f in layout.fields
            if self.random.random() < 0.8
        )
        self.values += FIELDS[layout.name]
        return s.Push(layout.name, given)

    def compressed(self):
        """Compress the payload; what headers were in it can no longer be read."""
        self.values = [v for v in self.values if not isinstance(v, e.Field)]
        return s.Assign(PAYLOAD, call("zstd_compress", PAYLOAD))

    def nested(self):
        then = self.random.choice((DROP, (self.put(),), (COUNT, self.put(), self.put())))
        return self.random.choice((s.If(self.condition(), then, ()), s.Repeat(2, (self.put(),)), COUNT))

    def send(self):
        makers = (self.let, self.put, self.push, self.push, self.compressed, self.nested)
        return self.body(makers)

    def body(self, makers):
        """Some statements, and behind them the sum of all that can be read."""
        made = [self.random.choice(makers)() for _ in range(self.random.randrange(8))]
        words = (e.Cast(value, U32) if value.type != U32 else value for value in self.values)
        return (*made, *(s.Store("last", (), "add", (word,)) for word in words))

    def longer(self):
        """Count with a payload that is changed, and drop it."""
        size = s.Store("last", (), "add", (e.Cast(e.Size(PAYLOAD), U32),))
        return size, self.put(), s.Store("last", (), "add", (self.word(U32),)), size, *DROP

    def pop(self):
        otherwise = self.random.choice((DROP, (COUNT, *DROP), self.longer()))
        layout = self.random.choice(HEADERS)
        self.values = [v for v in self.values if not isinstance(v, e.Field) or v.header != layout.name]
        self.values += FIELDS[layout.name]
        return s.Pop(layout.name, otherwise)

    def take(self):
        """Take the payload apart; when that fails, drop it, or go on."""
        name = self.random.choice(list(UNDO))
        arguments = (KEY, PAYLOAD) if name == "aead_open" else (PAYLOAD,)
        on = (s.Assign(PAYLOAD, e.Const(b"other", BYTES)), COUNT)
        size = s.Store("last", (), "add", (e.Cast(e.Size(PAYLOAD), U32),))
        again = (s.Attempt(PAYLOAD, call("undelimit", PAYLOAD), (size,)), size, *DROP)
        otherwise = self.random.choice((DROP, DROP, DROP, (COUNT, *DROP), self.longer(), again, (COUNT,), on))
        return s.Attempt(PAYLOAD, call(name, *arguments), otherwise)

    def replaced(self):
        return s.Assign(PAYLOAD, e.Cast(self.word(U32), Bytes(4)))

    def recv(self):
        makers = (self.let, self.pop, self.pop, self.take, self.take, self.nested, self.put, self.replaced)
        return self.body(makers)

    def fitting(self, body):
        """Bytes that a body gets far with."""
        data = self.random.randbytes(self.random.randrange(40))
        for node in reversed(body):
            match node:
                case s.Pop(name):
                    size = next(h.size for h in HEADERS if h.name == name)
                    data = self.random.randbytes(size) + data
                case s.Attempt(_, e.Call(name)):
                    data = UNDO[name](data)
        return data


def program_of(root, body):
    return DeviceProgram("p", "h1", root, "process", HEADERS, (), (), STATES, (Block("b", (), TRUE, body),))


@pytest.mark.parametrize("seed", range(300))
def test_what_ends_send_is_the_interpreters(seed, monkeypatch):
    """Random bodies that push, frame, seal and compress, straight and under conditions."""
    make = Bodies(seed)
    pair = Pair(program_of("send", make.send()), monkeypatch)
    for size in (0, 1, 2, 3, 50, 300):
        pair.run(make.random.randbytes(size))
    assert pair.module.last.row == pair.machine.states.get("last", ())


@pytest.mark.parametrize("seed", range(300))
def test_what_ends_receive_is_the_interpreters(seed, monkeypatch):
    """Random bodies that pop and undo, and go on or not when that fails; on what fits, and damaged."""
    make = Bodies(seed)
    body = make.recv()
    pair = Pair(program_of("recv", body), monkeypatch)
    for _ in range(6):
        data = make.fitting(body)
        pair.run(data)
        pair.run(data[: make.random.randrange(len(data) + 1)])
        at = make.random.randrange(len(data) + 1)
        pair.run(data[:at] + make.random.randbytes(1) + data[at + 1 :])
    assert pair.module.last.row == pair.machine.states.get("last", ())


def test_random_bodies_get_far():
    """The two tests above would say little of bodies that drop everything."""
    passed = 0
    for seed in range(100):
        make = Bodies(seed)
        body = make.recv()
        module = imported(source(program_of("recv", body)))
        if hasattr(module, "SECRETS"):
            module.SECRETS["key"] = SECRET
        passed += module.decode(make.fitting(body)) is not None
    assert passed > 50


def test_what_is_not_joined_yet_keeps_its_values(monkeypatch):
    """A local that a header is made of may be bound again before the header is."""
    local, again = e.Local("x", U32), s.Let("x", e.Const(2, U32))
    pushed = s.Push("mixed", (("d", local),))
    sized = s.Push("mixed", (("d", e.Cast(e.Size(PAYLOAD), U32)),))
    for middle in ((again,), (s.Lookup("last", (), None, (local,)),), (s.Assign(local, e.Const(3, U32)),)):
        body = (s.Let("x", e.Const(1, U32)), pushed, sized, *middle, pushed)
        Pair(program_of("send", body), monkeypatch).run(b"data")


def test_what_a_branch_does_to_the_payload_stays_there(monkeypatch):
    """The header behind it lies where it lay."""
    enlarged = (s.Assign(PAYLOAD, call("delimit", PAYLOAD)), *DROP)
    total = tuple(s.Store("last", (), "add", (e.Cast(f, U32),)) for name in ("short", "mixed") for f in FIELDS[name])
    pair = Pair(program_of("recv", (s.Pop("short", DROP), s.Pop("mixed", enlarged), *total)), monkeypatch)
    for data in (bytes(range(20)), bytes(5), bytes(range(9))):
        pair.run(data)
    assert pair.module.last.row == pair.machine.states.get("last", ())


def end(request, root, **more):
    built = compiled(request, **more)
    program = next(p.program for p in built.programs if p.program.root == root)
    return source(program, built.specification.messages)


def test_nothing_is_moved_for_headers_and_frames():
    """Headers of constants are one constant; what comes in is cut once, where the record begins."""
    macs = "inside_dst = 02:00:00:00:00:01, inside_src = 02:00:00:00:00:02"
    stack = f"serialize(Query) |> encapsulate(vni = 5, {macs}) |> udp(4789)"
    sent, received = end(stack, "send"), end(stack, "recv")
    assert sent.count("b'") == 1
    assert "bytearray" not in sent + received
    assert received.count(":]") == 1
    sealed = end('serialize(Query) |> encrypt(key = secret("key")) |> http2 |> tcp(4242)', "recv")
    assert "data[13:25], data[25:]" in sealed
    assert "PrimitiveError" not in sealed


def test_a_new_secret_is_used_from_the_next_message_on():
    """A cipher that is kept goes with its key; one that was never given is asked for by name."""
    module = imported(end('encrypt(key = secret("key")) |> udp(4242)', "send"))
    with pytest.raises(LookupError, match="`key`"):
        module.encode(b"text")
    for key in (SECRET, bytes(32)):
        module.SECRETS.update({"key": key})
        assert primitives.aead_open(key, module.encode(b"text")[4:]) == b"text"
    del module.SECRETS["key"]
    with pytest.raises(LookupError, match="`key`"):
        module.encode(b"text")


def test_secrets_are_a_mapping():
    """As long as there are any."""
    secrets = Secrets()
    assert not secrets
    secrets["a"] = b"1"
    assert dict(secrets) == {"a": b"1"}
    assert len(secrets) == 1


def test_long_statements_are_broken_at_their_parts():
    """So that they can be read."""
    text = end("serialize(Query) |> http2 |> tcp(4242)", "send")
    assert max(map(len, text.splitlines())) <= 120
    assert "return (\n        DATA_FRAME.pack(" in text
    module = imported(text)
    record = record_of(module)(1, 2, 3, b"name", 4, 5, 6, b"rest")
    assert primitives.http2_unframe(module.encode(record)).endswith(b"rest")
