"""measure: programs count the messages that each op met, and those that went on; the plan is the same."""

from compiling import SITE, compiled
from frames import frame

from bertha_ir.interpreter.program import Machine
from bertha_ir.measured import counters

CHAIN = "firewall([10.9.0.0/16]) |> tag(where = ipv4.dscp, mark = 7) |> udp(4242)"
POLICY = "policy { prefer firewall on [kernel(h1)]; prefer tag on [kernel(h1)]; }"


def programs(pipeline: str):
    built = compiled(CHAIN, response="udp(4242)", site=SITE + POLICY, pipeline=pipeline)
    (plan,) = built.plans
    return plan, next(p.program for p in built.programs if p.program.hook == "ingress" and p.program.device == "h1")


def test_each_op_counts_what_it_met_and_what_went_on():
    """The filter meets all and keeps some; what follows meets those; nothing else of the messages is changed."""
    (_, plain), (_, measured) = programs("default"), programs("measured")
    one, other = Machine(plain), Machine(measured)
    for number in range(20):
        source = 0x0A090009 if number % 4 == 0 else 0x0A000009
        data = frame((source, 5555), (0x0A000001, 4242), bytes(40))
        before, after = one.run(data), other.run(data)
        assert (before.verdict, before.data) == (after.verdict, after.data)

    def counted(op: str) -> tuple[int, int]:
        names = counters("app", "request", op)
        return tuple(other.states.get(name, ())[0] for name in (names.met, names.kept))

    assert counted("firewall.packet") == (20, 15)
    assert counted("tag.packet") == (15, 15)


def test_the_plan_is_the_same():
    """Ends that measure and ends that do not understand each other."""
    assert programs("default")[0].id == programs("measured")[0].id
