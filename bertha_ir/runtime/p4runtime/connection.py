"""A connection to a P4Runtime server (P4Runtime specification 1.3), by gRPC and the protobufs that finsy carries.

Whatever goes wrong, also a server that is silent, ends as a `P4RuntimeError` in bounded time.
"""

from __future__ import annotations

from queue import Empty, SimpleQueue
from threading import Thread
from time import monotonic
from typing import TYPE_CHECKING, Any, Self

import grpc
from finsy.grpcutil import GRPCCredentialsTLS
from finsy.proto import U128, p4i, p4r, p4r_grpc, rpc_code

from bertha_ir.runtime.p4runtime.failures import FailedError, RefusedError
from bertha_ir.runtime.p4runtime.target import P4RuntimeError

if TYPE_CHECKING:
    from collections.abc import Iterator, Sequence
    from types import TracebackType

    from bertha_ir.runtime.p4runtime.target import Target

_OPTIONS = (("grpc.enable_http_proxy", 0), ("grpc.max_receive_message_length", 1 << 28))
_BATCH = 1000  # updates of a write: a message may have 4 MiB
_PIPELINE = 6  # times as long as other answers may a new program take


class Connection:
    """One controller's connection to one device. Use as a context manager; leaving it ends the controller's session."""

    def __init__(self, target: Target) -> None:
        """Open the channel; `P4RuntimeError` when the files of TLS cannot be read. Nothing is asked yet."""
        self.target = target
        self._channel = _channel(target)
        self._stub = p4r_grpc.P4RuntimeStub(self._channel)
        self._said: SimpleQueue[p4r.StreamMessageRequest | None] = SimpleQueue()
        self._heard: SimpleQueue[p4r.MasterArbitrationUpdate | grpc.RpcError | None] = SimpleQueue()
        self._stream: Any = None  # gRPC has no public type for a call

    def become_primary(self) -> None:
        """Bid for the device; `P4RuntimeError` when another controller has it, or may come back to it."""
        self._stream = self._stub.StreamChannel(iter(self._said.get, None))
        Thread(target=self._listen, daemon=True).start()
        bid = p4r.MasterArbitrationUpdate(device_id=self.target.device_id, election_id=self._election)
        self._said.put(p4r.StreamMessageRequest(arbitration=bid))
        try:
            answer = self._heard.get(timeout=self.target.timeout)
        except Empty:
            msg = f"`{self.target.address}` does not answer within {self.target.timeout:g} s"
            raise P4RuntimeError(msg) from None
        self._judge(answer)

    def pipeline(self) -> tuple[p4i.P4Info | None, int]:
        """Return what the device's program is described as, None if it has none, and its cookie, or 0."""
        request = p4r.GetForwardingPipelineConfigRequest(
            device_id=self.target.device_id,
            response_type=p4r.GetForwardingPipelineConfigRequest.P4INFO_AND_COOKIE,
        )
        try:
            config = self._call("GetForwardingPipelineConfig", request).config
        except FailedError as error:
            if error.code == rpc_code.FAILED_PRECONDITION:
                return None, 0
            raise
        return (config.p4info if config.HasField("p4info") else None), config.cookie.cookie

    def run(self, p4info: p4i.P4Info, config: bytes, cookie: int) -> None:
        """Have the device run a program, with empty tables."""
        content = p4r.ForwardingPipelineConfig(p4info=p4info, p4_device_config=config)
        content.cookie.cookie = cookie
        request = p4r.SetForwardingPipelineConfigRequest(
            device_id=self.target.device_id,
            election_id=self._election,
            action=p4r.SetForwardingPipelineConfigRequest.VERIFY_AND_COMMIT,
            config=content,
        )
        try:
            self._call("SetForwardingPipelineConfig", request, times=_PIPELINE)
        except FailedError as error:
            if error.is_refusal:
                msg = f"device {self.target.device_id} of `{self.target.address}` refuses the program: {error.said}"
                raise P4RuntimeError(msg) from error
            raise

    def write(self, updates: Sequence[p4r.Update]) -> None:
        """Change entries; in which order is up to the device. `RefusedError` says which it refuses."""
        for start in range(0, len(updates), _BATCH):
            request = p4r.WriteRequest(
                device_id=self.target.device_id,
                election_id=self._election,
                updates=updates[start : start + _BATCH],
            )
            try:
                self._call("Write", request)
            except FailedError as error:
                if error.is_refusal:
                    reasons = {start + number: reason for number, reason in error.reasons.items()}
                    raise RefusedError(str(error), reasons) from error
                raise

    def entries(self) -> Iterator[p4r.TableEntry]:
        """Yield the entries of all tables, without defaults."""
        request = p4r.ReadRequest(device_id=self.target.device_id)
        request.entities.add().table_entry.SetInParent()
        try:
            for answer in self._stub.Read(request, timeout=self.target.timeout * _PIPELINE):
                for entity in answer.entities:
                    if entity.HasField("table_entry") and not entity.table_entry.is_default_action:
                        yield entity.table_entry
        except grpc.RpcError as error:
            raise FailedError(error, self.target) from error

    def close(self) -> None:
        """End the session; may be called again."""
        self._said.put(None)
        if self._stream is not None:
            self._stream.cancel()
        self._channel.close()

    def __enter__(self) -> Self:
        return self

    def __exit__(
        self, kind: type[BaseException] | None, error: BaseException | None, trace: TracebackType | None
    ) -> None:
        self.close()

    @property
    def _election(self) -> p4r.Uint128:
        return U128.encode(self.target.election_id)

    def _listen(self) -> None:
        try:
            for message in self._stream:
                if message.HasField("arbitration"):
                    self._heard.put(message.arbitration)
            self._heard.put(None)
        except grpc.RpcError as error:
            self._heard.put(error)

    def _call(self, method: str, request: object, times: float = 1) -> Any:  # noqa: ANN401  (any answer)
        """Ask, while we are the primary if we were; `FailedError` when the answer is no."""
        self._hear()
        try:
            return getattr(self._stub, method)(request, timeout=self.target.timeout * times)
        except grpc.RpcError as error:
            failed = FailedError(error, self.target)
        if failed.code == rpc_code.PERMISSION_DENIED:
            until = monotonic() + 1  # the stream may say soon who is the primary now
            while monotonic() < until:
                self._hear(until - monotonic())
        raise failed

    def _hear(self, wait: float = 0) -> None:
        """Judge what the stream has said since; `wait` seconds for more."""
        if self._stream is None:
            return
        try:
            while True:
                self._judge(self._heard.get(timeout=wait) if wait > 0 else self._heard.get_nowait(), late=True)
        except Empty:
            return

    def _judge(self, heard: p4r.MasterArbitrationUpdate | grpc.RpcError | None, *, late: bool = False) -> None:
        """Raise `P4RuntimeError` unless what the stream says is that we are the primary."""
        ours, device = self.target.election_id, f"device {self.target.device_id} of `{self.target.address}`"
        if isinstance(heard, grpc.RpcError):
            failed = FailedError(heard, self.target)
            used = failed.code == rpc_code.INVALID_ARGUMENT and "election" in failed.said.lower()
            if not used:
                raise failed
            msg = f"another controller of {device} has the election id {ours}: give --election-id another number"
            raise P4RuntimeError(msg) from heard
        if heard is None:
            msg = f"{device} has ended the session"
            raise P4RuntimeError(msg)
        if heard.status.code == rpc_code.OK:
            return
        theirs = U128.decode(heard.election_id)
        if heard.status.code == rpc_code.NOT_FOUND:
            msg = f"the last primary controller of {device} had the election id {theirs}, ours is {ours}"
        else:
            became = "has become" if late else "is"
            msg = f"another controller {became} the primary of {device}, with the election id {theirs}, ours is {ours}"
        msg += ": to take its place, give --election-id a higher number"
        raise P4RuntimeError(msg)


def _channel(target: Target) -> grpc.Channel:
    if target.tls is None:
        return grpc.insecure_channel(target.address, options=_OPTIONS)
    tls = target.tls
    try:
        files = GRPCCredentialsTLS(cacert=tls.ca, cert=tls.cert, private_key=tls.key)
        credentials = files.to_client_credentials()
    except OSError as error:
        msg = f"`{error.filename}` cannot be read: {(error.strerror or str(error)).lower()}"
        raise P4RuntimeError(msg) from error
    return grpc.secure_channel(target.address, credentials, options=_OPTIONS)
