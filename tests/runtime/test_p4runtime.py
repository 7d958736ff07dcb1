"""Switches over P4Runtime: what `bertha load`, `unload` and `table` ask of a server that holds to the specification."""

import json

import pytest
from finsy.proto import p4r
from p4server import Server, held, unmarked
from sensors import listed

from bertha_ir.cli.main import main
from bertha_ir.runtime.artifact import Artifact

DENY, STATIONS = "sensors_firewall_deny", "stations"


def station(switch: Server, address: int = 0x020000000001) -> p4r.TableEntry:
    """An entry of another controller's, in `stations`, which Bertha leaves to others."""
    (table,) = (t for t in switch.config.p4info.tables if t.preamble.alias == STATIONS)
    entry = p4r.TableEntry(table_id=table.preamble.id)
    entry.match.add(field_id=1).exact.value = address.to_bytes(6, "big").lstrip(b"\0")
    entry.action.action.action_id = table.action_refs[1].id
    switch.entries[b"another's"] = entry
    return entry


def test_a_switch_gets_the_program_and_its_entries(sensors, switch, on_switch, config):
    """After one command the switch has the compiled program, its description, and the artifact's entries."""
    status, out, _ = on_switch("load", sensors["first"])
    plan = Artifact(sensors["first"]).plan[:12]
    assert status == 0
    assert out == (f"sensors_pipeline of tor, plan {plan}, runs in {switch.address}: 7 entries written, 0 removed\n")
    assert switch.config.p4_device_config == config.read_bytes()
    assert unmarked(switch) == listed(sensors["first"])


def test_loading_again_changes_nothing(sensors, switch, on_switch):
    """The second time, nothing is asked of the switch but what it has."""
    on_switch("load", sensors["first"])
    station(switch)
    switch.calls.clear()
    status, out, _ = on_switch("load", sensors["first"], "--json")
    (program,) = json.loads(out)["programs"]
    assert (status, program["changed"], program["started"], switch.calls) == (0, False, False, [])
    assert "was already loaded" in on_switch("load", sensors["first"])[1]


def test_an_interrupted_load_is_completed(sensors, switch, on_switch):
    """Entries that are missing, or do something else, are put right; the program goes on."""
    on_switch("load", sensors["first"])
    keys = list(switch.entries)
    del switch.entries[keys[0]]
    action = switch.entries[keys[1]].action.action
    action.params[1].value = b"\x01"
    switch.calls.clear()
    assert on_switch("load", sensors["first"])[0] == 0
    assert sorted(switch.calls) == ["insert", "modify"]
    assert unmarked(switch) == listed(sensors["first"])


def test_another_version_replaces_the_entries_and_not_the_program(sensors, switch, on_switch):
    """Where only entries differ, the program goes on, with what its registers remember, and others' entries stay."""
    on_switch("load", sensors["first"])
    other = station(switch)
    switch.calls.clear()
    status, out, _ = on_switch("load", sensors["second"])
    assert status == 0
    assert "was already running" in out
    assert "program" not in switch.calls
    assert switch.calls.index("delete") > max(i for i, call in enumerate(switch.calls) if call == "insert")
    assert switch.entries.pop(b"another's") == other
    assert unmarked(switch) == listed(sensors["second"])


def test_another_program_replaces_the_old_one(sensors, switch, on_switch):
    """A program of Bertha's gives way to another, with all its entries."""
    on_switch("load", sensors["first"])
    old = switch.config.p4info
    assert on_switch("load", sensors["shorter"])[0] == 0
    assert switch.config.p4info != old
    assert unmarked(switch) == listed(sensors["shorter"])


def test_another_controllers_program_stays(sensors, switch, on_switch):
    """What Bertha did not load is replaced only if asked for."""
    on_switch("load", sensors["shorter"])
    switch.config.ClearField("cookie")
    before = unmarked(switch)
    status, _, error = on_switch("load", sensors["first"])
    assert (status, unmarked(switch)) == (1, before)
    assert error.endswith("runs a program that Bertha did not load: to replace it, give --take-over")
    assert on_switch("load", sensors["first"], "--take-over")[0] == 0
    assert unmarked(switch) == listed(sensors["first"])


def test_another_controllers_entry_stays(sensors, switch, on_switch):
    """An entry of another's with the key of one of ours is an error that names it, unless it may be replaced."""
    on_switch("load", sensors["first"])
    key = next(iter(switch.entries))
    switch.entries[key].metadata = b"somebody"
    status, _, error = on_switch("load", sensors["first"])
    assert status == 1
    assert "entry 1 of 7, 0xa090000/0x10 of `sensors_firewall_deny`, is another controller's" in error
    assert switch.entries[key].metadata == b"somebody"
    assert on_switch("load", sensors["first"], "--take-over")[0] == 0
    assert switch.entries[key].metadata.startswith(b"bertha ")


def test_unloading_removes_what_was_written_and_nothing_else(sensors, switch, on_switch):
    """Also what was added to tables since; a second time there is nothing, nor was there before loading."""
    assert on_switch("unload", sensors["first"])[:2] == (0, "nothing is loaded\n")
    on_switch("load", sensors["first"])
    on_switch("table", sensors["first"], DENY, "--add", "10.6.0.0/16")
    other = station(switch)
    assert on_switch("unload", sensors["second"])[:2] == (0, "nothing is loaded\n")
    assert on_switch("unload", sensors["first"])[:2] == (0, f"8 entries are gone from {switch.address}\n")
    assert list(switch.entries.values()) == [other]
    assert on_switch("unload", sensors["first"])[:2] == (0, "nothing is loaded\n")


def test_unloading_all_removes_every_plans_entries(sensors, switch, on_switch):
    """An artifact whose folder is gone can be unloaded."""
    on_switch("load", sensors["first"])
    assert main(["unload", "--all", "--switch", switch.address, "--json"]) == 0
    assert not switch.entries


def test_tables_are_shown_and_changed(sensors, switch, on_switch):
    """Entries are added, replaced and removed while the program runs; loading again keeps those that were added."""
    on_switch("load", sensors["first"])
    words = ("--add", "10.6.0.0/16", "--add", "0.0.0.0/0", "--remove", "10.9.0.0/16", "--json")
    status, out, _ = on_switch("table", sensors["first"], DENY, *words)
    rows = [[[0, 0], [], f"{DENY}_hit"], [[16, 0x0A060000], [], f"{DENY}_hit"]]
    assert (status, sorted(json.loads(out)["tables"][DENY])) == (0, rows)
    assert on_switch("table", sensors["first"], STATIONS, "--add", "02:00:00:00:00:0a=2")[1].splitlines() == [
        "stations: 1 entries", "  02:00:00:00:00:0a  send 2"
    ]  # fmt: skip
    assert (
        "02:00:00:00:00:0a  discard"
        in on_switch("table", sensors["first"], STATIONS, "--add", "0x2000000000a=discard")[1]
    )
    assert on_switch("load", sensors["first"])[0] == 0
    assert len(held(switch)[DENY]) == 3
    shown = on_switch("table", sensors["first"])[1]
    assert "  10.6.0.0/16  sensors_firewall_deny_hit\n" in shown
    assert "  10.0.0.1,7001".replace("10.0.0.1", str(0x0A000001)) in shown


@pytest.mark.parametrize(
    ("words", "expected"),
    [
        (("nothing",), (2, "no table is called `nothing`")),
        ((DENY, "--add", "10.6.0.0/33"), (2, "`10.6.0.0/33` is no key of this table")),
        ((DENY, "--add", "10.6.0.0/16=7"), (2, "`10.6.0.0/16=7` is no entry of this table")),
        ((STATIONS, "--add", "7"), (2, "`7` is no entry of this table")),
        ((STATIONS, "--add", "7=512"), (2, "`512` is no row of numbers: 512 does not fit into 9 bits")),
        ((STATIONS, "--add", "7,8=1"), (2, "`7,8` is no key of this table, which has 1 parts")),
        ((STATIONS, "--add", f"{1 << 48}=1"), (2, "does not fit into 48 bits")),
        ((DENY, "--add", "10.6.0.0/16", "--remove", "10.5.0.0/16"), (1, "has no entry 10.5.0.0/16")),
    ],
)
def test_entries_that_are_none_change_nothing(sensors, switch, on_switch, words, expected):
    """Of several entries, none is changed if one is wrong."""
    on_switch("load", sensors["first"])
    before = unmarked(switch)
    status, _, error = on_switch("table", sensors["first"], *words)
    assert status == expected[0]
    assert expected[1] in error
    assert unmarked(switch) == before


def test_tables_are_those_of_the_program_that_runs(sensors, switch, on_switch):
    """A switch that runs another artifact's program, or none, is not changed."""
    for _ in range(2):
        status, _, error = on_switch("table", sensors["first"], DENY, "--add", "10.6.0.0/16")
        assert (status, switch.calls.count("insert")) == (1, len(switch.entries))
        assert "runs no program of" in error
        on_switch("load", sensors["shorter"])
