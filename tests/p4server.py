"""A P4Runtime server in this process that holds to the specification (1.3): ids, widths, canonical bytes, priorities,
election ids, and a program before its entries. It forwards nothing.
"""

from __future__ import annotations

from concurrent.futures import ThreadPoolExecutor
from contextlib import contextmanager
from queue import SimpleQueue
from threading import Lock
from typing import TYPE_CHECKING

import grpc
from finsy.proto import U128, p4i, p4r, p4r_grpc, rpc_code, rpc_status
from google.protobuf.any_pb2 import Any

if TYPE_CHECKING:
    from collections.abc import Iterator

CODES = {code.value[0]: code for code in grpc.StatusCode}
FIELDS = {p4i.MatchField.EXACT: "exact", p4i.MatchField.LPM: "lpm", p4i.MatchField.RANGE: "range"}


class RefusalError(Exception):
    """Why an update, or a call, is refused."""

    def __init__(self, code: int, message: str) -> None:
        super().__init__(message)
        self.code, self.message = code, message


def require(held: object, message: str, code: int = rpc_code.INVALID_ARGUMENT) -> None:
    if not held:
        raise RefusalError(code, message)


class Server(p4r_grpc.P4RuntimeServicer):
    """One device. Tests may look at, and change, what it holds; `refuses` are tables that take nothing."""

    def __init__(self, device_id: int = 0) -> None:
        self.device_id = device_id
        self.config: p4r.ForwardingPipelineConfig | None = None
        self.entries: dict[bytes, p4r.TableEntry] = {}
        self.calls: list[str] = []
        self.refuses: set[int] = set()
        self.forgets_marks = self.loses_entries = self.refuses_programs = False
        self.highest = 0
        self.silent = False
        self.before_write = lambda: None
        self._streams: dict[int, SimpleQueue] = {}
        self._lock = Lock()
        self.address = ""

    # The stream, and who is the primary.

    def StreamChannel(self, requests, context):  # noqa: N802  (gRPC's name)
        heard = SimpleQueue()
        bid = next(requests).arbitration
        if self.silent:
            heard.get(timeout=20)
        if bid.device_id != self.device_id:
            context.abort(grpc.StatusCode.NOT_FOUND, f"there is no device {bid.device_id}")
        election = U128.decode(bid.election_id)
        with self._lock:
            taken = election in self._streams
            if not taken:
                self._streams[election] = heard
                self.highest = max(self.highest, election)
        if taken:
            context.abort(grpc.StatusCode.INVALID_ARGUMENT, "Election id already exists")
        context.add_callback(lambda: self._left(election, heard))
        self._tell()
        while (update := heard.get()) is not None:
            yield p4r.StreamMessageResponse(arbitration=update)

    def _left(self, election: int, heard: SimpleQueue) -> None:
        with self._lock:
            del self._streams[election]
        heard.put(None)
        self._tell()

    def _tell(self) -> None:
        with self._lock:
            there = self.highest in self._streams
            for election, heard in self._streams.items():
                code = rpc_code.NOT_FOUND if not there else rpc_code.ALREADY_EXISTS
                status = rpc_status.Status(code=rpc_code.OK if election == self.highest else code)
                heard.put(
                    p4r.MasterArbitrationUpdate(
                        device_id=self.device_id, election_id=U128.encode(self.highest), status=status
                    )
                )

    def _check_primary(self, request) -> None:
        require(request.device_id == self.device_id, "no such device", rpc_code.NOT_FOUND)
        election = U128.decode(request.election_id)
        primary = election == self.highest and election in self._streams
        require(primary, "not primary", rpc_code.PERMISSION_DENIED)

    # The program.

    def SetForwardingPipelineConfig(self, request, context):  # noqa: N802
        self.calls.append("program")
        with answered(context):
            self._check_primary(request)
            commit = p4r.SetForwardingPipelineConfigRequest.VERIFY_AND_COMMIT
            require(request.action == commit, "unknown action", rpc_code.UNIMPLEMENTED)
            require(request.config.HasField("p4info"), "no p4info")
            require(request.config.p4_device_config and not self.refuses_programs, "no\x1b[31m\ndevice config")
            self.config, self.entries = request.config, {}
        return p4r.SetForwardingPipelineConfigResponse()

    def GetForwardingPipelineConfig(self, request, context):  # noqa: N802
        answer = p4r.GetForwardingPipelineConfigResponse()
        with answered(context):
            require(request.device_id == self.device_id, "no such device", rpc_code.NOT_FOUND)
            require(self.config, "No forwarding pipeline config set", rpc_code.FAILED_PRECONDITION)
            answer.config.p4info.CopyFrom(self.config.p4info)
            if self.config.HasField("cookie"):
                answer.config.cookie.CopyFrom(self.config.cookie)
        return answer

    # The entries.

    def Write(self, request, context):  # noqa: N802
        self.before_write()
        with answered(context):
            self._check_primary(request)
            require(self.config, "No forwarding pipeline config set", rpc_code.FAILED_PRECONDITION)
        errors = [self._update(update) for update in request.updates]
        if any(error.canonical_code for error in errors):
            details = [Any() for _ in errors]
            for detail, error in zip(details, errors, strict=True):
                detail.Pack(error)
            status = rpc_status.Status(code=rpc_code.UNKNOWN, message="write failed", details=details)
            context.set_trailing_metadata((("grpc-status-details-bin", status.SerializeToString()),))
            context.abort(grpc.StatusCode.UNKNOWN, "write failed")
        return p4r.WriteResponse()

    def Read(self, request, context):  # noqa: N802
        with answered(context):
            require(request.device_id == self.device_id, "no such device", rpc_code.NOT_FOUND)
            require(self.config, "No forwarding pipeline config set", rpc_code.FAILED_PRECONDITION)
            (entity,) = request.entities
            require(entity.HasField("table_entry") and not entity.table_entry.table_id, "only all tables are read")
        for entry in list(self.entries.values()):
            yield p4r.ReadResponse(entities=[p4r.Entity(table_entry=entry)])

    def _update(self, update) -> p4r.Error:
        self.calls.append(p4r.Update.Type.Name(update.type).lower())
        try:
            entry = update.entity.table_entry
            key = self._key(entry)
            there = key in self.entries
            if update.type == p4r.Update.DELETE:
                require(there, "no such entry", rpc_code.NOT_FOUND)
                del self.entries[key]
                return p4r.Error()
            self._check_action(entry)
            inserts = update.type == p4r.Update.INSERT
            require(inserts or there, "no such entry", rpc_code.NOT_FOUND)
            require(not (inserts and there), "entry exists", rpc_code.ALREADY_EXISTS)
            held = [e for e in self.entries.values() if e.table_id == entry.table_id]
            require(there or len(held) < self._table(entry).size, "table is full", rpc_code.RESOURCE_EXHAUSTED)
            if not self.loses_entries:
                self.entries[key] = p4r.TableEntry.FromString(entry.SerializeToString())
            if self.forgets_marks:
                entry = self.entries[key]
                entry.metadata = b""
        except RefusalError as refusal:
            return p4r.Error(canonical_code=refusal.code, message=refusal.message)
        return p4r.Error()

    def _table(self, entry):
        found = [t for t in self.config.p4info.tables if t.preamble.id == entry.table_id]
        require(found, f"no table {entry.table_id:#x}", rpc_code.NOT_FOUND)
        return found[0]

    def _key(self, entry) -> bytes:
        """Check an entry's key, and return it as bytes."""
        table = self._table(entry)
        require(entry.table_id not in self.refuses, "this table takes nothing", rpc_code.RESOURCE_EXHAUSTED)
        given = {f.field_id: f for f in entry.match}
        require(len(given) == len(entry.match), "a field occurs twice")
        require(given.keys() <= {f.id for f in table.match_fields}, "unknown field")
        ordered = False
        for field in table.match_fields:
            kind = FIELDS[field.match_type]
            ordered |= kind == "range"
            if field.id not in given:
                require(kind != "exact", f"field {field.id} is missing")
                continue
            match = given[field.id]
            require(match.WhichOneof("field_match_type") == kind, f"field {field.id} is not {kind}")
            check_field(kind, getattr(match, kind), field.bitwidth)
        require(bool(entry.priority) == ordered, "a priority is for ranges, and they need one")
        key = p4r.TableEntry(table_id=entry.table_id, priority=entry.priority)
        key.match.extend(sorted(entry.match, key=lambda f: f.field_id))
        return key.SerializeToString(deterministic=True)

    def _check_action(self, entry) -> None:
        number = entry.action.action.action_id
        refs = {r.id for r in self._table(entry).action_refs if r.scope != p4i.ActionRef.DEFAULT_ONLY}
        require(number in refs, f"action {number:#x} is not one of the table's entries")
        (action,) = (a for a in self.config.p4info.actions if a.preamble.id == number)
        widths = {p.id: p.bitwidth for p in action.params}
        given = [p.param_id for p in entry.action.action.params]
        require(sorted(given) == sorted(widths), "other parameters than the action's")
        for param in entry.action.action.params:
            check_bytes(param.value, widths[param.param_id])


def check_field(kind: str, match, width: int) -> None:
    if kind == "exact":
        check_bytes(match.value, width)
    elif kind == "lpm":
        check_bytes(match.value, width)
        require(0 < match.prefix_len <= width, "a prefix's length is wrong")
        stray = int.from_bytes(match.value, "big") & (1 << width - match.prefix_len) - 1
        require(not stray, "bits behind a prefix")
    else:
        check_bytes(match.low, width)
        check_bytes(match.high, width)
        low, high = (int.from_bytes(b, "big") for b in (match.low, match.high))
        require(low <= high, "a range ends before it begins")
        require((low, high) != (0, (1 << width) - 1), "a range of everything is left out")


def check_bytes(value: bytes, width: int) -> None:
    require(value and (len(value) == 1 or value[0]), "not canonical", rpc_code.INVALID_ARGUMENT)
    require(int.from_bytes(value, "big") < 1 << width, f"wider than {width} bits", rpc_code.OUT_OF_RANGE)


@contextmanager
def answered(context) -> Iterator[None]:
    """Answer a refusal as gRPC does."""
    try:
        yield
    except RefusalError as refusal:
        context.abort(CODES[refusal.code], refusal.message)


@contextmanager
def serving(device_id: int = 0, credentials: grpc.ServerCredentials | None = None) -> Iterator[Server]:
    """A server on loopback, at `address`, until the end."""
    made, service = grpc.server(ThreadPoolExecutor(16)), Server(device_id)
    p4r_grpc.add_P4RuntimeServicer_to_server(service, made)
    at = "127.0.0.1:0"
    port = made.add_secure_port(at, credentials) if credentials else made.add_insecure_port(at)
    service.address = f"127.0.0.1:{port}"
    made.start()
    try:
        yield service
    finally:
        made.stop(0).wait(5)


def held(server: Server) -> dict[str, list[p4r.TableEntry]]:
    """What the server has, by the alias of its table."""
    names = {t.preamble.id: t.preamble.alias for t in server.config.p4info.tables}
    found: dict[str, list[p4r.TableEntry]] = {}
    for entry in server.entries.values():
        found.setdefault(names[entry.table_id], []).append(entry)
    return found


def unmarked(server: Server) -> list[bytes]:
    """The entries that the server has, without marks."""
    found = []
    for entry in server.entries.values():
        copy = p4r.TableEntry.FromString(entry.SerializeToString())
        copy.ClearField("metadata")
        found.append(copy.SerializeToString(deterministic=True))
    return sorted(found)
