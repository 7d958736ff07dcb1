"""Plans to explain: the talk's example, and one whose names try to break out of whatever they are put into."""

from project import ROOT

from bertha_ir.plan import Binding, Crossing, Outline, Plan

SLIDES = ROOT / "examples" / "slides_smartnic"
FILES = [str(SLIDES / "web.chunnel"), str(SLIDES / "offloads.chunnel"), "--site", str(SLIDES / "site.chunnel")]
HOSTILE = "</text><script>\"&\x1b'\\"
ODD = Plan(
    HOSTILE,
    (HOSTILE, HOSTILE),
    (None, None),
    None,
    (HOSTILE, HOSTILE),
    (Binding(HOSTILE, "request", HOSTILE, "python", "process", active=True, reason=HOSTILE, latency_ns=None),),
    crossings=(Crossing("request", HOSTILE, HOSTILE, HOSTILE),),
    before=Outline(((f"request.{HOSTILE}", HOSTILE),), ((HOSTILE, 1),), None),
)
