"""Schedules: many connections share a few resources, each connection by one of its kind's options, at the least cost.

Knows nothing of chunnels: `solve` takes resources and kinds, and returns who uses what, with a proof or a gap.
"""

from bertha_ir.passes.schedule.engine import solve
from bertha_ir.passes.schedule.model import (
    CannotServeError,
    Hysteresis,
    Kind,
    MistakenError,
    NothingFoundError,
    Option,
    Resource,
    ScheduleError,
    Shortage,
)
from bertha_ir.passes.schedule.result import Decision, Proof, Reason, Schedule, Served, Usage

__all__ = [
    "CannotServeError",
    "Decision",
    "Hysteresis",
    "Kind",
    "MistakenError",
    "NothingFoundError",
    "Option",
    "Proof",
    "Reason",
    "Resource",
    "Schedule",
    "ScheduleError",
    "Served",
    "Shortage",
    "Usage",
    "solve",
]
