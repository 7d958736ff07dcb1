"""`bertha` as processes of their own: what the tests of `bertha run` and `bertha status` share."""

import json
import os
import signal
import time

START = "import sys; from bertha_ir.cli.main import main; sys.exit(main())"
ENCRYPTED = """message Note { id: u32; text: bytes; }
stack app(client, server) {
  request: serialize(Note) |> http2 |> encrypt(secret("session")) |> tcp(4243);
  response: serialize(Note) |> http2 |> encrypt(secret("session")) |> tcp;
  require confidential;
}"""
DEADLINE = 20


def request(number, key=0, value="v", op=1):
    return {"request": number, "client": 7, "op": op, "flags": 0, "key": key, "value": value}


def lines(records):
    return "".join(f"{json.dumps(record)}\n" for record in records)


def served(process):
    """Return what a server that was told --json says of itself."""
    said = process.stdout.readline()
    assert said, process.stderr.read()
    return json.loads(said)


def stopped(process, number=signal.SIGTERM):
    """Stop a process; return its status, and what else it had said."""
    process.send_signal(number)
    out, err = process.communicate(timeout=DEADLINE)
    assert "Traceback" not in err
    return process.returncode, out, err


def until(condition):
    """Wait until a condition holds."""
    end = time.monotonic() + DEADLINE
    while not condition():
        assert time.monotonic() < end
        time.sleep(0.02)


def alive(pid):
    try:
        os.kill(pid, 0)
    except ProcessLookupError:
        return False
    return True
