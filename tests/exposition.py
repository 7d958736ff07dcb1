"""A strict parser of Prometheus's text format: what it takes, a collector takes."""

import re
from dataclasses import dataclass, field

NAME = r"[a-zA-Z_:][a-zA-Z0-9_:]*"
LABEL = r'([a-zA-Z_][a-zA-Z0-9_]*)="((?:[^"\\\n]|\\[\\"n])*)"'
SAMPLE = re.compile(rf"({NAME})(?:\{{({LABEL}(?:,{LABEL})*)\}})? (\S+)")
ESCAPES = {"\\\\": "\\", '\\"': '"', "\\n": "\n"}
KINDS = {"counter", "gauge"}


class Malformed(Exception):  # noqa: N818  (what a text is)
    """A text is not in the format."""


@dataclass
class Family:
    """The samples of a metric, by their labels, sorted."""

    kind: str
    samples: dict[tuple[tuple[str, str], ...], float] = field(default_factory=dict)

    def value(self, **labels):
        """Return the sample with exactly those labels."""
        return self.samples[tuple(sorted(labels.items()))]


def parse(text):
    """Return the metrics of a text, by name. Each has HELP, then TYPE, then its samples, together; each sample is there
    once; counters are finite and not negative.
    """
    found = {}
    if text and not text.endswith("\n"):
        msg = "the last line does not end"
        raise Malformed(msg)
    lines = text.split("\n")[:-1]
    at, name = 0, None
    while at < len(lines):
        if lines[at].startswith("#"):
            name, kind = _head(*lines[at : at + 2]) if at + 1 < len(lines) else _wrong(lines[at])
            if name in found:
                _wrong(lines[at])
            found[name] = Family(kind)
            at += 2
            continue
        labels, value = _sample(lines[at], name)
        if labels in found[name].samples or (found[name].kind == "counter" and not 0 <= value < float("inf")):
            _wrong(lines[at])
        found[name].samples[labels] = value
        at += 1
    if not all(family.samples for family in found.values()):
        _wrong("a metric without samples")
    return found


def _head(first, second):
    help_ = re.fullmatch(rf"# HELP ({NAME}) ((?:[^\\]|\\[\\n])+)", first)
    kind = re.fullmatch(rf"# TYPE ({NAME}) (\w+)", second)
    if not help_ or not kind or help_[1] != kind[1] or kind[2] not in KINDS:
        _wrong(first)
    return kind[1], kind[2]


def _sample(line, name):
    match = SAMPLE.fullmatch(line)
    if not match or match[1] != name:
        _wrong(line)
    labels = {key: re.sub(r"\\.", lambda m: ESCAPES[m[0]], text) for key, text in re.findall(LABEL, match[2] or "")}
    try:
        return tuple(sorted(labels.items())), float(match[match.lastindex])
    except ValueError:
        _wrong(line)


def _wrong(line):
    raise Malformed(line)
