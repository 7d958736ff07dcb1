"""One shard of the key-value store: `server.py ARTIFACT --shard N` serves at a port of loopback until it is ended.

What travels is the artifact's business: `kv_request_recv` decodes requests, `kv_response_send` encodes replies.
"""
# ruff: noqa: INP001, T201  (a script, which prints)

import argparse
import socket
import sys

from bertha_ir.runtime.artifact import Artifact, ArtifactError

GET, PUT = 0, 1
OK, MISSING = 0, 1
SHARDS = 3


def main() -> None:
    """Bind, say where, and serve."""
    parser = argparse.ArgumentParser(description=__doc__)
    parser.add_argument("artifact", help="the folder that `bertha compile -o` wrote")
    parser.add_argument(
        "--shard", type=int, choices=range(SHARDS), required=True, help="this shard's number, which its replies carry"
    )
    parser.add_argument("--port", type=int, default=0, help="port of 127.0.0.1; a free one if not given")
    options = parser.parse_args()
    try:
        artifact = Artifact(options.artifact)
        receive, reply = artifact.module("kv_request_recv").decode, artifact.module("kv_response_send")
    except ArtifactError as error:
        sys.exit(f"error: {error}")
    store: dict[int, bytes] = {}
    with socket.socket(socket.AF_INET, socket.SOCK_DGRAM) as service:
        try:
            service.bind(("127.0.0.1", options.port))
        except (OSError, OverflowError) as error:
            sys.exit(f"error: cannot listen at port {options.port}: {error}")
        print(f"listening at 127.0.0.1:{service.getsockname()[1]}", flush=True)
        while True:
            data, client = service.recvfrom(65535)
            request = receive(data)
            if request is None:  # no request: dropped by the codec
                continue
            if request.op == PUT:
                store[request.key] = request.value
            value = store.get(request.key)
            status = MISSING if value is None else OK
            service.sendto(reply.encode(reply.KvReply(request.request, options.shard, status, value or b"")), client)


if __name__ == "__main__":
    main()
