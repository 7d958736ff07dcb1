"""`bertha cost-models`: list the cost models and profiles, show a profile's figures, check a model, or try a profile
against this host.
"""

from __future__ import annotations

from collections import Counter
from typing import TYPE_CHECKING

from attrs import asdict

from bertha_ir.cli.output import say_json, summary, table
from bertha_ir.cli.status import DONE, NO, UsageError
from bertha_ir.cli.stream import say
from bertha_ir.cost_models import UnknownModelError, load
from bertha_ir.cost_models.figures import MARKS, Profile, ProfileError, load_profile, profile_names
from bertha_ir.cost_models.registry import COST_MODELS

if TYPE_CHECKING:
    import argparse


def run(parsed: argparse.Namespace) -> int:
    """Print what was asked for; without options, the cost models that there are."""
    if (parsed.svg is not None or parsed.quick) and not parsed.validate:
        message = "--svg and --quick are forms of --validate"
        raise UsageError(message, "see `bertha cost-models --help`")
    if parsed.profile is not None and (parsed.check is not None or parsed.profiles):
        message = "--profile goes alone, or with --validate"
        raise UsageError(message, "see `bertha cost-models --help`")
    if parsed.validate:
        from bertha_ir.cli.validate import run_validation  # noqa: PLC0415  (only where it is wanted)

        return run_validation(parsed)
    if parsed.check is not None:
        return _check(parsed.check, as_json=parsed.json)
    if parsed.profiles:
        return _profiles(as_json=parsed.json)
    if parsed.profile is not None:
        return _profile(opened(parsed.profile), as_json=parsed.json)
    return _models(as_json=parsed.json)


def opened(name: str) -> Profile:
    """Return a profile by its name or path; wrong usage when there is none."""
    try:
        return load_profile(name)
    except ProfileError as error:
        raise UsageError(str(error), "`bertha cost-models --profiles` lists them") from error


def _models(*, as_json: bool) -> int:
    known = [(name, COST_MODELS.get(name)) for name in COST_MODELS.names()]
    if as_json:
        models = [{"name": name, "summary": summary(cls), "module": cls.__module__} for name, cls in known]
        say_json(ok=True, cost_models=models)
    else:
        say(table([(name, summary(cls), cls.__module__) for name, cls in known]))
    return DONE


def _profiles(*, as_json: bool) -> int:
    rows = [(profile, Counter(f.mark for _, _, f in profile.figures)) for profile in map(load_profile, profile_names())]
    if as_json:
        say_json(ok=True, profiles=[_overview(profile, marks) for profile, marks in rows])
        return DONE
    heads = ("", *MARKS, "sections")
    lines = [(p.name, *(str(marks[m] or "") for m in MARKS), ", ".join(s for s, _ in p.sections)) for p, marks in rows]
    say(table([heads, *lines]) + "\n" + _key())
    return DONE


def _overview(profile: Profile, marks: Counter[str]) -> dict[str, object]:
    return {"name": profile.name, "sections": [s for s, _ in profile.sections], "marks": {m: marks[m] for m in MARKS}}


def _key() -> str:
    return table(list(MARKS.items()))


def _profile(profile: Profile, *, as_json: bool) -> int:
    if as_json:
        figures = [{"section": section, "name": name, **asdict(f)} for section, name, f in profile.figures]
        say_json(ok=True, name=profile.name, figures=figures)
        return DONE
    for section, body in profile.sections:
        rows = [(n, f"{f.value:g} {f.unit}", f.mark, f"{f.source}; {f.conditions}") for n, f in body]
        say(f"{section}\n" + (table(rows, "  ") if rows else ""))
    say("\n" + _key())
    return DONE


def _check(name: str, *, as_json: bool) -> int:
    from bertha_ir.cost_models.conformance import violations  # noqa: PLC0415  (only where it is wanted)

    try:
        broken = violations(load(name))
    except UnknownModelError as error:
        raise UsageError(str(error), "`bertha cost-models` lists them") from error
    if as_json:
        say_json(ok=not broken, name=name, violations=list(broken))
    else:
        say("".join(f"{sentence}\n" for sentence in broken) or f"`{name}` keeps what a cost model must keep\n")
    return NO if broken else DONE
