"""What may run on the path of a stream, whose packets are segments and not messages."""

import pytest
from compiling import MESSAGE, SITE, compiled

from bertha_ir.diagnostics import BerthaError

WHY = "segments of a stream, which need not begin where a message does"


@pytest.mark.parametrize(
    ("chain", "content"),
    [
        ("shard(key = Query.wide, shards = [a, c])", "`Query.wide`"),
        ("steer(by = Query.kind, ranges = [0..9 -> a], otherwise = c)", "`Query.kind`"),
        ("tag(where = Query.odd, mark = 1)", "`Query.odd`"),
        ("count(by = Query.kind)", "`Query.kind`"),
        ("limit(rate = 5, burst = 5, by = Query.id)", "`Query.id`"),
        ("large", "`payload`"),
    ],
)
def test_what_depends_on_content_is_refused_over_a_stream(chain: str, content: str) -> None:
    """By CH203 with one reason for every device, at the op; the same over datagrams is no mistake of this kind."""
    more = "chunnel large() { place: path; on packet(m) { if size(m.payload) > 900 { drop; } } }"
    with pytest.raises(BerthaError) as caught:
        compiled(f"{chain} |> tcp(4242)", more=more, response="tcp")
    (found,) = caught.value.diagnostics
    assert (found.code.number(), found.span.text) == ("CH203", chain)
    where = "kernel(c1), tor, kernel(h1), h1"
    assert f"{where}: it reads or writes {content}, and packets of `tcp` are {WHY}" in found.message
    try:
        compiled(f"{chain} |> udp(4242)", more=more)
    except BerthaError as error:
        assert WHY not in str(error)  # noqa: PT017  (what else may be wrong with it does not matter here)


def test_a_stream_is_known_by_what_its_transport_provides() -> None:
    """A transport of the user's own, over the same header, that says that it keeps messages apart."""
    own = """chunnel records(port: u16 = 0) {
      provides ordered, boundaries;
      transport tcp { src = (ipv4.src, tcp.src_port); dst = (ipv4.dst, tcp.dst_port); }
    }"""
    other = MESSAGE.replace("over udp", "over tcp").partition("endpoint")[0].replace("Query", "Record")
    chain = "shard(key = Record.wide, shards = [a, c]) |> records(4242)"
    assert compiled(chain, more=own + other, response="records").programs


@pytest.mark.parametrize(
    "chain",
    [
        "firewall(deny = [10.9.0.0/16])",
        "count(by = tcp.dst_port)",
        "rewrite(old = 10.0.0.1:4242, new = a)",
        "load_balance(by = tcp.src_port, backends = [a, c])",
    ],
)
def test_what_depends_on_headers_runs_in_kernels_and_switches(chain: str) -> None:
    """Every segment has them; a process, which is given the stream, is refused with that reason."""
    built = compiled(f"{chain} |> tcp(4242)", response="tcp", site=SITE)
    on_path = {p.program.hook for p in built.programs if p.program.root in {"frame", "datagram"}}
    assert {"ingress", "pipeline"} <= on_path
    assert "process" not in on_path
    reasons = {r.reason for r in built.plans[0].refusals if r.device == "h1"}
    assert reasons == {"a process is given the stream of `tcp`, and not its packets"}
