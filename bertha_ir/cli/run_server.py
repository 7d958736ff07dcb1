"""The server of `bertha run`: serves a stack, and says so: to who started it, to `bertha status`, to Prometheus."""

from __future__ import annotations

import json
import logging
import shutil
from contextlib import AsyncExitStack
from importlib.util import module_from_spec, spec_from_file_location
from pathlib import Path
from typing import TYPE_CHECKING, Any

from bertha_ir.cli import run_answers
from bertha_ir.cli.output import SCHEMA
from bertha_ir.cli.status import NO, UsageError
from bertha_ir.cli.stream import complain, flush, say
from bertha_ir.runtime.connections import server as connections
from bertha_ir.runtime.connections.ways import ways
from bertha_ir.runtime.described import described
from bertha_ir.runtime.metrics import CONTENT, rendered
from bertha_ir.runtime.negotiation.patience import Patience
from bertha_ir.runtime.presence import Presence, PresenceError
from bertha_ir.runtime.responder import respond
from bertha_ir.runtime.udp import LARGEST, address, endpoint

if TYPE_CHECKING:
    import argparse
    from collections.abc import Mapping, Sequence

    from bertha_ir.runtime.connections.life import Host
    from bertha_ir.runtime.connections.server import Policy, Server
    from bertha_ir.runtime.udp import Address, Endpoint

PAGE = "/metrics"
log = logging.getLogger(__name__)


async def serve(parsed: argparse.Namespace, folders: Sequence[Path], secrets: Mapping[str, bytes], host: Host) -> int:
    """Serve until cancelled; return a status when it cannot be. Raises `ArtifactError`, and OSError for an address."""
    answer = _answer(parsed.words)
    policy = _policy(parsed.policy) if parsed.policy else None
    async with AsyncExitStack() as ending:
        try:
            mapped, negotiate = _addresses(parsed, folders)
            server = await connections.serve(
                folders, parsed.stack, negotiate, mapped=mapped, secrets=secrets, host=host, policy=policy,
                push=bool(parsed.push), patience=Patience(whole=parsed.timeout),
            )  # fmt: skip
            await ending.enter_async_context(server)
            metrics = await _metrics(server, parsed.metrics, ending) if parsed.metrics else None
        except OSError as error:
            complain(f"bertha run: error: an address cannot be had: {(error.strerror or str(error)).lower()}\n")
            complain("hint: endpoints of the stack may really be elsewhere: --listen IP:PORT, --map A=B\n")
            return NO
        await _present(server, metrics, ending)
        _announce(server, metrics, as_json=parsed.json)
        async with run_answers.Answers(answer) as answers:
            async for connection in server:
                answers.begin(connection)
    return NO


def _answer(words: Sequence[str] | None) -> run_answers.Answer:
    if not words:
        return run_answers.echo
    if shutil.which(words[0]) is None:
        msg = f"there is no command `{words[0]}`"
        raise UsageError(msg, "what stands behind `--` is a program, and its arguments")
    return run_answers.Command(words)


def _addresses(parsed: argparse.Namespace, folders: Sequence[Path]) -> tuple[dict[Endpoint, Address], Address | None]:
    """Return where endpoints really are, and where offers come to, by default behind the service. Raises `UsageError`
    for an endpoint that the stack does not have.
    """
    known = ways(folders, parsed.stack)
    ends = {way.service for way in known}.union(*(map(endpoint, way.stack.endpoints) for way in known))
    mapped = {endpoint(named): real for named, real in parsed.map}
    for ip, port in map(address, mapped.keys() - ends):
        msg = f"the stack `{parsed.stack}` has no endpoint {ip}:{port}"
        raise UsageError(msg, f"it has {', '.join(f'{i}:{p}' for i, p in map(address, sorted(ends)))}")
    if parsed.listen is None:
        return mapped, parsed.negotiate
    ip, port = parsed.listen
    mapped[known[0].service] = parsed.listen
    return mapped, parsed.negotiate or (ip, port + 1 if 0 < port < LARGEST else 0)


async def _metrics(server: Server, at: Address, ending: AsyncExitStack) -> Address:
    def page() -> str:
        return rendered([described(server, each=False)])

    responder = await respond(page, at, PAGE, CONTENT)
    ending.callback(responder.close)
    found: Address = responder.sockets[0].getsockname()
    return found


async def _present(server: Server, metrics: Address | None, ending: AsyncExitStack) -> None:
    """Be found by `bertha status`, if that is possible: the server is of use without it."""
    try:
        await ending.enter_async_context(Presence(lambda: described(server, metrics=metrics)))
    except PresenceError as error:
        log.warning("`bertha status` will not show this server: %s", error)


def _announce(server: Server, metrics: Address | None, *, as_json: bool) -> None:
    """Say where the server is, in a line."""
    found = described(server, metrics=metrics)
    if as_json:
        keys = ("stack", "pid", "listen", "negotiate", "metrics", "known")
        say(json.dumps({"schema": SCHEMA, "ok": True, **{key: found[key] for key in keys}}) + "\n")
    else:
        scraped = f", metrics at http://{found['metrics']}{PAGE}" if metrics else ""
        say(f"serving {found['stack']} at {found['listen']}, negotiating at {found['negotiate']}{scraped}\n")
    flush()


def _policy(name: str) -> Policy:
    """Return the function of a Python file that puts plans in order. Raises `UsageError`."""
    path, _, attribute = name.rpartition(":")
    spec = spec_from_file_location("bertha_user_policy", path) if path.endswith(".py") else None
    if spec is None or spec.loader is None or not Path(path).is_file():
        msg = f"there is no Python file `{path or name}`"
        raise UsageError(msg, "write --policy FILE.py:FUNCTION")
    module = module_from_spec(spec)
    try:
        spec.loader.exec_module(module)
    except Exception as error:
        msg = f"`{path}` cannot be imported: {' '.join(f'{type(error).__name__}: {error}'.split())}"
        raise UsageError(msg, "a policy is a function of a Python file") from error
    function: Any = getattr(module, attribute, None)
    if not callable(function):
        msg = f"`{path}` has no function `{attribute}`"
        raise UsageError(msg, "it is given plans, and returns those that are allowed, the best first")
    found: Policy = function
    return found
