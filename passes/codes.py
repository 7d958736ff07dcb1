"""The mistakes that the passes find."""

from bertha_ir.diagnostics import Code


class CH200GuaranteeMissing(Code):
    """a guarantee that nothing below provides.

    What: a chunnel or a stack requires a guarantee (`ordered`, `reliable`, …) that no chunnel below it provides.
    Why: the chunnel's meaning depends on it; over a transport without it, messages would be lost or misread.
    Example: `http2 |> udp(4242)`: HTTP/2 frames need an ordered, reliable stream, and UDP gives neither.
    Fix: put a chunnel that provides the guarantee below (`order`, `reliable`), or use another transport (`tcp`).
    """


class CH201FieldHidden(Code):
    """a field that cannot be read at this place of the stack.

    What: an op reads a field of a message whose bytes are not readable where the op stands.
    Why: a chunnel above it (encryption, compression) turned them into other bytes, or the message is another one.
    Example: `encrypt(k) |> shard(key = KvRequest.key, …)`: below `encrypt` the key is ciphertext.
    Fix: move the op above the chunnel that hides the field, or name a field that is readable there.
    """


class CH202ReplyCannotBeUndone(Code):
    """a rewritten destination whose replies cannot be told apart.

    What: an op on the path sends requests to a destination that is not one of a finite list known at compile time.
    Why: replies must leave with the service's own address; which source addresses to undo must be known.
    Example: `on packet(m) { m.dst = endpoint(m.src.ip, 9000); }` in a stack with a response direction.
    Fix: choose the destination from a list or ranges parameter, or leave out the response direction.
    """


class CH203NowhereToRun(Code):
    """an op that no device of the site can run.

    What: every device on the path refuses the op: by its place, by policy, by what it lacks, or by its capabilities.
    Why: a stack without one of its ops would mean something else.
    Example: a `path` chunnel over state that a switch cannot hold, with `deny` on every host.
    Fix: read each device's reason; relax the policy, add a device, or change the chunnel.
    """


class CH204EndNotPlaced(Code):
    """a stack whose ends the site does not place.

    What: the site has devices, but no `run STACK.END on DEVICE;` for both ends of a stack.
    Why: without it neither the path between the ends nor the service's address is known.
    Example: a site with hosts `h1`, `c1` and no `run kv.server on h1;`.
    Fix: say where each end runs.
    """


class CH205NoPath(Code):
    """two ends that no links connect.

    What: the devices that run the ends of a stack are not connected by the site's links.
    Why: no message could get from one to the other.
    Example: `run kv.client on c1;` where no `link` names `c1`.
    Fix: add the missing link.
    """


class CH206TableElement(Code):
    """a table whose elements no device table can hold.

    What: a list or ranges argument has elements that are neither integers of at most 128 bits nor endpoints.
    Why: tables of devices hold fixed-width words.
    Example: `chunnel pick(names: list[bytes[32]; 1..8])`.
    Fix: use integers, short byte strings (up to 16 bytes) or endpoints.
    """


class CH207EndCannotRun(Code):
    """an endpoint chunnel that the host cannot run.

    What: the fallback of a chunnel that runs at an end of the connection uses what no host backend provides.
    Why: the host is where every endpoint op runs when nothing else does.
    Example: a handler that reads a header of the network at an endpoint.
    Fix: change the handler; the underlined place is what the backend refuses.
    """


class CH208ParseConflict(Code):
    """two messages that a device cannot tell apart.

    What: stacks that share a device lay different messages over packets that look alike up to there.
    Why: a parser goes one way only; the other stack's op would never see its packets.
    Example: two stacks on one port whose requests are different messages.
    Fix: give the stacks different ports, or run them on different devices.
    """


class CH209TwoViews(Code):
    """two messages laid over the same bytes.

    What: ops of one direction read fields of different messages where the application sends bytes of its own.
    Why: a device's parser extracts one header at a place; it cannot see the same bytes as two.
    Example: `steer(by = MemcachedGet.key0, …) |> tag(field = Other.flags, …)` without a `serialize` above them.
    Fix: use fields of one message, or let `serialize` say what the bytes are.
    """


class CH210BadPipeline(Code):
    """a pipeline that does not fit together.

    What: the pipeline names a pass that does not exist, gives it an option it does not have, runs it before what it
    needs has been established, or stops before what the command is asked for: a plan, or an artifact.
    Why: a pass relies on what earlier ones guarantee.
    Example: `--pipeline place,expand`: placing needs the expanded ops.
    Fix: see `bertha passes` for the passes, their needs, and the pipelines that come with Bertha.
    """


class CH211UnknownStack(Code):
    """a stack that no file declares.

    What: `--stack` names a stack that none of the files declares.
    Why: there is nothing to compile under that name.
    Example: `bertha compile kv.chunnel --stack vk -o out`.
    Fix: use one of the names that the message lists.
    """


class CH212NoCost(Code):
    """a device that the cost model cannot price.

    What: a device of the site names a profile that does not exist, or the profile is malformed.
    Why: figures for the device would have to be made up.
    Example: `device tor: switch { profile "tofino-9"; }`.
    Fix: name one of the profiles that the message lists, or leave the attribute out.
    """


class CH215RuleNotProved(Code):
    """a rule that is applied and not proved.

    What: a chain of a stack matches a rule's left side, and the prover refutes the rule or does not settle it.
    Why: nothing is rewritten that is not proved.
    Example: `rule deaf: firewall([10.0.0.0/8]) |> count(ipv4.dscp) => count(ipv4.dscp);`
    Fix: `bertha prove --rule NAME --file FILE` shows a message on which the sides differ; mend the rule, give it a
    condition, or leave it out.
    """


class CH216RulesLoop(Code):
    """rules that undo one another.

    What: rules went on replacing parts of one chain without coming to an end.
    Why: a compiler that does not stop helps nobody.
    Example: `rule there: compress |> http2 => http2 |> compress;`, and one that goes back.
    Fix: leave out one of the rules that the message names, or give it a condition.
    """


class CH217BranchesMeet(Code):
    """branches of a fork that are not independent.

    What: it is not proved that a chunnel of one branch and one of another may trade places.
    Why: a fork says that its branches run in any order, or at the same time; then the outcome would be left to chance.
    Example: `fork { count(by = udp.src_port) | firewall(deny = [10.0.0.0/8]) }`: does it count what is dropped?
    Fix: write the two in the order that is meant, `a |> b`.
    """


class CH214DemandNotMet(Code):
    """a stack that does not give what the operator demands where its messages pass.

    What: the site's policy requires a guarantee on a device, a stack's messages pass the device, and no chunnel of one
    of its directions provides the guarantee.
    Why: the operator has said that such messages may not pass there.
    Example: `policy { require confidential on tor; }`, and `request: serialize(KvRequest) |> udp(4242)`.
    Fix: add a chunnel that provides it, such as `encrypt(secret("key"))` for `confidential`.
    """


class CH213SwitchPort(Code):
    """a switch whose links do not say at which ports they are.

    What: a link that messages take through a programmed switch gives no `port`, or two links of one switch give the
    same.
    Why: a switch sends a frame to a port; without its number the program would drop every frame.
    Example: `link c1 <-> tor ethernet { rate 10 Gbit/s; }`
    Fix: give each link of the switch the number of the port that its cable is in: `port 1;`.
    """
