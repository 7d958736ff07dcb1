"""The pass `rules`: what users say may be replaced is replaced, once it is proved, and never otherwise."""

import pytest
from compiling import compiled

from bertha_ir import api
from bertha_ir.diagnostics import BerthaError

TWICE = "rule twice: compress |> compress => compress;\n"
SEALED = "rule sealed(k: secret[32]): encrypt(k) |> encrypt(k) => encrypt(k);\n"
MARKS = "rule last(x: u8, y: u8): tag(Query.kind, x) |> tag(Query.kind, y) => tag(Query.kind, y) over wire;\n"
SMALL = "rule small(x: u32, y: u32): fault(x) |> fault(y) => fault(x) over wire where x >= 1000 and y < 7;\n"
WRONG = "rule wrong(x: u8, y: u8): tag(Query.kind, x) |> tag(Query.kind, y) => tag(Query.kind, x) over wire;\n"
LOST = 'rule lost: encrypt(secret("a")) |> compress => compress;\n'
CIRCLE = """
rule there: tag(Query.kind, 1) |> tag(Query.flags, 2) => tag(Query.flags, 2) |> tag(Query.kind, 1) over wire;
rule back: tag(Query.flags, 2) |> tag(Query.kind, 1) => tag(Query.kind, 1) |> tag(Query.flags, 2) over wire;
"""


def ruled(request: str, rules: str) -> list[str]:
    built = compiled(request + " |> udp(4242)", more=rules, site="", pipeline="plan")
    (stack,) = dict(built.snapshots)["after rules"].stacks if rules else built.specification.stacks
    names = [i.id for d in stack.directions if d.name == "request" for i in d.instances]
    return names[:-1]


@pytest.mark.parametrize(
    ("request_", "rules", "left"),
    [
        ("compress |> compress", TWICE, ["compress"]),
        ("compress |> compress |> compress |> compress", TWICE, ["compress"]),
        ('encrypt(secret("a")) |> encrypt(secret("a"))', SEALED, ["encrypt"]),
        ('encrypt(secret("a")) |> encrypt(secret("b"))', SEALED, ["encrypt", "encrypt_2"]),
        ("tag(Query.kind, 1) |> tag(Query.kind, 2)", MARKS, ["tag_2"]),
        ("tag(Query.kind, 1) |> tag(Query.flags, 2)", MARKS, ["tag", "tag_2"]),
        ("fault(1000) |> fault(1)", SMALL, ["fault"]),
        ("fault(999) |> fault(1)", SMALL, ["fault", "fault_2"]),
        ("compress |> compress |> shard(Query.wide, [a, c])", "", None),
    ],
)
def test_a_rule_applies_where_it_matches(request_, rules, left):
    """Parameters are bound to the same value everywhere, conditions are met, what is kept keeps its name."""
    if left is None:
        with pytest.raises(BerthaError, match="CH201"):
            ruled(request_, rules)
        return
    assert ruled(request_, rules) == left


def test_each_use_is_in_the_ledger_with_its_certificate():
    """One entry for each part that was proved; the artifact has the texts."""
    built = compiled("compress |> compress |> udp(4242)", more=TWICE, site="")
    (entry,) = built.plans[0].ledger
    assert (entry.rewrite, entry.equivalence) == (
        "request: compress |> compress becomes compress, rule twice",
        "end-to-end",
    )
    assert f"proofs/{entry.certificate}.smt2" in api.artifact(built)


def test_the_rewritten_stack_means_the_same():
    """Both ends run what is left: a record that goes in comes out."""
    built = compiled("serialize(Query) |> compress |> compress |> udp(4242)", more=TWICE, site="")
    sources = "".join(body.decode() for name, body in api.artifact(built).items() if "request" in name)
    assert sources.count("zstd_compress(") == 1
    assert sources.count("zstd_decompress(") == 1


@pytest.mark.parametrize(
    ("request_", "rules", "why"),
    [
        ("tag(Query.kind, 1) |> tag(Query.kind, 2)", WRONG, "the rule `wrong` is refuted: sending"),
        ('encrypt(secret("a")) |> compress', LOST, "`authentic` is no longer provided; `boundaries` is no longer"),
        ("tag(Query.kind, 1) |> tag(Query.flags, 2)", CIRCLE, "rules go round in circles here: `back`, `there`"),
    ],
)
def test_what_is_not_proved_is_not_applied(request_, rules, why):
    """A wrong rule is an error where it would be applied, with the part that is refuted; so are rules without end."""
    with pytest.raises(BerthaError) as caught:
        ruled(request_, rules)
    (found,) = caught.value.diagnostics
    assert why in found.message
    assert found.code.number() in {"CH215", "CH216"}


def test_a_wrong_rule_that_matches_nowhere_is_not_asked_about():
    """Nothing is proved that nobody wants to use."""
    assert ruled("tag(Query.kind, 1)", WRONG) == ["tag"]


def test_what_reads_on_the_path_keeps_what_it_reads():
    """A rule between the ends would change the bytes that a chunnel below reads; it is not applied above one."""
    header = """message stamp { number: u16; }
    chunnel stamped(n: u16) { place: endpoint; needs both ends;
      on send(m) { push stamp { number = n }; } on recv(m) { pop stamp else drop; } }
    rule plain(n: u16): stamped(n) => stamped(7);
    """
    assert ruled("stamped(7) |> count(stamp.number)", header) == ["stamped", "count"]
