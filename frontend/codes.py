"""The error codes of the frontend, CH001 to CH199. Each docstring is the page that `bertha explain` shows."""

from __future__ import annotations

from bertha_ir.diagnostics import Code


class CH001Unreadable(Code):
    """A file cannot be read.

    What: The file named on the command line or by an `import` is missing, no regular file, or may not be read.

    Why: Nothing can be said about text that is not there.

    Example: `import "missing.chunnel";`

    Fix: Check the path; a path in an `import` is relative to the importing file.
    """


class CH002TooLarge(Code):
    """A file is larger than 1 MiB.

    What: The file holds more than 1,048,576 bytes.

    Why: A bound on the input bounds the compiler's time and memory.

    Example: A generated file with a million endpoints.

    Fix: Split the file and `import` the parts; large tables belong to the deployment, not to the text.
    """


class CH003NotUtf8(Code):
    r"""A file is not UTF-8.

    What: A byte sequence of the file is no UTF-8 text.

    Why: One encoding means one meaning of every name and string.

    Example: A file saved as Latin-1 or UTF-16.

    Fix: Save the file as UTF-8; write raw bytes in strings as `\x80`.
    """


class CH004NestedTooDeep(Code):
    """Something is nested more than 200 deep.

    What: Brackets, operators or blocks lie more than 200 deep in one another.

    Why: The bound keeps every stage's recursion finite.

    Example: `((((…))))` with 300 parentheses, or one sum of 300 terms.

    Fix: Name inner parts with `let`.
    """


class CH005Unexpected(Code):
    """The text does not follow the grammar.

    What: A word or sign stands where the grammar allows none of its kind, or a declaration ends too early.

    Why: What cannot be read has no meaning.

    Example: `m.dst = shards[0]` without the `;`.

    Fix: The help lists what could have stood there.
    """


class CH006UnknownDeclaration(Code):
    """A word begins no declaration.

    What: At the top of a file, the word is none of `import`, `endpoint`, `message`, `chunnel`, `stack`, `device`,
    `link`, `run`, `policy`.

    Why: Everything in a file belongs to one of these.

    Example: `mesage KvRequest { … }`

    Fix: Correct the word; the nearest one is suggested.
    """


class CH007NotYet(Code):
    """The language has this word, the compiler not yet.

    What: `select`, `fork`, `join`, `implementation`, `rule` and `workload` are reserved for parts of the language
    that are still to come.

    Why: Refusing is better than ignoring what was asked for.

    Example: `request: select { a | b } |> udp(1);`

    Fix: Write one chain of chunnels per direction.
    """


class CH008ImportCycle(Code):
    """Files import each other in a circle.

    What: An `import` leads back to a file that is being read.

    Why: The order of declarations would have no beginning.

    Example: `a.chunnel` imports `b.chunnel`, which imports `a.chunnel`.

    Fix: Move what both need into a third file.
    """


class CH009ImportOutside(Code):
    """An import leaves the folder of the first file.

    What: The imported path, links followed, is not below the folder of the first file on the command line.

    Why: Compiling a specification from elsewhere must not read other files of the machine.

    Example: `import "../../etc/passwd";`

    Fix: Copy the file into the folder.
    """


class CH010NothingDeclared(Code):
    """A file declares nothing.

    What: The file is empty, or holds comments alone.

    Why: It is most likely not the file that was meant.

    Example: An empty `kv.chunnel`.

    Fix: Name another file, or declare something.
    """


class CH011Duplicate(Code):
    """A name is declared twice.

    What: Two declarations of one kind, two fields, parameters, states or handlers have the same name.

    Why: A use could mean either.

    Example: `endpoint a = 10.0.0.1:1; endpoint a = 10.0.0.1:2;`

    Fix: Rename one. Names of the standard library count too.
    """


class CH012UnknownName(Code):
    """A name is used that nothing declares.

    What: No declaration in sight has the name.

    Why: A misspelt name is the commonest mistake; guessing would hide it.

    Example: `m.dst = shrads[0];`

    Fix: Correct the name; the nearest one is suggested.
    """


class CH013Reserved(Code):
    """A name is a keyword of C, P4 or Python.

    What: The declared name is a keyword of a language that Bertha generates, or a word with a meaning of its own
    in bodies.

    Why: Generated code should use the names of the source.

    Example: `endpoint register = 10.0.0.1:1;`

    Fix: Choose another name, for example with an underscore behind it.
    """


class CH014NameTooLong(Code):
    """A name is longer than 64 characters.

    What: The identifier has more than 64 characters.

    Why: Names become identifiers and file names on every target, some of which have short limits.

    Example: A generated name of 300 letters.

    Fix: Shorten it.
    """


class CH020BadLiteral(Code):
    r"""A literal has no value.

    What: A number, address, prefix, port or escape is out of its range or ill-formed.

    Why: It would have to be changed silently to mean anything.

    Example: `10.0.0.300`, `10.1.0.0/8`, `"\q"`

    Fix: Write a value in range, as the help says.
    """


class CH021UnknownType(Code):
    """A word names no type.

    What: The type is none of `u1` … `u128`, `bool`, `bytes`, `mac`, `ipv4`, `ipv6`, `endpoint`, `list`, `map`,
    `prefixes`, `ranges`, `secret`, `field`, `message`.

    Why: Sizes and meanings are read off the type.

    Example: `key: uint64;`

    Fix: Use one of the types above; the nearest one is suggested.
    """


class CH022MissingBound(Code):
    """A table has no bound.

    What: A `list`, `map`, `prefixes` or `ranges` does not say how many entries it holds at most.

    Why: Devices reserve the memory of every table; bodies must be total.

    Example: `state hits: map[u32 -> u64];`

    Fix: Write the bound behind a semicolon: `map[u32 -> u64; 1024]`.
    """


class CH023BadType(Code):
    """A type does not make sense here.

    What: A size or bound is zero, too large or upside down, or this kind of type cannot be used in this place.

    Why: Layouts and tables are laid out from types.

    Example: `list[u8; 4..1]`, a field of type `map[…]`

    Fix: Give a size from 1 up, the low bound first, or a type that the place allows.
    """


class CH024NotWholeBytes(Code):
    """The fixed part of a message is not a whole number of bytes.

    What: The widths of the fields before the tail do not sum to a multiple of eight.

    Why: Messages lie on byte boundaries.

    Example: `message M { a: u3; }`

    Fix: Add a reserved field of the missing bits.
    """


class CH025TailNotLast(Code):
    """An unbounded field is not the last one.

    What: A `bytes` field without a size has fields behind it.

    Why: Where those fields begin would depend on the data.

    Example: `message M { rest: bytes; a: u8; }`

    Fix: Move it to the end, or give it a size.
    """


class CH026BadRule(Code):
    """A field's rule does not fit its type.

    What: `is length` needs an integer, `is checksum` a u16 over `header` or `pseudo`, and a constant must fit the
    field.

    Why: The layout's rules are what parsers check and pushes write.

    Example: `a: u4 = 16;`

    Fix: Correct the type or the rule.
    """


class CH027MessageCycle(Code):
    """A message lies over itself.

    What: Following `over` from the message leads back to it.

    Why: A packet would have infinitely many headers.

    Example: `message A over B { … } message B over A { … }`

    Fix: Remove one `over`.
    """


class CH028EmptyMessage(Code):
    """A message has no fields.

    What: Nothing is declared between the braces.

    Why: An empty layout cannot be told from any other.

    Example: `message M { }`

    Fix: Declare at least one field.
    """


class CH030TypeMismatch(Code):
    """A value has another type than the place it goes to.

    What: A boolean, an endpoint, bytes or a number stands where another type is needed.

    Why: Values are never converted silently.

    Example: `m.dst = 5;`

    Fix: Give a value of the type that the message names.
    """


class CH031WidthMismatch(Code):
    """Two integers of different width meet.

    What: The operands of an operator, or a value and its target, have different widths.

    Why: Silent widening or cutting hides overflow, and targets differ in how they do it.

    Example: `hits[m.by] += ipv4_length;` of u64 and u16

    Fix: Convert one with `as`, as the help shows.
    """


class CH032DoesNotFit(Code):
    """A constant does not fit its type.

    What: The number needs more bits than its context has.

    Why: It would wrap silently.

    Example: `m.udp.dst_port = 70000;`

    Fix: Use a smaller number or a wider type.
    """


class CH033NoWidth(Code):
    """A number has no width.

    What: Nothing around the number says how many bits it has.

    Why: Arithmetic wraps at the width, so the width is part of the meaning.

    Example: `let x = 5;`

    Fix: Write `let x: u32 = 5;` or `5 as u32`.
    """


class CH034NotACondition(Code):
    """A condition is no boolean.

    What: What `if`, `and`, `or` or `not` decides on has another type.

    Why: Numbers are not truth values here: `if x` could mean `x != 0` or a mistake.

    Example: `if m.flags { drop; }`

    Fix: Compare it: `m.flags != 0`.
    """


class CH035BadOperand(Code):
    """An operator does not take this operand.

    What: Arithmetic needs integers, order needs integers, `in` needs a table.

    Why: The operator has no meaning for the type.

    Example: `m.src + 1`

    Fix: Take a part of the value, or convert it.
    """


class CH036BadCast(Code):
    """A conversion is not possible.

    What: `as` converts between integers, and between `bytes[n]` and an integer of 8·n bits.

    Why: Anything else would need a rule nobody could guess.

    Example: `m.payload as u32`

    Fix: Read a field of a message instead.
    """


class CH037NotAssignable(Code):
    """The target cannot be assigned to.

    What: The left side is no field, address, payload, local or state, or the layout computes it.

    Why: A value would be lost, or the packet would contradict its own layout.

    Example: `m.ipv4.checksum = 0;`

    Fix: Assign to something else: lengths, checksums and constants are kept right by the compiler.
    """


class CH038MayMiss(Code):
    """A list is indexed without knowing that the index is in range.

    What: The index is neither a number below the list's low bound nor `… % len(list)`.

    Why: A body is total: an index out of range would have no meaning.

    Example: `m.dst = shards[m.key];`

    Fix: Write `shards[m.key % len(shards)]`.
    """


class CH039WrongArguments(Code):
    """A function is called with the wrong number of arguments.

    What: The primitive takes more or fewer.

    Why: Each argument has a meaning.

    Example: `fnv1a(m.key, 3)`

    Fix: Give as many as the message says.
    """


class CH040FailureIgnored(Code):
    """A call can fail and nothing says what then.

    What: The primitive refuses some inputs, and the call is not followed by `else`.

    Why: Broken input arrives from the network every day.

    Example: `m.payload = aead_open(key, m.payload);`

    Fix: Write `… else drop;`.
    """


class CH041CannotFail(Code):
    """There is an `else` behind something that cannot fail.

    What: Neither a fallible primitive nor a look-up that may miss stands in front of it.

    Why: The branch would never run.

    Example: `m.payload = zstd_compress(m.payload) else drop;`

    Fix: Remove the `else`.
    """


class CH042TailRead(Code):
    """The variable tail of a message is read as a field.

    What: The field has no fixed size.

    Why: Network devices read only the fixed part.

    Example: `fnv1a(m.KvRequest.value)`

    Fix: Read `m.payload` at an endpoint, or a field of the fixed part.
    """


class CH043NoMessage(Code):
    """There is no message here.

    What: A timer's body has no message to read or change.

    Why: It runs when time passes, not when something arrives.

    Example: `on timer(20 ms) { drop; }`

    Fix: Send with `emit`, or move the statement to another handler.
    """


class CH044BadRepeat(Code):
    """A loop's count is out of range.

    What: `repeat` takes a number from 1 to 1024.

    Why: Bodies are unrolled on devices that have no loops.

    Example: `repeat 0 { … }`

    Fix: Choose a count in range.
    """


class CH050UnknownGuarantee(Code):
    """A word names no guarantee.

    What: `provides`, `requires` and `require` take words of a closed set.

    Why: A misspelt guarantee would never be met, or always.

    Example: `provides ordred;`

    Fix: Use a known one; the nearest is suggested.
    """


class CH051BadClause(Code):
    """A clause of a chunnel does not make sense.

    What: A clause is repeated, or its word is unknown.

    Why: Two places or two units would contradict each other.

    Example: `place: everywhere;`

    Fix: Use one of the words that the help lists, once.
    """


class CH052EventNotAllowed(Code):
    """A handler cannot run at this place.

    What: On the path there are only `packet` handlers; `send`, `recv` and `timer` exist at endpoints.

    Why: A switch sees packets, not an application's sends.

    Example: `place: path; on send(m) { … }`

    Fix: Write `place: endpoint;`, or use `on packet`.
    """


class CH053MissingHandler(Code):
    """A handler is missing.

    What: A chunnel that needs both ends has no `send` or no `recv`, or a law names a handler that is not there.

    Why: One end would not undo what the other does.

    Example: `needs both ends; on send(m) { … }`

    Fix: Write the other handler, or remove the clause.
    """


class CH054BadLaw(Code):
    """A law has no known form.

    What: Laws are written `recv(send(m)) == m`: events applied to `m`, and `m`.

    Why: Only this form can be checked.

    Example: `law send(m);`

    Fix: Write it in that form.
    """


class CH055BadTransport(Code):
    """A transport does not say where its addresses lie.

    What: `src` and `dst` each need two fields, of 32 and 16 bits, of headers.

    Why: Without them no device could read or change a message's addresses.

    Example: `transport udp { src = (ipv4.src, udp.length); }`

    Fix: Give both as `(header.field, header.field)`.
    """


class CH060MissingArgument(Code):
    """A chunnel is used without an argument it needs.

    What: A parameter has no default and was not given.

    Why: There is no meaning without it.

    Example: `shard(key = KvRequest.key)`

    Fix: Give the argument by name.
    """


class CH061UnknownArgument(Code):
    """A chunnel has no such parameter.

    What: The name in front of `=` is no parameter of the chunnel.

    Why: It would be ignored.

    Example: `shard(keys = KvRequest.key, …)`

    Fix: Correct the name; the nearest is suggested.
    """


class CH062DuplicateArgument(Code):
    """An argument is given twice.

    What: Two arguments bind one parameter.

    Why: Only one could count.

    Example: `udp(1, port = 2)`

    Fix: Remove one.
    """


class CH063TooManyArguments(Code):
    """A chunnel is used with more arguments than it has parameters.

    What: There are more arguments by position than parameters.

    Why: The rest would be ignored.

    Example: `udp(1, 2)`

    Fix: Remove the ones behind.
    """


class CH064BadArgument(Code):
    """An argument is not what the parameter takes.

    What: The parameter wants a field, a message, a secret, a list, ranges, prefixes or a constant, and something
    else was given.

    Why: Arguments are fixed before a stack runs; only constants of the right kind can be.

    Example: `shard(key = 5, …)`

    Fix: Give what the help describes.
    """


class CH065OutOfBounds(Code):
    """A table has too many or too few entries.

    What: The argument's length is outside the bounds that the parameter declares.

    Why: Devices reserve memory for the bound, and bodies rely on the low one.

    Example: `shards = []` for `list[endpoint; 1..64]`

    Fix: Change the argument or the chunnel's bound.
    """


class CH066OverlappingRanges(Code):
    """Two ranges overlap, or one is upside down.

    What: A key would lie in both, or in none.

    Why: Look-ups must have one answer.

    Example: `["A".."M" -> low, "K".."Z" -> high]`

    Fix: Make the ranges disjoint, low end first.
    """


class CH067BadRing(Code):
    """A Maglev ring cannot be built.

    What: `maglev(list, size)` needs a list parameter and a prime size, larger than the list, within the ring's
    bound.

    Why: The construction covers every row only for a prime size.

    Example: `maglev(backends, 1000)`

    Fix: Choose a prime such as 251 or 1021.
    """


class CH070NoTransport(Code):
    """A direction does not end in a transport.

    What: The last chunnel of the chain has no `transport` clause.

    Why: Nothing would put the messages on the wire.

    Example: `request: serialize(KvRequest);`

    Fix: End with `udp(port)` or `tcp(port)`.
    """


class CH071TransportNotLast(Code):
    """A transport stands in the middle of a chain.

    What: A chunnel with a `transport` clause is followed by another.

    Why: Below a transport there is only the network.

    Example: `request: udp(1) |> encrypt(…) |> udp(2);`

    Fix: Move it to the end.
    """


class CH072BadDirection(Code):
    """A stack's directions are not right.

    What: A direction is unknown, repeated or, for `request`, missing.

    Why: A connection has exactly two: `request` and `response`.

    Example: `requst: udp(1);`

    Fix: Name them `request` and `response`.
    """


class CH073BadPreference(Code):
    """A stack prefers an unknown objective.

    What: `prefer` takes `latency`, `throughput`, `cpu` or `energy`, once.

    Why: The planner minimizes exactly one.

    Example: `prefer speed;`

    Fix: Use one of the four.
    """


class CH080UnknownKind(Code):
    """A device has an unknown kind.

    What: Devices are `host`, `kernel`, `smartnic` or `switch`.

    Why: The kind decides which artifacts it can run.

    Example: `device tor: swich { }`

    Fix: Correct the word; the nearest is suggested.
    """


class CH081BadAttribute(Code):
    """An attribute's value does not make sense.

    What: The unit is unknown, the value is not whole in base units, or the attribute is repeated.

    Why: Costs and limits are computed from these figures.

    Example: `rate 10 Gbits;`

    Fix: Use a unit such as `Gbit/s`, `MiB`, `ns`.
    """


class CH082NoKernel(Code):
    """Only hosts have a kernel.

    What: `kernel(x)` names something that is no host.

    Why: The kernel is where XDP and TC programs run, on a host.

    Example: `prefer shard on [kernel(tor)];`

    Fix: Name a host.
    """


class CH083UnknownEnd(Code):
    """A stack has no such end.

    What: The word behind the stack's name is none of its two ends.

    Why: Each end runs somewhere, and only those two.

    Example: `run kv.clients on h1;`

    Fix: Use one of the names in the stack's parentheses.
    """
