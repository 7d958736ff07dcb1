"""What a body's message is made of so far, so that bytes are joined once, and cut only where they are used."""

from __future__ import annotations

from typing import TYPE_CHECKING

from attrs import define, frozen

if TYPE_CHECKING:
    from collections.abc import Callable

INDENT = "    "
LONGEST = 110  # characters of a statement with several parts


@frozen
class Pieces:
    """Bytes that are not joined yet: `parts` are expressions, or constants; they are `fixed` bytes and as many as the
    variables in `rest` have.
    """

    parts: tuple[str | bytes, ...]
    fixed: int = 0
    rest: tuple[str, ...] = ()

    def behind(self, part: str | bytes, size: int) -> Pieces:
        """Return these with a part of so many bytes in front."""
        first, *others = self.parts
        if isinstance(part, bytes) and isinstance(first, bytes):
            return Pieces((part + first, *others), self.fixed + size, self.rest)
        return Pieces((part, *self.parts), self.fixed + size, self.rest)

    def lines(self, start: str) -> list[str]:
        """Return a statement that begins with `start` and ends with the expression that joins them."""
        if len(start) + len(self.text) <= LONGEST or len(self.parts) == 1:
            return [f"{start}{self.text}"]
        first, *others = (part if isinstance(part, str) else repr(part) for part in self.parts)
        return [f"{start}(", f"{INDENT}{first}", *(f"{INDENT}+ {text}" for text in others), ")"]

    @property
    def text(self) -> str:
        """The expression that joins them."""
        return " + ".join(part if isinstance(part, str) else repr(part) for part in self.parts)

    @property
    def size(self) -> str:
        """The expression of their length."""
        terms = [f"len({name})" for name in self.rest] + [str(self.fixed)] * (self.fixed > 0 or not self.rest)
        return " + ".join(terms)


@define
class Payload:
    """The payload is what the variable `name` holds from byte `front` on, or, when there are, `pieces`.

    `say` takes the statement that joins pieces. A variable called `packet` is a `bytearray`.
    """

    name: str
    say: Callable[[str], None]
    front: int = 0
    pieces: Pieces | None = None

    def join(self) -> None:
        """Let the variable hold the payload, alone or with something in front of it."""
        if self.pieces:
            lines = self.pieces.lines(f"{self.name} = ")
            self.put()
            for line in lines:
                self.say(line)

    def put(self) -> None:
        """Take note that the variable is given the whole payload, and nothing else."""
        self.front, self.pieces = 0, None

    def text(self) -> str:
        """Return the expression of the payload as `bytes`."""
        self.join()
        return as_bytes(f"{self.name}[{self.front}:]" if self.front else self.name)

    def size(self) -> str:
        """Return the expression of its length."""
        if self.pieces:
            return f"({self.pieces.size})"
        return f"(len({self.name}) - {self.front})" if self.front else f"len({self.name})"

    def whole(self) -> Pieces:
        """Return it in pieces."""
        if self.pieces:
            return self.pieces
        text = self.text()
        return Pieces((text,), 0, (text if self.front else self.name,))


def as_bytes(buffer: str) -> str:
    """Return the expression that gives a variable's content, or a slice of it, as `bytes`."""
    return f"bytes({buffer})" if buffer.startswith("packet") else buffer
