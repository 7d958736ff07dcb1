"""The mistakes that the Python backend finds: what a process does not run yet, or never can."""

from bertha_ir.diagnostics import Code


class CH300SecondMessage(Code):
    """a second message made from one, in a process.

    What: a body replies with, emits, or clones a message.
    Why: the processes that Bertha emits handle one message at a time, each ending in one message or none.
    Example: `reply (0x01_0000_0000 | (number as u40)) as bytes[5];` in `reliable`.
    Fix: leave the chunnel out of the stack until the runtime sends further messages.
    """


class CH301NestedHeader(Code):
    """a header pushed or popped under a condition.

    What: a `push` or `pop` stands inside an `if`, a loop or an `else`; or the `else` of a `pop` goes on.
    Why: where the other headers lie would then depend on the message.
    Example: `if m.kind == 1 { push trailer { } }`.
    Fix: push and pop at the top of the handler, and make the values conditional.
    """


class CH302NotLowered(Code):
    """a node of an earlier stage, given to the Python backend.

    What: the device program holds an expression or a statement that lowering should have replaced.
    Why: a backend prints the lowered form only.
    Example: a hand-written device program with an `Element`.
    Fix: run the pass `lower`.
    """


class CH303AddressAtEnd(Code):
    """an address at an end of the connection.

    What: a `send` or `recv` handler reads or writes `m.src` or `m.dst`.
    Why: the codecs of an end are given bytes or a record; the socket knows the addresses.
    Example: `on send(m) { if m.dst.port == 7 { drop; } }`.
    Fix: do it in a `packet` handler.
    """


class CH304PayloadInFrame(Code):
    """a payload or a record in a frame.

    What: a program that starts from frames uses `m.payload`, `m.value`, `push` or `pop`.
    Why: in a frame, lengths and checksums around the payload would have to follow.
    Example: a hand-written frame program that assigns the payload.
    Fix: use a `datagram`, `send` or `recv` program.
    """
