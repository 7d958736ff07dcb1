"""How an end's messages go from one stage of its program to the next, when some stages send further messages."""

from __future__ import annotations

from typing import TYPE_CHECKING, Any

if TYPE_CHECKING:
    from collections.abc import Callable

    Run = Callable[[Any, list[bytes], list[bytes]], Any]


class Stage:
    """A function of an emitted module. It is given a message, and two lists: for what it emits and for what it replies.
    It returns what it passes on, or None. `then` takes that, and after it what was emitted; `back` what was replied.
    """

    __slots__ = ("_back", "_run", "_then")

    def __init__(self, run: Run, then: Stage | None = None, back: Stage | None = None) -> None:
        self._run, self._then, self._back = run, then, back

    def __call__(self, message: Any, returning: list[bytes]) -> list[Any]:  # noqa: ANN401  (a record, or bytes)
        """Return what leaves the end, in order; what is returned to the other end is added to `returning`."""
        emitted: list[bytes] = []
        replied: list[bytes] = []
        passed = self._run(message, emitted, replied)
        for reply in replied:
            returning += [reply] if self._back is None else self._back(reply, [])
        found = emitted if passed is None else [passed, *emitted]
        if self._then is None:
            return found
        return [one for message_ in found for one in self._then(message_, returning)]
