"""The mistakes that the eBPF backend finds: what a program of the kernel cannot hold."""

from bertha_ir.diagnostics import Code


class CH320NoFrames(Code):
    """a program for a process, given to the kernel.

    What: the device program starts from datagrams or records; XDP and TC see Ethernet frames.
    Why: where a program is attached decides what it is given.
    Example: the `send` side of `serialize(KvRequest)` placed on `kernel(h1)`.
    Fix: place the op on the host, or give it `place: path` so that it works on frames.
    """


class CH321PayloadUnreadable(Code):
    """a payload that a kernel program would have to read or write.

    What: a body uses `m.payload`, `m.value`, a secret or bytes of varying length.
    Why: the verifier accepts only accesses at offsets that it can bound; headers have them, payloads do not.
    Example: `m.payload = zstd_compress(m.payload);`
    Fix: read fields of a message (they lie at fixed offsets), or keep the op on a host.
    """


class CH322SecondMessage(Code):
    """a second message made from one.

    What: a body replies with, emits, or clones a message.
    Why: an XDP program gives one verdict on one frame.
    Example: `clone to collector;`
    Fix: keep the op on a host.
    """


class CH323HeaderMoved(Code):
    """a header put on or taken off where a kernel program cannot.

    What: a body pushes or pops a header at TC, in a loop, or of an odd number of bytes, or over 128 bytes of headers.
    Why: what is in front of the payload is moved into the room that XDP leaves there, and checksums sum pairs of bytes.
    Example: `push vxlan { vni = 7 };` in a response that leaves `kernel(h1)`.
    Fix: keep the op on a host, or where it runs at XDP.
    """


class CH324TooWide(Code):
    """a value of more than 64 bits.

    What: a body computes with, or a table or map holds, a value wider than a register.
    Why: eBPF's registers have 64 bits.
    Example: `if m.ipv6.src == ::1 { drop; }`
    Fix: use two fields of at most 64 bits, or keep the op on a host.
    """


class CH325PrimitiveMissing(Code):
    """a primitive that the kernel has not.

    What: a body calls a primitive that eBPF provides neither as a helper nor as arithmetic.
    Why: kernel programs compute with words; ciphers and codecs are not among their helpers.
    Example: `m.payload = aead_seal(key, nonce(), m.payload);`
    Fix: keep the op on a host, or use `fnv1a`, `now` or `random`.
    """


class CH326Loop(Code):
    """a loop that a kernel program cannot run.

    What: a body visits every entry of a map, or repeats a statement more than 256 times.
    Why: the verifier follows every turn of a loop, within a million instructions.
    Example: `for (k, v) in hits { … }`
    Fix: repeat fewer times, or keep the op on a host.
    """


class CH327TableTooLarge(Code):
    """a table that would have to be searched row by row.

    What: a table of ranges has room for more than 256 rows.
    Why: the kernel has no map that matches ranges, so that the rows are compared one after another.
    Example: `classes: ranges[u16 -> u32; 4096]`.
    Fix: give it a smaller bound, use prefixes, or keep the op on a host.
    """


class CH328HeaderMayMiss(Code):
    """a header that some frames on the way to the op do not have.

    What: a body reads a header that the parser passes on some of the ways to it only, such as a VLAN tag.
    Why: reading it would be reading other bytes.
    Example: `tag(where = vlan.priority, mark = 5)` on a link with untagged frames.
    Fix: keep the op on a host or a switch.
    """


class CH329NotLowered(Code):
    """a node of an earlier stage.

    What: the device program holds an expression or a statement that lowering should have replaced.
    Why: a backend prints the lowered form only.
    Example: a hand-written device program with an `Element`.
    Fix: run the pass `lower`.
    """


class CH330TooMuch(Code):
    """an op that the kernel's verifier would not come to the end of.

    What: one statement takes, by estimate, more than the million instructions that the verifier walks through, 8,192
    branches on one way, or the 512 bytes of the stack; or a chain comes to more than 33 programs.
    Why: a program that is too much is cut into parts that call one another, between statements; this would still be.
    Example: `repeat 256 { repeat 256 { h = (h ^ m.ipv4.ttl as u16) * 7; } }`
    Fix: repeat fewer times, or keep the op on a host.
    """
