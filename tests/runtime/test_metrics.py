"""Metrics in Prometheus's text format, read by a strict parser, and asked for over HTTP."""

import asyncio
import http.client

import pytest
from connecting import LOOPBACK, asked, connect, serving, stores
from exposition import Malformed, parse
from project import ROOT

from bertha_ir.runtime.described import described
from bertha_ir.runtime.metrics import CONTENT, rendered
from bertha_ir.runtime.responder import respond

LABELS = {"outcome", "why", "verdict", "what"}
PLAN = {"plan": "aa", "connections": 2, "kernel": ["p"], "elsewhere": [], "counts": {"sent": 3, "overflow": 1}}
SERVER = {
    "stack": "kv", "negotiate": "127.0.0.1:1", "seconds": 1.25, "plans": [PLAN],
    "counts": {"answered": 4, "refused": 5, "forged": 6, "other versions": 7, "moves": 8},
}  # fmt: skip


def test_what_is_rendered_is_read_back():
    """Every counter of every server, each once; those that nobody has counted yet are 0."""
    own = {"stack": "kv", "server": "127.0.0.1:1"}
    found = parse(rendered([SERVER, {**SERVER, "negotiate": "127.0.0.1:2"}]))
    value = lambda name, **labels: found[name].value(**own, **labels)  # noqa: E731
    assert value("bertha_offers_total", outcome="answered") == 4
    assert value("bertha_offers_total", outcome="refused") == 5
    assert value("bertha_untaken_total", why="forged") == 6
    assert value("bertha_untaken_total", why="version") == 7
    assert value("bertha_untaken_total", why="garbage") == 0
    assert value("bertha_moves_total") == 8
    assert value("bertha_messages_total", plan="aa", what="sent") == 3
    assert value("bertha_messages_total", plan="aa", what="overflow") == 1
    assert value("bertha_messages_total", plan="aa", what="received") == 0
    assert value("bertha_connections", plan="aa") == 2
    assert value("bertha_kernel_programs", plan="aa") == 1
    assert value("bertha_uptime_seconds") == 1.25
    assert all(len(f.samples) % 2 == 0 for f in found.values())
    assert all((f.kind == "counter") == name.endswith("_total") for name, f in found.items())
    assert rendered([]) == ""


@pytest.mark.parametrize("name", ['a"b', "a\\b", "a\nb", 'a\\"\n\\n', "é…", ""])
def test_labels_are_escaped(name):
    """Whatever a stack is called, the label says so once it is read."""
    found = parse(rendered([{**SERVER, "stack": name}]))
    assert found["bertha_moves_total"].value(stack=name, server="127.0.0.1:1") == 8


@pytest.mark.parametrize(
    "text",
    [
        "a 1",  # no end of line
        "a 1\n",  # no type
        "# TYPE a counter\n# HELP a b\na 1\n",  # the other way round
        "# HELP a b\n# TYPE a counter\na 1\na 1\n",  # twice
        '# HELP a b\n# TYPE a counter\na{l="x"y"} 1\n',
        '# HELP a b\n# TYPE a counter\na{l="\\x"} 1\n',
        "# HELP a b\n# TYPE a counter\na one\n",
        "# HELP a b\n# TYPE a counter\na 1\n# HELP c d\n# TYPE c gauge\na 2\n",  # parted
        "# HELP a b\n# TYPE a counter\na -1\n",
        "# HELP a b\n# TYPE a other\na 1\n",
        "\n",
    ],
)
def test_the_parser_is_strict(text):
    """Else the tests with it would prove nothing."""
    with pytest.raises(Malformed):
        parse(text)


def test_a_server_counts_what_happened(tmp_path):
    """Its metrics are those of the requests that were made; a counter never goes back."""
    (folder,) = stores(tmp_path, process="h1").values()

    async def main():
        async with serving([folder]) as server:
            earlier = {}
            for turn in range(3):
                async with await connect([folder], "kv", server.address) as client:
                    for number in range(5):
                        await asked(client, number, number)
                    plan = client.way.id.hex()
                found = parse(rendered([described(server, each=False)]))
                own = {"stack": "kv", "server": f"{LOOPBACK}:{server.address[1]}"}
                assert found["bertha_messages_total"].value(**own, plan=plan, what="received") == 5 * (turn + 1)
                assert found["bertha_connections_total"].value(**own) == turn + 1
                now = {(n, k): v for n, f in found.items() if f.kind == "counter" for k, v in f.samples.items()}
                assert all(now[key] >= value for key, value in earlier.items())
                earlier = now

    asyncio.run(main())


def http_get(port, method="GET", path="/metrics"):
    connection = http.client.HTTPConnection(LOOPBACK, port, timeout=5)
    connection.request(method, path)
    answer = connection.getresponse()
    return answer.status, answer.getheader("content-type"), answer.read().decode()


def responding(ask, page=lambda: "a 1\n"):
    """Return what a function gets that is given the port of a responder, in another thread."""

    async def main():
        answering = await respond(page, (LOOPBACK, 0), "/metrics", CONTENT)
        async with answering:
            return await asyncio.to_thread(ask, answering.sockets[0].getsockname()[1])

    return asyncio.run(main())


def test_http():
    """GET and HEAD of the one page; the page is made for each; what else is asked for is refused."""
    pages = iter(("a 1\n", "a 2\n", "a 3\n"))
    one = responding(lambda port: [http_get(port), http_get(port)], lambda: next(pages))
    assert one == [(200, CONTENT, "a 1\n"), (200, CONTENT, "a 2\n")]
    assert responding(lambda port: http_get(port, "HEAD")) == (200, CONTENT, "")
    assert responding(lambda port: http_get(port, path="/metrics?x=1"))[0] == 200
    assert responding(lambda port: http_get(port, path="/"))[0] == 404
    assert responding(lambda port: http_get(port, "POST"))[0] == 405


@pytest.mark.parametrize("sent", [b"hello\r\n\r\n", b"GET /metrics\r\n\r\n", b"x" * 20_000, b"GET "])
def test_what_is_no_request_ends_at_once_or_in_time(sent, monkeypatch):
    """Garbage is answered with 400 or with nothing; the next request is served."""
    monkeypatch.setattr("bertha_ir.runtime.responder.PATIENCE", 0.2)

    def ask(port):
        import socket  # noqa: PLC0415

        with socket.create_connection((LOOPBACK, port), timeout=5) as made:
            made.sendall(sent)
            got = b""
            try:
                while chunk := made.recv(4096):
                    got += chunk
            except ConnectionResetError:
                pass
        return got, http_get(port)

    got, after = responding(ask)
    assert got == b"" or got.startswith(b"HTTP/1.0 400 ")
    assert after[0] == 200


def test_the_documents_name_every_metric():
    """In docs/runtime.md, with the values of labels."""
    text = (ROOT / "docs" / "runtime.md").read_text()
    found = parse(rendered([SERVER]))
    values = {v for family in found.values() for key in family.samples for k, v in key if k in LABELS}
    assert {"answered", "forged", "bounce", "overflow"} <= values
    assert not [name for name in (*found, *values, *LABELS) if f"`{name}`" not in text]
