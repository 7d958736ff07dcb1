"""The examples and the site's side: from text to what the passes read."""

import time
from pathlib import Path

import pytest

import bertha_ir.expr
import bertha_ir.message
import bertha_ir.spec
import bertha_ir.stmt
import bertha_ir.types
from bertha_ir.expr import Const, Field
from bertha_ir.frontend.load import check, load
from bertha_ir.message import Checksum, Fixed, Length, Parent
from bertha_ir.spec import Deny, ListArgument, MessageArgument, Policy, Prefer, RangesArgument
from bertha_ir.text import parse_ir, print_ir, register
from bertha_ir.types import BYTES, ENDPOINT, U8, U16, U32, U64

EXAMPLES = Path(__file__).parents[2] / "examples"
KV = [EXAMPLES / "kv_shard" / name for name in ("kv.chunnel", "site.chunnel")]
MEMCACHED = [EXAMPLES / "memcached_steer" / name for name in ("memcached.chunnel", "site.chunnel")]
HERE = 0x0A000001


def test_the_sharded_store():
    """Two directions, three shards by the key at byte 18."""
    specification = load(KV)
    (stack,) = specification.stacks
    request, response = stack.directions
    assert (stack.name, stack.ends, stack.prefer) == ("kv", ("client", "server"), "latency")
    assert [i.id for i in request.instances] == ["serialize", "shard", "udp"]
    assert [i.id for i in response.instances] == ["serialize", "udp"]
    shard = request.instances[1]
    assert shard.argument("key") == Field("KvRequest", "key", U64)
    shards = tuple(Const((HERE, port), ENDPOINT) for port in (9001, 9002, 9003))
    assert shard.argument("shards") == ListArgument(shards)
    assert request.instances[0].argument("layout") == MessageArgument("KvRequest")
    assert request.instances[2].argument("port") == Const(4242, U16)
    layout = specification.message("KvRequest")
    assert (layout.size, layout.bit_offset("key"), layout.fields[-1].type) == (26, 8 * 18, BYTES)


def test_memcached():
    """Letters of both cases, the rest elsewhere; the response needs no chunnel but its transport."""
    (stack,) = load(MEMCACHED).stacks
    request, response = stack.directions
    steer = request.instances[0]
    low, high = Const((HERE, 11301), ENDPOINT), Const((HERE, 11302), ENDPOINT)
    assert steer.argument("by") == Field("MemcachedGet", "key0", U8)
    assert steer.argument("ranges") == RangesArgument(((65, 77, low), (78, 90, high), (97, 109, low), (110, 122, high)))
    assert [i.chunnel.name for i in response.instances] == ["udp"]


def test_the_transport_says_where_addresses_lie():
    """udp's clause gives the four fields."""
    transport = load(KV).stacks[0].directions[0].instances[-1].chunnel.transport
    assert transport.src_ip == Field("ipv4", "src", U32)
    assert transport.dst_port == Field("udp", "dst_port", U16)


def test_the_site():
    """Attributes are in base units, addresses are numbers, and a host's kernel needs no declaration."""
    site = load(KV).site
    h1, c1, tor = site.devices
    assert (h1.get("address"), h1.get("mac"), h1.get("cores")) == (HERE, 0x020000000001, 2)
    assert (c1.kind, tor.kind, tor.get("profile"), tor.get("address")) == ("host", "switch", "bmv2", None)
    assert [(k.a, k.b, k.kind, k.attributes[0].value) for k in site.links] == [
        ("c1", "tor", "ethernet", 10**10),
        ("tor", "h1", "ethernet", 10**10),
    ]
    assert site.policy == Policy(prefer=(Prefer("shard", ("kernel(h1)", "tor", "h1")),))
    assert [(r.stack, r.end, r.device) for r in site.runs] == [("kv", "server", "h1"), ("kv", "client", "c1")]


def test_units_and_policy(tmp_path):
    """Units multiply, decimals may make whole numbers, and rules of several policies come together."""
    file = tmp_path / "site.chunnel"
    file.write_text(
        "device h1: host { memory 16 GiB; clock 2.5 GHz; cores 1_000; profile east; }\n"
        "device kernel(h1): kernel { }\n"
        "link h1 <-> kernel(h1) pcie { rate 2.5 Gbit/s; delay 1.5 us; }\n"
        "policy { deny encrypt on h1; trust h1; }\npolicy { trust kernel(h1), h1; }\n"
    )
    site = load([file]).site
    assert [a.value for a in site.devices[0].attributes] == [16 * 2**30, 25 * 10**8, 1000, "east"]
    assert [a.value for a in site.links[0].attributes] == [25 * 10**8, 1500]
    assert site.policy == Policy((Deny("encrypt", "h1"),), (), ("h1", "kernel(h1)"))


def test_ipv4_as_the_library_writes_it():
    """Rules and parents of a header arrive in the layout."""
    ipv4 = load(()).message("ipv4")
    assert ipv4.parents == (Parent("ethernet", (("ethertype", 0x0800),)), Parent("vlan", (("ethertype", 0x0800),)))
    assert ipv4.field("version").rule == Fixed(4)
    assert ipv4.field("total_length").rule == Length()
    assert ipv4.field("checksum").rule == Checksum("header")
    udp = load(()).message("udp")
    assert udp.field("checksum").rule == Checksum("pseudo", optional=True)
    assert load(()).message("ipv6").field("payload_length").rule == Length(40)


@pytest.mark.parametrize("files", [KV, MEMCACHED], ids=["kv", "memcached"])
def test_the_specification_prints_and_parses_back(files):
    """Everything that the frontend makes is in the textual IR."""
    for module in (bertha_ir.expr, bertha_ir.stmt, bertha_ir.message, bertha_ir.spec, bertha_ir.types):
        register(module)
    specification = load(files)
    assert parse_ir(print_ir(specification)) == specification


def test_the_order_of_files_does_not_matter():
    """A site may come before the stack that it runs."""
    assert load(KV[::-1]).site == load(KV).site


def test_loading_again_takes_milliseconds():
    """With the grammar and the library read, an example is loaded in a fraction of a second."""
    load(KV)
    began = time.process_time()
    assert check(KV) == ()
    assert time.process_time() - began < 0.3
