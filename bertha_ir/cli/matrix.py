"""`bertha prove --all`: which chunnels of the library may trade places, as a table, as JSON or as a page."""

from __future__ import annotations

from typing import TYPE_CHECKING

from bertha_ir.cli.output import say_json
from bertha_ir.cli.prove import progress, prover_of, verdict_data
from bertha_ir.cli.status import DONE, UNSETTLED
from bertha_ir.cli.stream import say
from bertha_ir.frontend.load import load_uses
from bertha_ir.frontend.uses import library_uses
from bertha_ir.passes.smt.matrix import MARKS, Pair, matrix

if TYPE_CHECKING:
    import argparse

LEGEND = {
    "wire": "may trade places, whoever looks at the wire",
    "end-to-end": "may trade places if both ends do",
    "refuted": "may not: a message shows why",
    "unknown": "not settled",
}


def run_all(parsed: argparse.Namespace) -> int:
    """Print the verdict on every ordered pair of the library's chunnels with sample arguments, and of chains given."""
    texts = [*library_uses(), *parsed.chains]
    specification, chains = load_uses(parsed.file, texts)
    named = {_name(text, texts): chain for text, chain in zip(texts, chains, strict=True)}
    pairs = matrix(prover_of(parsed, specification), named, progress)
    if parsed.json:
        found = [{"above": p.above, "below": p.below, **_data(p)} for p in pairs]
        say_json(ok=_settled(pairs), chunnels=dict(zip(named, texts, strict=True)), pairs=found)
    elif parsed.markdown:
        say(page(dict(zip(named, texts, strict=True)), pairs))
    else:
        say(_text(list(named), pairs))
    return DONE if _settled(pairs) else UNSETTLED


def _data(pair: Pair) -> dict[str, object]:
    return {"wire": verdict_data(pair.wire), "end_to_end": verdict_data(pair.ends)}


def _name(text: str, texts: list[str]) -> str:
    """Return the chunnel's name, or the whole text where that is not enough."""
    name = text.partition("(")[0].strip()
    return name if sum(t.partition("(")[0].strip() == name for t in texts) == 1 and "|>" not in text else text


def _settled(pairs: tuple[Pair, ...]) -> bool:
    return all(v.status != "unknown" for p in pairs for v in p.verdicts)


def _text(names: list[str], pairs: tuple[Pair, ...]) -> str:
    marks = {(p.above, p.below): MARKS[p.mark] for p in pairs}
    width = max(map(len, names))
    lines = [f"{name:<{width}}  {' '.join(marks.get((name, other), ' ') for other in names)}" for name in names]
    head = [" " * width + "  " + " ".join(n[row] if row < len(n) else " " for n in names) for row in range(width)]
    text = "above |> below: rows above, columns below\n\n" + "\n".join((*(h.rstrip() for h in head), *lines)) + "\n\n"
    return text + "".join(f"{MARKS[k]} {meaning}: {sum(p.mark == k for p in pairs)}\n" for k, meaning in LEGEND.items())


def page(chunnels: dict[str, str], pairs: tuple[Pair, ...]) -> str:
    """Return the matrix as a page in Markdown, with the reason of each pair that may not."""
    marks = {(p.above, p.below): MARKS[p.mark] for p in pairs}
    counts = "\n".join(f"- {MARKS[k]} {m}: {sum(p.mark == k for p in pairs)}" for k, m in LEGEND.items())
    used = "\n".join(f"- `{text}`" for text in chunnels.values())
    lines = ["| above, below | " + " | ".join(chunnels) + " |", "|---" * (len(chunnels) + 1) + "|"]
    for name in chunnels:
        cells = " | ".join(marks.get((name, other), "") for other in chunnels)
        lines.append(f"| {name} | {cells} |")
    rows = "\n".join(lines)
    return (
        "# Which chunnels may trade places\n\n"
        "Made by `bertha prove --all --markdown` from every ordered pair of the library's chunnels, used like this:\n\n"
        f"{used}\n\n`above |> below` becomes `below |> above`:\n\n{counts}\n\n{rows}\n"
    )
