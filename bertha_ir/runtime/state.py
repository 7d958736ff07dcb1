"""Tables and state of a deployed Python program."""

from __future__ import annotations

from bisect import bisect_right
from collections import OrderedDict
from collections.abc import MutableMapping
from typing import TYPE_CHECKING, Any

if TYPE_CHECKING:
    from collections.abc import Iterator, Sequence

Key = tuple[int | bytes, ...]
Row = tuple[int | bytes, ...]
Entry = tuple[tuple[int, ...], tuple[int, ...]]


class Cell:
    """State that is one row, `row`: of zeros, until it is set."""

    __slots__ = ("row",)

    def __init__(self, row: Row) -> None:
        self.row = row

    def items(self) -> tuple[tuple[Key, Row], ...]:
        """Return the row by its key, which is empty, as those of `Rows`."""
        return (((), self.row),)


class Rows(dict[Key, Row]):
    """State that is a map of at most `size` rows. `widths`: the bits of each value; of bytes, their zero."""

    def __init__(self, widths: tuple[int | bytes, ...], size: int) -> None:
        super().__init__()
        self._widths, self._size = widths, size

    def set(self, key: Key, row: Row) -> None:
        """Store a row; a new key is not stored when the map is full."""
        if key in self or len(self) < self._size:
            self[key] = row

    def add(self, key: Key, row: tuple[int, ...]) -> None:
        """Add to each value, wrapping at its width; what is not there counts as zero."""
        self.set(key, _sums(self.get(key), row, self._widths))


class Recent(OrderedDict[Key, Row]):
    """State that is a map of at most `size` rows, of which the least recently used makes room for a new one."""

    def __init__(self, widths: tuple[int | bytes, ...], size: int) -> None:
        super().__init__()
        self._widths, self._size = widths, size

    def get(self, key: Key, default: Any = None) -> Any:  # noqa: ANN401  (as that of `dict`, which checkers overload)
        """Return the row of a key, which is then the most recently used, or the default."""
        if key not in self:
            return default
        self.move_to_end(key)
        return self[key]

    def set(self, key: Key, row: Row) -> None:
        """Store a row, which is then the most recently used."""
        if key in self:
            self.move_to_end(key)
        elif len(self) >= self._size:
            self.popitem(last=False)
        self[key] = row

    def add(self, key: Key, row: tuple[int, ...]) -> None:
        """Add to each value, wrapping at its width; what is not there counts as zero."""
        self.set(key, _sums(self.get(key), row, self._widths))


def _sums(old: Row | None, row: tuple[int, ...], widths: tuple[int | bytes, ...]) -> Row:
    return tuple((int(a) + b) % (1 << int(w)) for a, b, w in zip(old or (0,) * len(row), row, widths, strict=True))


class Ranges:
    """A table of disjoint closed ranges of integers: rows (low, high, values)."""

    def __init__(self, rows: list[tuple[int, int, tuple[int, ...]]]) -> None:
        self.fill(rows)

    def fill(self, rows: list[tuple[int, int, tuple[int, ...]]]) -> None:
        """Put other rows in the place of all."""
        self.rows = self._rows = sorted(rows)
        self._lows = [low for low, _, _ in self._rows]

    def get(self, key: int) -> tuple[int, ...] | None:
        """Return the values of the range that holds `key`, or None."""
        at = bisect_right(self._lows, key) - 1
        if at < 0 or key > self._rows[at][1]:
            return None
        return self._rows[at][2]


class Prefixes:
    """A table of prefixes of `width` bits: rows (value, length, values). The longest match wins."""

    def __init__(self, width: int, rows: list[tuple[int, int, tuple[int, ...]]]) -> None:
        self._width = width
        self.fill(rows)

    def fill(self, rows: list[tuple[int, int, tuple[int, ...]]]) -> None:
        """Put other rows in the place of all."""
        self.rows = rows
        by_shift: dict[int, dict[int, tuple[int, ...]]] = {}
        for value, length, values in rows:
            shift = self._width - length
            by_shift.setdefault(shift, {})[value >> shift] = values
        self._by_shift = sorted(by_shift.items())

    def get(self, key: int) -> tuple[int, ...] | None:
        """Return the values of the longest prefix of `key`, or None."""
        for shift, values in self._by_shift:
            found = values.get(key >> shift)
            if found is not None:
                return found
        return None


def refill(kind: str, table: Any, rows: Sequence[Entry]) -> bool:  # noqa: ANN401  (of a kind of table)
    """Put rows, each what it matches and what it gives, in the place of those of an emitted table of a `kind`; return
    whether the table takes them. A list of entries keeps its length, by which the program chooses.
    """
    if kind in {"range", "lpm"}:
        if any(len(match) != 2 for match, _ in rows):  # noqa: PLR2004  (low and high; prefix and length)
            return False
        table.fill([(*match, values) for match, values in rows])
        return True
    if kind == "array" and {match for match, _ in rows} != {(index,) for index in table}:
        return False
    table.clear()
    table.update({match[0] if kind == "array" else match: values for match, values in rows})
    return True


def rows_of(kind: str, table: Any) -> tuple[Entry, ...]:  # noqa: ANN401  (of a kind of table)
    """Return the rows of an emitted table of a `kind`, each what it matches and what it gives: what `refill` takes."""
    if kind in {"range", "lpm"}:
        return tuple((row[:2], row[2]) for row in table.rows)
    return tuple(((match,) if kind == "array" else match, values) for match, values in table.items())


class BitStruct:
    """`struct.Struct` for fields of any width, most significant bit first: `BitStruct("3 13 4s")` is three bits,
    thirteen bits and four bytes.
    """

    def __init__(self, fields: str) -> None:
        words = fields.split()
        self._bytes = [word.endswith("s") for word in words]
        self._widths = [8 * int(w[:-1]) if w.endswith("s") else int(w) for w in words]
        self.size = sum(self._widths) // 8

    def pack(self, *values: int | bytes) -> bytes:
        """Return the bytes of the fields; ValueError when a value does not fit its field."""
        whole = 0
        for value, width, is_bytes in zip(values, self._widths, self._bytes, strict=True):
            number = int.from_bytes(value, "big") if isinstance(value, bytes) else value
            fits = len(value) * 8 == width if isinstance(value, bytes) else not is_bytes and 0 <= value < 1 << width
            if not fits:
                msg = f"{value!r} does not fit a field of {width} bits"
                raise ValueError(msg)
            whole = whole << width | number
        return whole.to_bytes(self.size, "big")

    def unpack_from(self, data: bytes, offset: int = 0) -> list[int | bytes]:
        """Return the fields that begin at a byte of the data, which is long enough."""
        whole, left = int.from_bytes(data[offset : offset + self.size], "big"), 8 * self.size
        values: list[int | bytes] = []
        for width, is_bytes in zip(self._widths, self._bytes, strict=True):
            left -= width
            number = whole >> left & ((1 << width) - 1)
            values.append(number.to_bytes(width // 8, "big") if is_bytes else number)
        return values


class Secrets(MutableMapping[str, bytes]):
    """Key material by name. Asking for a name that was not given says so. `derived` are made of secrets, by the same
    names, and forgotten when those change.
    """

    def __init__(self) -> None:
        self._given: dict[str, bytes] = {}
        self.derived: list[dict[str, Any]] = []

    def __getitem__(self, name: str) -> bytes:
        """Return a secret; LookupError when it was not given."""
        try:
            return self._given[name]
        except KeyError:
            msg = f"the program needs the secret `{name}`: give it in SECRETS before the first message"
            raise LookupError(msg) from None

    def __setitem__(self, name: str, secret: bytes) -> None:
        self._given[name] = secret
        self._forget(name)

    def __delitem__(self, name: str) -> None:
        del self._given[name]
        self._forget(name)

    def _forget(self, name: str) -> None:
        for made in self.derived:
            made.pop(name, None)

    def __iter__(self) -> Iterator[str]:
        return iter(self._given)

    def __len__(self) -> int:
        return len(self._given)


def fix_checksum(  # noqa: PLR0913  (as many as the update has inputs)
    packet: bytearray, at: int, old: int, new: int, words: int, *, optional: bool
) -> None:
    """Update the Internet checksum at byte `at` for a value of `words` 16-bit words that changed (RFC 1624, eqn. 3).

    With `optional`, 0 means that there is none and stays, and a result of 0 is written as 0xffff (RFC 768).
    """
    checksum = packet[at] << 8 | packet[at + 1]
    if optional and checksum == 0:
        return
    total = ~checksum & 0xFFFF
    for shift in range(0, 16 * words, 16):
        total += (~(old >> shift) & 0xFFFF) + (new >> shift & 0xFFFF)
    total = (total & 0xFFFF) + (total >> 16)
    total = ~((total & 0xFFFF) + (total >> 16)) & 0xFFFF
    if optional and total == 0:
        total = 0xFFFF
    packet[at], packet[at + 1] = total >> 8, total & 0xFF
