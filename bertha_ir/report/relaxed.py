"""The limits of a site, each left out in turn: what stands between a plan and a better one."""

from __future__ import annotations

from typing import TYPE_CHECKING

from attrs import evolve, frozen

if TYPE_CHECKING:
    from collections.abc import Iterator

    from bertha_ir.spec import Policy, Site

SCARCE = ("flows", "entries", "slots")
"""What devices have a bounded amount of, where the site says so."""


@frozen
class Relaxed:
    """A site without one of its limits; `without` says in words which."""

    without: str
    site: Site


def relaxations(site: Site) -> Iterator[Relaxed]:
    """Yield the site without each of its limits: rules of the policy, and what devices have little of."""
    for without, policy in _policies(site.policy):
        yield Relaxed(without, evolve(site, policy=policy))
    trusted = site.policy.trust
    for device in (d for d in site.devices if trusted and d.name not in trusted):
        policy = evolve(site.policy, trust=(*trusted, device.name))
        yield Relaxed(f"if `{device.name}` were trusted", evolve(site, policy=policy))
    for at, device in enumerate(site.devices):
        for attribute in (a for a in device.attributes if a.name in SCARCE):
            more = evolve(device, attributes=tuple(a for a in device.attributes if a is not attribute))
            devices = (*site.devices[:at], more, *site.devices[at + 1 :])
            yield Relaxed(
                f"if `{device.name}` had more than {attribute.value} {attribute.name}", evolve(site, devices=devices)
            )


def _policies(policy: Policy) -> Iterator[tuple[str, Policy]]:
    for deny in policy.deny:
        left = tuple(rule for rule in policy.deny if rule is not deny)
        yield f"without `deny {deny.chunnel} on {deny.device}`", evolve(policy, deny=left)
    for prefer in policy.prefer:
        others = tuple(rule for rule in policy.prefer if rule is not prefer)
        devices = ", ".join(prefer.devices)
        yield f"without `prefer {prefer.chunnel} on [{devices}]`", evolve(policy, prefer=others)
    for demand in policy.demands:
        rest = tuple(rule for rule in policy.demands if rule is not demand)
        names = ", ".join(demand.guarantees)
        yield f"without `require {names} on {demand.device}`", evolve(policy, demands=rest)
