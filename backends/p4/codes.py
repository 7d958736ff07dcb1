"""The mistakes that the P4 backend finds: what a v1model switch cannot hold."""

from bertha_ir.diagnostics import Code


class CH340NoFrames(Code):
    """a program for a process, given to a switch.

    What: the device program starts from datagrams or records; a switch sees Ethernet frames only.
    Why: a switch has no sockets and no application to hand a record to.
    Example: the `send` side of `serialize(KvRequest)` placed on a switch.
    Fix: place the op on the host, or give it `place: path` so that it works on frames.
    """


class CH341PayloadUnreadable(Code):
    """a payload that a switch would have to read or write.

    What: a body uses `m.payload`, `m.value` or bytes of varying length.
    Why: a switch parses a bounded number of header bytes; what lies behind them passes through unseen.
    Example: `m.payload = zstd_compress(m.payload);`
    Fix: read fields of a message (they lie at fixed offsets), or keep the op on a host.
    """


class CH342Loop(Code):
    """a loop.

    What: a body repeats statements, or visits every entry of a map.
    Why: a packet passes a switch's pipeline once; there is nothing to loop with.
    Example: `for k, v in hits { … }`
    Fix: write the steps out, or keep the op on a host.
    """


class CH343SecondMessage(Code):
    """a second message made from one.

    What: a body replies with, emits, or clones a message.
    Why: a v1model switch copies frames only to sessions that its operator set up, and cannot make a payload.
    Example: `clone m to collector;`
    Fix: keep the op on a host, or let the operator mirror the port.
    """


class CH344HeaderMoved(Code):
    """a header put on or taken off.

    What: a body pushes or pops a header.
    Why: the backend keeps every header where the parser found it; lengths and checksums around it stay true.
    Example: `push vxlan { vni = 7 };`
    Fix: keep the op on a host.
    """


class CH345PrimitiveMissing(Code):
    """a primitive that v1model has not.

    What: a body calls a primitive that P4 provides neither as an extern nor as arithmetic.
    Why: a switch computes with words, hashes and registers; ciphers and codecs are not among them.
    Example: `m.payload = aead_seal(key, nonce(), m.payload);`
    Fix: keep the op on a host, or use a primitive that a switch has: `fnv1a`, `crc32`, `now`, `random`.
    """


class CH346MapTooSparse(Code):
    """a map whose keys a switch would have to remember.

    What: the bound of a state map is smaller than the number of keys there can be, or the map is too large.
    Why: a switch cannot insert keys while packets pass. With room for every key, the map is an array of registers and
    the key its index; otherwise keys would collide, and the result would not be the one that was asked for.
    Example: `state hits: map[u32 -> u64; 65536];`: 2^32 keys, 65536 places.
    Fix: key the map by fewer bits (`map[u16 -> u64; 65536]` has a place for every key), or keep the op on a host.
    """


class CH347MapEvicts(Code):
    """a map that forgets the least recently used entry.

    What: a state map evicts.
    Why: a switch does not know which of its entries was used last.
    Example: the map of `cache`.
    Fix: keep the op on a host.
    """


class CH348DivisorVaries(Code):
    """a division by a value that is known only when a packet comes.

    What: the right operand of `/` or `%` is no constant.
    Why: switches cannot divide; by a constant, Bertha multiplies instead.
    Example: `m.dst = shards[fnv1a(m.key) % m.count];`
    Fix: divide by a constant or by `len(list)`, or keep the op on a host.
    """


class CH349TableForm(Code):
    """a table that v1model has no form for.

    What: a longest-prefix or range table has several keys, or none.
    Why: a P4 table has at most one `lpm` key, and ranges over several keys have no order.
    Example: a program written by hand with `Table("t", "lpm", (U32, U16), …)`.
    Fix: join the keys into one word, or use an exact table.
    """


class CH350ParserLoop(Code):
    """a parser that meets the same header again.

    What: from a header the parser can reach the same header.
    Why: a P4 header holds one copy; the second would overwrite the first.
    Example: `message vlan over ethernet when …, over vlan when …`, with any number of tags.
    Fix: declare as many messages as there may be headers.
    """


class CH351TooWide(Code):
    """a value wider than the P4 compiler takes.

    What: a field or value has more than 2048 bits.
    Why: p4c computes with at most 2048 bits.
    Example: `name: bytes[300];`
    Fix: cut the field into shorter ones.
    """


class CH352NotLowered(Code):
    """a construct that belongs to an earlier stage.

    What: a body uses an expression or a statement that lowering for a device replaces, or a header that the program's
    parser never extracts.
    Why: the backend prints device programs and decides nothing.
    Example: a program written by hand that assigns to `m.dst`.
    Fix: lower the body first; if the program came from `bertha compile`, report it.
    """


class CH353PortRange(Code):
    """a port number that a switch cannot have.

    What: a link names a port outside 0 to 510.
    Why: v1model ports are 9-bit numbers, and 511 means that the frame is dropped.
    Example: `link c1 <-> tor ethernet { port 600; }`
    Fix: number the switch's ports from 0 to 510.
    """


class CH354NoRoom(Code):
    """a program that takes more than the switch has.

    What: by estimate, a program needs more stages, memory, hashes or packet header vector than the device's profile
    says that there is. The op named is the first, in the order of the program, with which it does.
    Why: what is too large for a switch cannot be loaded, and its own compiler would refuse it only then.
    Example: a table of 200000 prefixes on a Tofino, whose 288 blocks of TCAM hold 147456 of them.
    Fix: make tables or state smaller, give ops to other devices, or keep them on a host; name a profile whose figures
    are those of the device. `bertha cost-models --profile NAME` shows the figures.
    """
