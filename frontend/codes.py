"""The error codes of the frontend, CH001 to CH199. Each docstring is the page that `bertha explain` shows."""

from __future__ import annotations

from bertha_ir.diagnostics import Code


class CH001Unreadable(Code):
    """a file cannot be read.

    What: the file named on the command line or by an `import` is missing, no regular file, or may not be read.
    Why: nothing can be said about text that is not there.
    Example: `import "missing.chunnel";`
    Fix: check the path; a path in an `import` is relative to the importing file.
    """


class CH002TooLarge(Code):
    """a file is larger than 1 MiB.

    What: the file holds more than 1,048,576 bytes.
    Why: a bound on the input bounds the compiler's time and memory.
    Example: a generated file with a million endpoints.
    Fix: split the file and `import` the parts; large tables belong to the deployment, not to the text.
    """


class CH003NotUtf8(Code):
    r"""a file is not UTF-8.

    What: a byte sequence of the file is no UTF-8 text.
    Why: one encoding means one meaning of every name and string.
    Example: a file saved as Latin-1 or UTF-16.
    Fix: save the file as UTF-8; write raw bytes in strings as `\x80`.
    """


class CH004NestedTooDeep(Code):
    """something is nested more than 200 deep.

    What: brackets, operators or blocks lie more than 200 deep in one another.
    Why: the bound keeps every stage's recursion finite.
    Example: `((((…))))` with 300 parentheses, or one sum of 300 terms.
    Fix: name inner parts with `let`.
    """


class CH005Unexpected(Code):
    """the text does not follow the grammar.

    What: a word or sign stands where the grammar allows none of its kind, or a declaration ends too early.
    Why: what cannot be read has no meaning.
    Example: `m.dst = shards[0]` without the `;`.
    Fix: the help lists what could have stood there.
    """


class CH006UnknownDeclaration(Code):
    """a word begins no declaration.

    What: at the top of a file, the word is none of `import`, `endpoint`, `message`, `chunnel`, `stack`, `device`,
    `link`, `run`, `policy`, `rule`, `implementation`, `workload`.
    Why: everything in a file belongs to one of these.
    Example: `mesage KvRequest { … }`
    Fix: correct the word; the nearest one is suggested.
    """


class CH007NotYet(Code):
    """the language has this word, the compiler not yet.

    What: the declarations `site` and `library` are reserved for parts of the language that are still to come.
    Why: refusing is better than ignoring what was asked for.
    Example: `site lab { }`
    Fix: declare devices, links and policy without a word around them.
    """


class CH008ImportCycle(Code):
    """files import each other in a circle.

    What: an `import` leads back to a file that is being read.
    Why: the order of declarations would have no beginning.
    Example: `a.chunnel` imports `b.chunnel`, which imports `a.chunnel`.
    Fix: move what both need into a third file.
    """


class CH009ImportOutside(Code):
    """an import leaves the folder of the first file.

    What: the imported path, links followed, is not below the folder of the first file on the command line.
    Why: compiling a specification from elsewhere must not read other files of the machine.
    Example: `import "../../etc/passwd";`
    Fix: copy the file into the folder.
    """


class CH010NothingDeclared(Code):
    """a file declares nothing.

    What: the file is empty, or holds comments alone.
    Why: it is most likely not the file that was meant.
    Example: an empty `kv.chunnel`.
    Fix: name another file, or declare something.
    """


class CH011Duplicate(Code):
    """a name is declared twice.

    What: two declarations of one kind, two fields, parameters, states or handlers have the same name.
    Why: a use could mean either.
    Example: `endpoint a = 10.0.0.1:1; endpoint a = 10.0.0.1:2;`
    Fix: rename one. Names of the standard library count too.
    """


class CH012UnknownName(Code):
    """a name is used that nothing declares.

    What: no declaration in sight has the name.
    Why: a misspelt name is the commonest mistake; guessing would hide it.
    Example: `m.dst = shrads[0];`
    Fix: correct the name; the nearest one is suggested.
    """


class CH013Reserved(Code):
    """a name is a keyword of C, P4 or Python.

    What: the declared name is a keyword of a language that Bertha generates, or a word with a meaning of its own
    in bodies.
    Why: generated code should use the names of the source.
    Example: `endpoint register = 10.0.0.1:1;`
    Fix: choose another name, for example with an underscore behind it.
    """


class CH014NameTooLong(Code):
    """a name is longer than 64 characters.

    What: the identifier has more than 64 characters.
    Why: names become identifiers and file names on every target, some of which have short limits.
    Example: a generated name of 300 letters.
    Fix: shorten it.
    """


class CH015TooMany(Code):
    """there are a thousand mistakes.

    What: the run stopped at the thousandth mistake.
    Why: a file of nothing but mistakes is most likely not what was meant, and checking the rest would take long.
    Example: a binary file that happens to be text.
    Fix: mend the mistakes that are shown, and run again.
    """


class CH016NotOfASite(Code):
    """a declaration that a question about another site cannot hold.

    What: `--what-if` was given an import, a message, an endpoint, a chunnel, a stack or a rule.
    Why: the question is what the same stacks become on another site; with other stacks, two plans are not comparable.
    Example: `bertha plan kv.chunnel --what-if 'stack kv(a, b) { request: udp(1); }'`
    Fix: give devices, links, `run`, policies, implementations or workloads; for another stack, plan another file.
    """


class CH020BadLiteral(Code):
    r"""a literal has no value.

    What: a number, address, prefix, port or escape is out of its range or ill-formed.
    Why: it would have to be changed silently to mean anything.
    Example: `10.0.0.300`, `10.1.0.0/8`, `"\q"`
    Fix: write a value in range, as the help says.
    """


class CH021UnknownType(Code):
    """a word names no type.

    What: the type is none of `u1` … `u128`, `bool`, `bytes`, `mac`, `ipv4`, `ipv6`, `endpoint`, `list`, `map`,
    `prefixes`, `ranges`, `secret`, `field`, `message`.
    Why: sizes and meanings are read off the type.
    Example: `key: uint64;`
    Fix: use one of the types above; the nearest one is suggested.
    """


class CH022MissingBound(Code):
    """a table has no bound.

    What: a `list`, `map`, `prefixes` or `ranges` does not say how many entries it holds at most.
    Why: devices reserve the memory of every table; bodies must be total.
    Example: `state hits: map[u32 -> u64];`
    Fix: write the bound behind a semicolon: `map[u32 -> u64; 1024]`.
    """


class CH023BadType(Code):
    """a type does not make sense here.

    What: a size or bound is zero, too large or upside down, or this kind of type cannot be used in this place.
    Why: layouts and tables are laid out from types.
    Example: `list[u8; 4..1]`, a field of type `map[…]`
    Fix: give a size from 1 up, the low bound first, or a type that the place allows.
    """


class CH024NotWholeBytes(Code):
    """the fixed part of a message is not a whole number of bytes.

    What: the widths of the fields before the tail do not sum to a multiple of eight.
    Why: messages lie on byte boundaries.
    Example: `message M { a: u3; }`
    Fix: add a reserved field of the missing bits.
    """


class CH025TailNotLast(Code):
    """an unbounded field is not the last one.

    What: a `bytes` field without a size has fields behind it.
    Why: where those fields begin would depend on the data.
    Example: `message M { rest: bytes; a: u8; }`
    Fix: move it to the end, or give it a size.
    """


class CH026BadRule(Code):
    """a field's rule does not fit its type.

    What: `is length` needs an integer, `is checksum` a u16 over `header` or `pseudo`, and a constant must fit the
    field.
    Why: the layout's rules are what parsers check and pushes write.
    Example: `a: u4 = 16;`
    Fix: correct the type or the rule.
    """


class CH027MessageCycle(Code):
    """a message lies over itself.

    What: following `over` from the message leads back to it.
    Why: a packet would have infinitely many headers.
    Example: `message A over B { … } message B over A { … }`
    Fix: remove one `over`.
    """


class CH028EmptyMessage(Code):
    """a message has no fields.

    What: nothing is declared between the braces.
    Why: an empty layout cannot be told from any other.
    Example: `message M { }`
    Fix: declare at least one field.
    """


class CH030TypeMismatch(Code):
    """a value has another type than the place it goes to.

    What: a boolean, an endpoint, bytes or a number stands where another type is needed.
    Why: values are never converted silently.
    Example: `m.dst = 5;`
    Fix: give a value of the type that the message names.
    """


class CH031WidthMismatch(Code):
    """two integers of different width meet.

    What: the operands of an operator, or a value and its target, have different widths.
    Why: silent widening or cutting hides overflow, and targets differ in how they do it.
    Example: `hits[m.by] += ipv4_length;` of u64 and u16
    Fix: convert one with `as`, as the help shows.
    """


class CH032DoesNotFit(Code):
    """a constant does not fit its type.

    What: the number needs more bits than its context has.
    Why: it would wrap silently.
    Example: `m.udp.dst_port = 70000;`
    Fix: use a smaller number or a wider type.
    """


class CH033NoWidth(Code):
    """a number has no width.

    What: nothing around the number says how many bits it has.
    Why: arithmetic wraps at the width, so the width is part of the meaning.
    Example: `let x = 5;`
    Fix: write `let x: u32 = 5;` or `5 as u32`.
    """


class CH034NotACondition(Code):
    """a condition is no boolean.

    What: what `if`, `and`, `or` or `not` decides on has another type.
    Why: numbers are not truth values here: `if x` could mean `x != 0` or a mistake.
    Example: `if m.flags { drop; }`
    Fix: compare it: `m.flags != 0`.
    """


class CH035BadOperand(Code):
    """an operator does not take this operand.

    What: arithmetic needs integers, order needs integers, `in` needs a table.
    Why: the operator has no meaning for the type.
    Example: `m.src + 1`
    Fix: take a part of the value, or convert it.
    """


class CH036BadCast(Code):
    """a conversion is not possible.

    What: `as` converts between integers, and between `bytes[n]` and an integer of 8·n bits.
    Why: anything else would need a rule nobody could guess.
    Example: `m.payload as u32`
    Fix: read a field of a message instead.
    """


class CH037NotAssignable(Code):
    """the target cannot be assigned to.

    What: the left side is no field, address, payload, local or state, or the layout computes it.
    Why: a value would be lost, or the packet would contradict its own layout.
    Example: `m.ipv4.checksum = 0;`
    Fix: assign to something else: lengths, checksums and constants are kept right by the compiler.
    """


class CH038MayMiss(Code):
    """a list is indexed without knowing that the index is in range.

    What: the index is neither a number below the list's low bound nor `… % len(list)`.
    Why: a body is total: an index out of range would have no meaning.
    Example: `m.dst = shards[m.key];`
    Fix: write `shards[m.key % len(shards)]`.
    """


class CH039WrongArguments(Code):
    """a function is called with the wrong number of arguments.

    What: the primitive takes more or fewer.
    Why: each argument has a meaning.
    Example: `fnv1a(m.key, 3)`
    Fix: give as many as the message says.
    """


class CH040FailureIgnored(Code):
    """a call can fail and nothing says what then.

    What: the primitive refuses some inputs, and the call is not followed by `else`.
    Why: broken input arrives from the network every day.
    Example: `m.payload = aead_open(key, m.payload);`
    Fix: write `… else drop;`.
    """


class CH041CannotFail(Code):
    """there is an `else` behind something that cannot fail.

    What: neither a fallible primitive nor a look-up that may miss stands in front of it.
    Why: the branch would never run.
    Example: `m.payload = zstd_compress(m.payload) else drop;`
    Fix: remove the `else`.
    """


class CH042TailRead(Code):
    """the variable tail of a message is read as a field.

    What: the field has no fixed size.
    Why: network devices read only the fixed part.
    Example: `fnv1a(m.KvRequest.value)`
    Fix: read `m.payload` at an endpoint, or a field of the fixed part.
    """


class CH043NoMessage(Code):
    """there is no message here.

    What: a timer's body has no message to read or change.
    Why: it runs when time passes, not when something arrives.
    Example: `on timer(20 ms) { drop; }`
    Fix: send with `emit`, or move the statement to another handler.
    """


class CH044BadRepeat(Code):
    """a loop's count is out of range.

    What: `repeat` takes a number from 1 to 1024.
    Why: bodies are unrolled on devices that have no loops.
    Example: `repeat 0 { … }`
    Fix: choose a count in range.
    """


class CH045GoesOn(Code):
    """a body goes on without a header it wanted to pop.

    What: the branch behind `pop … else` does not end with `drop` or `bounce`.
    Why: behind the `pop`, the header's fields can be read; that branch has none.
    Example: `pop vxlan else { let x: u8 = 1; }`
    Fix: end the branch with `drop;` or `bounce;`.
    """


class CH046NotThere(Code):
    """a header's field is read where the header may not be there.

    What: the body pushes or pops the header, but not before this place on every way that leads here.
    Why: its bytes would be those of something else.
    Example: `let n = m.vxlan.vni; pop vxlan else drop;`
    Fix: read the field behind the `push` or `pop`, in the same block.
    """


class CH050UnknownGuarantee(Code):
    """a word names no guarantee.

    What: `provides`, `requires` and `require` take words of a closed set.
    Why: a misspelt guarantee would never be met, or always.
    Example: `provides ordred;`
    Fix: use a known one; the nearest is suggested.
    """


class CH051BadClause(Code):
    """a clause of a chunnel does not make sense.

    What: a clause is repeated, or its word is unknown.
    Why: two places or two units would contradict each other.
    Example: `place: everywhere;`
    Fix: use one of the words that the help lists, once.
    """


class CH052EventNotAllowed(Code):
    """a handler cannot run at this place.

    What: on the path there are only `packet` and `reply` handlers; `send`, `recv` and `timer` exist at endpoints.
    Why: a switch sees packets, not an application's sends.
    Example: `place: path; on send(m) { … }`
    Fix: write `place: endpoint;`, or use `on packet`.
    """


class CH053MissingHandler(Code):
    """a handler is missing.

    What: a chunnel that needs both ends has no `send` or no `recv`, one with `reply` has no `packet`, or a law names
    a handler that is not there.
    Why: one end would not undo what the other does; and `reply` runs on the device that `packet` was placed on.
    Example: `needs both ends; on send(m) { … }`
    Fix: write the other handler, or remove the clause.
    """


class CH054BadLaw(Code):
    """a law has no known form.

    What: laws are written `recv(send(m)) == m`: events applied to `m`, and `m`.
    Why: only this form can be checked.
    Example: `law send(m);`
    Fix: write it in that form.
    """


class CH055BadTransport(Code):
    """a transport does not say where its addresses lie.

    What: `src` and `dst` each need two fields, of 32 and 16 bits, of headers.
    Why: without them no device could read or change a message's addresses.
    Example: `transport udp { src = (ipv4.src, udp.length); }`
    Fix: give both as `(header.field, header.field)`.
    """


class CH060MissingArgument(Code):
    """a chunnel is used without an argument it needs.

    What: a parameter has no default and was not given.
    Why: there is no meaning without it.
    Example: `shard(key = KvRequest.key)`
    Fix: give the argument by name.
    """


class CH061UnknownArgument(Code):
    """a chunnel has no such parameter.

    What: the name in front of `=` is no parameter of the chunnel.
    Why: it would be ignored.
    Example: `shard(keys = KvRequest.key, …)`
    Fix: correct the name; the nearest is suggested.
    """


class CH062DuplicateArgument(Code):
    """an argument is given twice.

    What: two arguments bind one parameter.
    Why: only one could count.
    Example: `udp(1, port = 2)`
    Fix: remove one.
    """


class CH063TooManyArguments(Code):
    """a chunnel is used with more arguments than it has parameters.

    What: there are more arguments by position than parameters.
    Why: the rest would be ignored.
    Example: `udp(1, 2)`
    Fix: remove the ones behind.
    """


class CH064BadArgument(Code):
    """an argument is not what the parameter takes.

    What: the parameter wants a field, a message, a secret, a list, ranges, prefixes or a constant, and something
    else was given.
    Why: arguments are fixed before a stack runs; only constants of the right kind can be.
    Example: `shard(key = 5, …)`
    Fix: give what the help describes.
    """


class CH065OutOfBounds(Code):
    """a table has too many or too few entries.

    What: the argument's length is outside the bounds that the parameter declares.
    Why: devices reserve memory for the bound, and bodies rely on the low one.
    Example: `shards = []` for `list[endpoint; 1..64]`
    Fix: change the argument or the chunnel's bound.
    """


class CH066OverlappingRanges(Code):
    """two ranges overlap, or one is upside down.

    What: a key would lie in both, or in none.
    Why: look-ups must have one answer.
    Example: `["A".."M" -> low, "K".."Z" -> high]`
    Fix: make the ranges disjoint, low end first.
    """


class CH067BadRing(Code):
    """a Maglev ring cannot be built.

    What: `maglev(list, size)` needs a list parameter and a prime size, larger than the list, within the ring's
    bound.
    Why: the construction covers every row only for a prime size.
    Example: `maglev(backends, 1000)`
    Fix: choose a prime such as 251 or 1021.
    """


class CH068RepeatedEndpoint(Code):
    """a list names one endpoint twice.

    What: two elements of a list of endpoints are the same address and port, perhaps under different names.
    Why: one back end would get twice its share, which is nearly always a slip of copying.
    Example: `shard(key = Kv.key, shards = [10.0.0.1:9001, 10.0.0.1:9001])`
    Fix: correct the second, or leave it out.
    """


class CH070NoTransport(Code):
    """a direction does not end in a transport.

    What: the last chunnel of the chain has no `transport` clause.
    Why: nothing would put the messages on the wire.
    Example: `request: serialize(KvRequest);`
    Fix: end with `udp(port)` or `tcp(port)`.
    """


class CH071TransportNotLast(Code):
    """a transport stands in the middle of a chain.

    What: a chunnel with a `transport` clause is followed by another, in a stack, a rule or an implementation.
    Why: below a transport there is only the network.
    Example: `request: udp(1) |> encrypt(…) |> udp(2);`
    Fix: move it to the end.
    """


class CH072BadDirection(Code):
    """a stack's directions are not right.

    What: a direction is unknown, repeated or, for `request`, missing; or a workload is of one that the stack lacks.
    Why: a connection has exactly two: `request` and `response`.
    Example: `requst: udp(1);`
    Fix: name them `request` and `response`.
    """


class CH073BadPreference(Code):
    """a stack prefers what is no objective, or a select what is no branch.

    What: `prefer` of a stack takes `latency`, `throughput` or `cpu`, once; that of a `select`, the chunnel with which
    exactly one of its branches begins, or `none`.
    Why: the planner minimizes exactly one objective, and tries exactly one branch first.
    Example: `prefer speed;`
    Fix: use one of the words that the help names.
    """


class CH074UnknownEquivalence(Code):
    """a rule claims an unknown equivalence.

    What: the word behind `over` is neither `wire` nor `ends`.
    Why: what is to be proved depends on who may tell the two chains apart: the network, or the ends alone.
    Example: `rule r: compress => compress over network;`
    Fix: write `over wire`, `over ends`, or nothing, which is `over ends`.
    """


class CH075NotScalar(Code):
    """a rule's parameter is no plain scalar.

    What: the parameter is no integer, truth value, endpoint or secret, or it has a default.
    Why: a rule holds for every value of its parameters, which the chain that it is applied to gives it.
    Example: `rule r(where: field): count(where) => count(where);`
    Fix: write a constant into the chains, and one rule for each.
    """


class CH076ParameterInTable(Code):
    """a rule's parameter is an entry of a table.

    What: a list, a set of prefixes or a set of ranges holds a parameter.
    Why: tables are constants; how their entries compare decides what a chunnel does.
    Example: `rule r(a: endpoint): shard(Kv.key, [a]) => rewrite(a, a);`
    Fix: write a constant.
    """


class CH077NotOnTheLeft(Code):
    """a rule's parameter does not occur in the left chain.

    What: no argument on the left of `=>` is the parameter.
    Why: the left chain is what is found in a stack; nothing else gives a parameter its value.
    Example: `rule r(mark: u6): compress => tag(ipv4.dscp, mark);`
    Fix: use the parameter on the left, or write a constant.
    """


class CH078ConditionVaries(Code):
    """a rule's condition reads time or chance.

    What: the condition behind `where` calls `now`, `random` or `nonce`.
    Why: a rule applies to a stack or it does not, whenever one looks.
    Example: `rule r(n: u32): http2(n) => http2(n) where random() < n;`
    Fix: say it with the parameters alone.
    """


class CH080UnknownKind(Code):
    """a device or a link has an unknown kind.

    What: devices are `host`, `kernel`, `smartnic` or `switch`, links `ethernet`, `loopback` or `pcie`.
    Why: the kind decides which artifacts and offloads a device can run, and what a link costs.
    Example: `device tor: swich { }`
    Fix: correct the word; the nearest is suggested.
    """


class CH081BadAttribute(Code):
    """an attribute's value does not make sense.

    What: of a device, a link or an implementation. The unit is unknown, missing or one of something else, the value is
    of another kind, not whole in base units or no line of text, or the attribute is repeated.
    Why: costs and limits are computed from these figures.
    Example: `rate 10 Gbits;`
    Fix: use a unit such as `Gbit/s`, `MiB`, `ns`.
    """


class CH082NoKernel(Code):
    """only hosts have a kernel.

    What: `kernel(x)` names something that is no host.
    Why: the kernel is where XDP and TC programs run, on a host.
    Example: `prefer shard on [kernel(tor)];`
    Fix: name a host.
    """


class CH083UnknownEnd(Code):
    """a stack has no such end.

    What: the word behind the stack's name is none of its two ends.
    Why: each end runs somewhere, and only those two.
    Example: `run kv.clients on h1;`
    Fix: use one of the names in the stack's parentheses.
    """


class CH084SharedAddress(Code):
    """two devices have one address.

    What: the `address`, or the `mac`, of a device is that of another, too.
    Why: frames and datagrams meant for the one would reach either; programs know a service by its address.
    Example: `device h1: host { address 10.0.0.1; }` and `device h2: host { address 10.0.0.1; }`
    Fix: give each device its own.
    """


class CH085NothingToPrefer(Code):
    """a preference that can never apply.

    What: a policy prefers devices for a chunnel that has no handler `on packet` or `on reply`.
    Why: codecs and transports run at the ends of a connection, which `run` places; no device is chosen for them.
    Example: `prefer serialize on [tor];`
    Fix: leave the line out.
    """


class CH086NotAssumed(Code):
    """nobody vouches for an implementation.

    What: an `implementation` has no `assumed "…"`, or it says that it is `proved`.
    Why: the maker of a device supplies it, and Bertha sees none of it, so that nothing of it can be proved; a plan that
    relies on it says on whose word.
    Example: `implementation nic_tls of encrypt |> tcp on smartnic { priority 10; }`
    Fix: write where it is promised: `assumed "vendor data sheet, section 4";`. Of chains of chunnels, a `rule` makes a
    claim that is proved.
    """


class CH087BadFact(Code):
    """a workload says what cannot be.

    What: a share is above 100 %, an exponent above 10, either has more digits than a thousandth needs, a size's mean is
    not between its least and its most, an item has the value of another, or something is said twice.
    Why: plans are chosen by these figures.
    Example: `workload kv.request { size 64..1500 mean 2000; firewall drops 120 %; }`
    Fix: write the figure that is measured, as the help says.
    """


class CH088NotInDirection(Code):
    """a workload speaks of a chunnel that its direction does not have.

    What: the stack's direction in front of the `{` has no such chunnel in its chain.
    Why: the figure would count for nothing.
    Example: `workload kv.response { firewall drops 30 %; }`, where only the request has a firewall
    Fix: move the line to the workload of the other direction, or correct the name.
    """


class CH089NotOnThePath(Code):
    """a fork has a chunnel that runs at the ends.

    What: between `fork {` and `}` stands a chunnel with a `send` or a `recv`.
    Why: what one end does, the other undoes in the opposite order, so its chunnels lie in one row.
    Example: `fork { encrypt(secret("k")) | count(by = udp.src_port) } |> udp(4242)`
    Fix: move it in front of the fork or behind it.
    """


class CH090TooManyAlternatives(Code):
    """a stack's selects have too many ways through them.

    What: the branches of all its `select`s, multiplied, are more than 8.
    Why: each way is a stack of its own, which is proved, planned and lowered.
    Example: four times `select { a | b }` in one stack
    Fix: leave branches out that no peer needs, or declare a second stack.
    """
