"""A registry for one host, in a file: SQLite, which needs no server. Each change is one transaction.

Time is that of the host since it was started, which all its processes share and nobody sets; after a restart of the
host, everything that was held is gone.
"""

from __future__ import annotations

import secrets
import sqlite3
import time
from contextlib import contextmanager
from pathlib import Path
from typing import TYPE_CHECKING

from bertha_ir.runtime.registry.base import Held, Offer, Offered, Registry, RegistryError

if TYPE_CHECKING:
    from collections.abc import Callable, Iterator

SCHEMA = 1
BUSY = 5.0  # seconds to wait for another process' change
POLL = 0.02  # seconds between two looks
BOOT = Path("/proc/sys/kernel/random/boot_id")
TABLES = """
CREATE TABLE IF NOT EXISTS facts (name TEXT PRIMARY KEY, value TEXT NOT NULL) STRICT;
CREATE TABLE IF NOT EXISTS held (
  id INTEGER PRIMARY KEY AUTOINCREMENT, token TEXT NOT NULL, ends REAL NOT NULL,
  name TEXT, device TEXT, offer INTEGER REFERENCES held(id) ON DELETE CASCADE, slots INTEGER NOT NULL
) STRICT;
CREATE UNIQUE INDEX IF NOT EXISTS one ON held (name, device) WHERE offer IS NULL;
CREATE INDEX IF NOT EXISTS claims ON held (offer);
"""


def now() -> float:
    """Return seconds since the host was started, sleep included."""
    return time.clock_gettime(time.CLOCK_BOOTTIME)


class SqliteRegistry(Registry):
    """A registry in a file, which is made if there is none. `clock` gives seconds, alike to all that share it."""

    def __init__(self, path: Path, clock: Callable[[], float] = now) -> None:
        self._path, self._clock = path, clock
        try:
            self._db = sqlite3.connect(path, timeout=BUSY, isolation_level=None, check_same_thread=False)
            self._db.execute("PRAGMA journal_mode = WAL")
            self._db.execute("PRAGMA foreign_keys = ON")
            self._prepare()
        except sqlite3.Error as error:
            raise self._unusable(error) from error

    def offer(self, offer: Offer, lease: float) -> Held:
        """See `Registry`."""
        offer.check()
        with self._changing() as db:
            token = secrets.token_hex(16)
            taken = "SELECT 1 FROM held WHERE offer IS NULL AND name = ? AND device = ?"
            if db.execute(taken, (offer.name, offer.device)).fetchone():
                msg = f"`{offer.name}` is offered on `{offer.device}` already"
                raise RegistryError(msg)
            row = (token, self._until(lease), offer.name, offer.device, offer.slots)
            made = db.execute("INSERT INTO held (token, ends, name, device, slots) VALUES (?, ?, ?, ?, ?)", row)
            self._changed(db)
            return Held(made.lastrowid or 0, token)

    def offers(self, name: str | None = None) -> tuple[Offered, ...]:
        """See `Registry`."""
        with self._changing() as db:
            rows = db.execute(
                "SELECT o.id, o.name, o.device, o.slots, o.ends, COALESCE(SUM(c.slots), 0) FROM held o "
                "LEFT JOIN held c ON c.offer = o.id WHERE o.offer IS NULL AND (? IS NULL OR o.name = ?) "
                "GROUP BY o.id ORDER BY o.name, o.device",
                (name, name),
            ).fetchall()
            at = self._clock()
        return tuple(
            Offered(id_, Offer(named, device, slots), slots - used, ends - at)
            for id_, named, device, slots, ends, used in rows
        )

    def claim(self, offer: int, lease: float, slots: int = 1) -> Held | None:
        """See `Registry`."""
        if slots < 1:
            msg = f"{slots} is no number of slots to claim"
            raise RegistryError(msg)
        with self._changing() as db:
            there = db.execute("SELECT slots FROM held WHERE id = ? AND offer IS NULL", (offer,)).fetchone()
            if there is None:
                return None
            (used,) = db.execute("SELECT COALESCE(SUM(slots), 0) FROM held WHERE offer = ?", (offer,)).fetchone()
            if used + slots > there[0]:
                return None
            token = secrets.token_hex(16)
            row = (token, self._until(lease), offer, slots)
            made = db.execute("INSERT INTO held (token, ends, offer, slots) VALUES (?, ?, ?, ?)", row)
            self._changed(db)
            return Held(made.lastrowid or 0, token)

    def renew(self, held: Held, lease: float) -> bool:
        """See `Registry`."""
        with self._changing() as db:
            row = (self._until(lease), held.id, held.token)
            return db.execute("UPDATE held SET ends = ? WHERE id = ? AND token = ?", row).rowcount == 1

    def release(self, held: Held) -> bool:
        """See `Registry`."""
        with self._changing() as db:
            gone = db.execute("DELETE FROM held WHERE id = ? AND token = ?", (held.id, held.token)).rowcount == 1
            if gone:
                self._changed(db)
            return gone

    def version(self) -> int:
        """See `Registry`."""
        with self._changing() as db:
            (value,) = db.execute("SELECT value FROM facts WHERE name = 'version'").fetchone()
            return int(value)

    def wait(self, seen: int, seconds: float) -> int:
        """See `Registry`."""
        deadline = time.monotonic() + seconds
        while (last := self.version()) <= seen and time.monotonic() < deadline:
            time.sleep(min(POLL, max(0.0, deadline - time.monotonic())))
        return last

    def close(self) -> None:
        """See `Registry`."""
        self._db.close()

    def _prepare(self) -> None:
        """Make the tables, unless they are there, and forget what was held before the host was started."""
        boot = BOOT.read_text(encoding="ascii").strip() if BOOT.exists() else ""
        with self._transaction() as db:
            for statement in TABLES.split(";")[:-1]:
                db.execute(statement)
            facts = dict(db.execute("SELECT name, value FROM facts").fetchall())
            if facts.setdefault("schema", str(SCHEMA)) != str(SCHEMA):
                msg = f"`{self._path}` is a registry of schema {facts['schema']}, and this is {SCHEMA}"
                raise RegistryError(msg)
            if facts.get("boot") != boot:
                db.execute("DELETE FROM held")
            facts = {"version": "0", **facts, "boot": boot}
            db.executemany("INSERT OR REPLACE INTO facts VALUES (?, ?)", list(facts.items()))

    @contextmanager
    def _changing(self) -> Iterator[sqlite3.Connection]:
        """Be alone with the store for one transaction, in which what has ended is gone."""
        try:
            with self._transaction() as db:
                if db.execute("DELETE FROM held WHERE ends <= ?", (self._clock(),)).rowcount:
                    self._changed(db)
                yield db
        except sqlite3.Error as error:
            raise self._unusable(error) from error

    @contextmanager
    def _transaction(self) -> Iterator[sqlite3.Connection]:
        self._db.execute("BEGIN IMMEDIATE")
        try:
            yield self._db
        except BaseException:
            self._db.execute("ROLLBACK")
            raise
        self._db.execute("COMMIT")

    def _changed(self, db: sqlite3.Connection) -> None:
        db.execute("UPDATE facts SET value = CAST(value AS INTEGER) + 1 WHERE name = 'version'")

    def _until(self, lease: float) -> float:
        if not 0 < lease < 1e9:  # noqa: PLR2004  (thirty years)
            msg = f"{lease} is no number of seconds for a lease"
            raise RegistryError(msg)
        return self._clock() + lease

    def _unusable(self, error: sqlite3.Error) -> RegistryError:
        return RegistryError(f"the registry `{self._path}` cannot be used: {error}")
