"""What a P4Runtime server answers instead of yes, in one line."""

from __future__ import annotations

from typing import TYPE_CHECKING

from finsy.proto import p4r, rpc_code, rpc_status
from google.protobuf.message import DecodeError

from bertha_ir.runtime.p4runtime.target import P4RuntimeError, said

if TYPE_CHECKING:
    import grpc

    from bertha_ir.runtime.p4runtime.target import Target

_NAMES: dict[int, str] = {number: name for name, number in rpc_code.Code.items()}
_UNDECIDED = (rpc_code.UNAVAILABLE, rpc_code.DEADLINE_EXCEEDED, rpc_code.PERMISSION_DENIED, rpc_code.CANCELLED)


class RefusedError(P4RuntimeError):
    """A write of which updates were refused; `reasons` by their index in the write."""

    def __init__(self, message: str, reasons: dict[int, str]) -> None:
        super().__init__(message)
        self.reasons = reasons


class FailedError(P4RuntimeError):
    """An answer other than yes: its code, what the server says of it, and of each update that it refuses."""

    def __init__(self, error: grpc.RpcError, target: Target) -> None:
        self.code: int = error.code().value[0]
        self.said = said(error.details() or "") or error.code().name
        self.reasons = _reasons(error)
        if self.code == rpc_code.UNAVAILABLE:
            text = f"no P4Runtime server answers at `{target.address}`: {self.said}"
        elif self.code == rpc_code.DEADLINE_EXCEEDED:
            text = f"`{target.address}` does not answer in time: {self.said}"
        else:
            text = f"device {target.device_id} of `{target.address}` refuses: {error.code().name}, {self.said}"
        super().__init__(text)

    @property
    def is_refusal(self) -> bool:
        """Whether the device was reached, and has decided on what was asked."""
        return self.code not in _UNDECIDED


def _reasons(error: grpc.RpcError) -> dict[int, str]:
    """Return what an error says of each update of a write (P4Runtime specification 1.3, section 12.3)."""
    found = {}
    for item in error.trailing_metadata() or ():
        if item.key == "grpc-status-details-bin":
            try:
                details = rpc_status.Status.FromString(bytes(item.value)).details
                updates = [p4r.Error.FromString(detail.value) for detail in details]
            except (DecodeError, TypeError):
                return {}
            found = {n: _reason(update) for n, update in enumerate(updates) if update.canonical_code != rpc_code.OK}
    return found


def _reason(update: p4r.Error) -> str:
    name = _NAMES.get(update.canonical_code, f"code {update.canonical_code}")
    return f"{name}, {said(update.message)}" if update.message else name
