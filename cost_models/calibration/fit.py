"""Least squares with no negative figures: what each kind of work takes, from how long programs took."""

from __future__ import annotations

from typing import TYPE_CHECKING

if TYPE_CHECKING:
    from collections.abc import Mapping, Sequence

SWEEPS, SETTLED = 20_000, 1e-9


def fit(rows: Sequence[Mapping[str, float]], times: Sequence[float]) -> dict[str, float]:
    """Return the time of one unit of each feature: non-negative, least in the squares of the relative errors.

    Coordinate descent on the normal equations, which for this convex problem comes to the one minimum (or one of
    several equal ones, where programs do not tell two features apart).
    """
    names = sorted({name for row in rows for name in row})
    scaled = [[row.get(name, 0.0) / time for name in names] for row, time in zip(rows, times, strict=True)]
    gram = [[sum(row[i] * row[j] for row in scaled) for j in range(len(names))] for i in range(len(names))]
    target = [sum(row[i] for row in scaled) for i in range(len(names))]
    found = [0.0] * len(names)
    for _ in range(SWEEPS):
        change = 0.0
        for i, line in enumerate(gram):
            if line[i] == 0.0:
                continue
            slope = target[i] - sum(g * x for g, x in zip(line, found, strict=True))
            new = max(0.0, found[i] + slope / line[i])
            change = max(change, abs(new - found[i]) * line[i] ** 0.5)
            found[i] = new
        if change < SETTLED:
            break
    return dict(zip(names, found, strict=True))


def line(sizes: Sequence[float], times: Sequence[float]) -> tuple[float, float]:
    """Return the fixed part and the part per byte that fit times by size best, neither negative."""
    found = fit([{"fixed": 1.0, "each": size} for size in sizes], times)
    return found["fixed"], found["each"]
