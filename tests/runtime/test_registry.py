"""Discovery: offers and claims end with their leases, and the last slot goes to one, whatever dies or asks at once."""

import json
import signal
import sqlite3
import subprocess
import sys
from pathlib import Path

import pytest
from hypothesis import settings
from hypothesis import strategies as st
from hypothesis.stateful import RuleBasedStateMachine, invariant, precondition, rule

from bertha_ir.cli.main import main
from bertha_ir.runtime.registry.base import Held, Offer, RegistryError
from bertha_ir.runtime.registry.sqlite import SqliteRegistry

CARD = Offer("card_tls", "nic", 2)
CLAIMER = """
import sys
from pathlib import Path
from bertha_ir.runtime.registry.sqlite import SqliteRegistry
registry, offer = SqliteRegistry(Path(sys.argv[1])), int(sys.argv[2])
print("ready", flush=True)
for line in sys.stdin:
    held = registry.claim(offer, 60)
    print("none" if held is None else f"{held.id} {held.token}", flush=True)
"""
OWNER = """
import os, sys, time
from pathlib import Path
from bertha_ir.runtime.registry.base import Offer
from bertha_ir.runtime.registry.sqlite import SqliteRegistry
registry = SqliteRegistry(Path(sys.argv[1]))
registry.offer(Offer("card_tls", "nic", 1), 0.5)
print("offered", flush=True)
time.sleep(60)
"""


class Clock:
    """Time that a test sets."""

    def __init__(self) -> None:
        self.time = 1000.0

    def __call__(self) -> float:
        return self.time


@pytest.fixture
def clock():
    return Clock()


@pytest.fixture
def registry(tmp_path, clock):
    with SqliteRegistry(tmp_path / "registry", clock) as made:
        yield made


def test_an_offer_is_found_and_claimed(registry):
    """Its free slots go down with claims and up with what is released."""
    registry.offer(CARD, 30)
    (found,) = registry.offers("card_tls")
    assert (found.offer, found.free, found.seconds) == (CARD, 2, 30)
    first, second = registry.claim(found.id, 10), registry.claim(found.id, 10)
    assert registry.claim(found.id, 10) is None
    assert registry.offers()[0].free == 0
    assert registry.release(first)
    assert not registry.release(first)
    assert registry.offers()[0].free == 1
    assert registry.claim(found.id, 10, slots=2) is None
    assert registry.release(second)
    assert registry.claim(found.id, 10, slots=2) is not None


def test_what_is_not_renewed_ends(registry, clock):
    """Claims give their slots back, and an offer takes its claims with it."""
    card = registry.offer(CARD, 30)
    (found,) = registry.offers()
    claim = registry.claim(found.id, 10)
    clock.time += 9
    assert registry.renew(claim, 10)
    clock.time += 9
    assert registry.offers()[0].free == 1
    clock.time += 2
    assert registry.offers()[0].free == 2
    assert not registry.renew(claim, 10)
    assert registry.renew(card, 5)
    held = registry.claim(found.id, 1000)
    clock.time += 6
    assert registry.offers() == ()
    assert registry.claim(found.id, 10) is None
    assert not registry.release(held)
    assert not registry.renew(card, 30)


def test_only_the_holder_renews_and_releases(registry):
    """A lease is known by its secret, not by its number."""
    card = registry.offer(CARD, 30)
    assert not registry.release(Held(card.id, "0" * 32))
    assert not registry.renew(Held(card.id, ""), 30)
    with pytest.raises(RegistryError, match="already"):
        registry.offer(CARD, 30)
    assert registry.release(card)
    assert registry.offer(CARD, 30)


def test_changes_are_seen(registry, clock):
    """By version, and by waiting: an offer, a claim, a release, and a lease that ends."""
    seen = registry.version()
    registry.offer(CARD, 30)
    assert registry.wait(seen, 5) > seen
    seen = registry.version()
    assert registry.wait(seen, 0.05) == seen
    claim = registry.claim(registry.offers()[0].id, 5)
    assert registry.version() == seen + 1
    clock.time += 6
    assert registry.wait(seen + 1, 5) == seen + 2
    assert not registry.release(claim)


def test_two_processes_never_both_hold_the_last_slot(tmp_path):
    """A thousand times: each round both ask at once, and exactly one gets it."""
    path = tmp_path / "registry"
    with SqliteRegistry(path) as registry:
        registry.offer(Offer("card_tls", "nic", 1), 3600)
        offer = registry.offers()[0].id
        arguments = [sys.executable, "-c", CLAIMER, str(path), str(offer)]
        both = [subprocess.Popen(arguments, stdin=-1, stdout=-1, text=True) for _ in range(2)]
        winners = [0, 0]
        try:
            assert [process.stdout.readline() for process in both] == ["ready\n"] * 2
            for _ in range(1000):
                for process in both:
                    process.stdin.write("go\n")
                    process.stdin.flush()
                said = [process.stdout.readline().split() for process in both]
                held = [number for number, words in enumerate(said) if words != ["none"]]
                assert len(held) == 1, said
                winners[held[0]] += 1
                assert registry.release(Held(int(said[held[0]][0]), said[held[0]][1]))
        finally:
            for process in both:
                process.stdin.close()
                process.wait(10)
                process.stdout.close()
        assert sum(winners) == 1000


def test_the_offer_of_an_owner_that_is_killed_goes(tmp_path):
    """Half a second after it was last renewed, whatever became of the owner."""
    path = tmp_path / "registry"
    with (
        SqliteRegistry(path) as registry,
        subprocess.Popen([sys.executable, "-c", OWNER, str(path)], stdout=-1, text=True) as owner,
    ):
        assert owner.stdout.readline() == "offered\n"
        seen = registry.version()
        assert len(registry.offers()) == 1
        owner.kill()
        assert registry.wait(seen, 5) > seen
        assert registry.offers() == ()


def test_a_host_that_was_started_again_has_nothing(tmp_path, monkeypatch):
    """Time begins anew then, and nobody who held anything is there."""
    boot = tmp_path / "boot"
    monkeypatch.setattr("bertha_ir.runtime.registry.sqlite.BOOT", boot)
    boot.write_text("one")
    with SqliteRegistry(tmp_path / "registry") as before:
        before.offer(CARD, 1e6)
    with SqliteRegistry(tmp_path / "registry") as again:
        assert len(again.offers()) == 1
    boot.write_text("two")
    with SqliteRegistry(tmp_path / "registry") as after:
        assert after.offers() == ()


def test_the_command_offers_as_long_as_it_runs(tmp_path, capsys):
    """Another sees it; interrupted, it takes the offer back."""
    path = str(tmp_path / "registry")
    words = ["registry", path, "--offer", "card_tls", "--device", "nic", "--slots", "3"]
    start = "import sys; from bertha_ir.cli.main import main; sys.exit(main())"
    with subprocess.Popen([sys.executable, "-c", start, *words], stdout=-1, text=True) as offering:
        assert offering.stdout.readline().startswith("offering card_tls on nic, 3 slots")
        assert main(["registry", path, "--json"]) == 0
        (row,) = json.loads(capsys.readouterr().out)["offers"]
        assert (row["name"], row["device"], row["free"]) == ("card_tls", "nic", 3)
        assert main(words) == 1
        assert "offered on `nic` already" in capsys.readouterr().err
        offering.send_signal(signal.SIGINT)
        assert offering.wait(10) == 130
    assert main(["registry", path]) == 0
    assert capsys.readouterr().out == "nothing is offered\n"
    assert main(["registry", str(tmp_path / "none")]) == 2


@pytest.mark.parametrize("content", [b"no database at all, and longer than a header of a hundred bytes" * 3, None])
def test_a_registry_that_cannot_be_used_is_one_error(tmp_path, content):
    """Another file, and a folder."""
    path = tmp_path / "registry"
    path.write_bytes(content) if content else path.mkdir()
    with pytest.raises(RegistryError, match="cannot be used"):
        SqliteRegistry(path)


def test_a_registry_of_another_schema_is_refused(tmp_path):
    """And left as it is."""
    SqliteRegistry(tmp_path / "registry").close()
    with sqlite3.connect(tmp_path / "registry") as db:
        db.execute("UPDATE facts SET value = '99' WHERE name = 'schema'")
    db.close()
    with pytest.raises(RegistryError, match="schema 99"):
        SqliteRegistry(tmp_path / "registry")


@pytest.mark.parametrize(
    "offer", [Offer("", "nic", 1), Offer("a" * 201, "nic", 1), Offer("a\n", "nic", 1), Offer("a", "b", 0)]
)
def test_offers_that_are_none_are_refused(registry, offer):
    """With what is wrong, and nothing is stored."""
    with pytest.raises(RegistryError):
        registry.offer(offer, 30)
    with pytest.raises(RegistryError):
        registry.offer(CARD, 0)
    with pytest.raises(RegistryError):
        registry.claim(1, 30, slots=0)
    assert registry.offers() == ()


class Leases(RuleBasedStateMachine):
    """Whatever is done, in whatever order, free slots are what a plain model says."""

    def __init__(self) -> None:
        super().__init__()
        self.clock = Clock()
        self.registry = SqliteRegistry(Path(":memory:"), self.clock)
        self.card, self.ends, self.claims = None, 0.0, {}

    @rule(lease=st.integers(1, 20))
    @precondition(lambda self: self.card is None)
    def offer(self, lease):
        self.card, self.ends = self.registry.offer(CARD, lease), self.clock.time + lease

    @rule(lease=st.integers(1, 20), slots=st.integers(1, 3))
    @precondition(lambda self: self.card is not None)
    def claim(self, lease, slots):
        used = sum(n for n, _ in self.claims.values())
        held = self.registry.claim(self.card.id, lease, slots)
        assert (held is not None) == (used + slots <= CARD.slots)
        if held is not None:
            self.claims[held] = (slots, self.clock.time + lease)

    @rule(data=st.data())
    @precondition(lambda self: self.claims)
    def release(self, data):
        held = data.draw(st.sampled_from(list(self.claims)))
        assert self.registry.release(held)
        del self.claims[held]

    @rule(data=st.data(), lease=st.integers(1, 20))
    @precondition(lambda self: self.claims)
    def renew(self, data, lease):
        held = data.draw(st.sampled_from(list(self.claims)))
        assert self.registry.renew(held, lease)
        self.claims[held] = (self.claims[held][0], self.clock.time + lease)

    @rule(seconds=st.integers(1, 10))
    def pass_time(self, seconds):
        self.clock.time += seconds
        self.claims = {h: (n, ends) for h, (n, ends) in self.claims.items() if ends > self.clock.time}
        if self.card is not None and self.ends <= self.clock.time:
            self.card, self.claims = None, {}

    @invariant()
    def the_same(self):
        found = self.registry.offers()
        assert len(found) == (self.card is not None)
        if found:
            assert found[0].free == CARD.slots - sum(n for n, _ in self.claims.values())

    def teardown(self):
        self.registry.close()


TestLeases = Leases.TestCase
TestLeases.settings = settings(max_examples=150, stateful_step_count=30, deadline=None)
