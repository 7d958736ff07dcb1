"""The ports of a switch: each link through a programmed switch has one, of its own, that the switch can have."""

import pytest
from compiling import SITE, compiled

from bertha_ir.diagnostics import BerthaError

CHAIN = "firewall(deny = [10.9.0.0/16]) |> udp(4242)"
FAR = "device h9: host { address 10.0.0.7; } link h9 <-> tor ethernet { port 2; }"


def refused(site: str) -> list[tuple[str, str, str]]:
    with pytest.raises(BerthaError) as caught:
        compiled(CHAIN, site=site)
    return [(d.code.number(), d.message, d.span.text if d.span else "") for d in caught.value.diagnostics]


@pytest.mark.parametrize("number", [511, 600, 65536])
def test_a_port_that_the_target_has_not_is_refused_at_its_place(number: int) -> None:
    """CH353, which names the number, at the attribute; 510 is the last that a v1model switch has."""
    assert refused(SITE.replace("port 1;", f"port {number};")) == [
        ("CH353", f"{number} is no port of a switch", f"port {number};")
    ]
    assert compiled(CHAIN, site=SITE.replace("port 1;", "port 510;").replace("port 2;", "port 0;")).programs


def test_a_link_without_a_port_is_refused() -> None:
    """CH213 at the link: the program's wires would be missing, and the switch would drop every frame."""
    assert refused(SITE.replace("port 1;", "")) == [
        (
            "CH213",
            "the link to `c1` does not say which port of `tor` it is at",
            "link c1 <-> tor ethernet { rate 10 Gbit/s;  }",
        )
    ]


def test_two_links_at_one_port_are_refused() -> None:
    """CH213 at the second one's attribute, even when no stack's messages take that link."""
    (found,) = refused(SITE + FAR)
    assert found == ("CH213", "port 2 of `tor` has two links: to `h1` and to `h9`", "port 2;")


def test_a_switch_that_runs_nothing_needs_no_ports() -> None:
    """What no program forwards, the switch's own software does."""
    denied = SITE.replace("port 1;", "") + "policy { deny firewall on tor; }"
    assert "tor" not in {p.program.device for p in compiled(CHAIN, site=denied).programs}
