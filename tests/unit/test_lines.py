"""Records as lines of JSON, and log records as lines."""

import io
import json
import logging
from typing import NamedTuple

import pytest

from bertha_ir.runtime.lines import LineError, like, line, parsed
from bertha_ir.runtime.logs import handler


class Note(NamedTuple):
    id: int
    text: bytes


class Reply(NamedTuple):
    id: int
    status: int
    tail: bytes


@pytest.mark.parametrize("record", [Note(7, b"text"), Note(0, b""), Note(1, "é\n\0".encode()), Note(2**63, b"\xff\0")])
def test_a_record_is_read_back(record):
    """Whatever its bytes are; the line is one line, in ASCII."""
    text = line(record)
    assert text.isascii()
    assert text.isprintable()
    assert parsed(text, Note) == record


def test_bytes_are_read_back():
    """Of a stack that gives its messages no layout."""
    assert line(b"text") == '"text"'
    assert line(b"\xff") == '{"hex": "ff"}'
    assert parsed(b'{"hex": "ff 00"}', bytes) == b"\xff\0"
    assert parsed('"text"', bytes) == b"text"


@pytest.mark.parametrize(
    ("text", "why"),
    [
        ("", "it is not JSON"),
        (b"\xff", "it is not JSON"),
        ("[" * 100_000, "it is not JSON"),
        ("[1]", "a `Note` is an object of its fields: id, text"),
        ('{"id": 1}', "a `Note` needs the field `text`"),
        ('{"id": 1, "text": "", "more": 1}', "a `Note` has no field `more`"),
        ('{"id": "1", "text": ""}', "`id` is no number"),
        ('{"id": true, "text": ""}', "`id` is no number"),
        ('{"id": 1.0, "text": ""}', "`id` is no number"),
        ('{"id": 1, "text": 1}', '`text` is neither text nor {"hex": …}'),
        ('{"id": 1, "text": {"hex": "0"}}', "`text` is neither text nor hexadecimal digits"),
        ('{"id": 1, "text": {"hex": 1}}', "`text` is neither text nor hexadecimal digits"),
        ('{"id": 1, "text": "\\ud800"}', "`text` is neither text nor hexadecimal digits"),
    ],
)
def test_what_is_no_record_is_refused(text, why):
    with pytest.raises(LineError) as refused:
        parsed(text, Note)
    assert str(refused.value) == why


def test_a_record_like_another():
    """Fields of the same name and type are taken over; the others are empty."""
    assert like(Note(7, b"text"), Note) == Note(7, b"text")
    assert like(Note(7, b"text"), Reply) == Reply(7, 0, b"")
    with pytest.raises(LineError, match="no `bytes` can be made of a `Note`"):
        like(Note(7, b"text"), bytes)
    with pytest.raises(LineError, match="no `Note` can be made of a `bytes`"):
        like(b"text", Note)


@pytest.fixture
def logged():
    """Return what is written of a log record, by format and level."""

    def written(form, level, log):
        stream = io.StringIO()
        logger = logging.Logger("bertha_ir.runtime.test")  # noqa: LOG001  (no other test's)
        logger.addHandler(handler(stream, form, level))
        log(logger)
        return stream.getvalue()

    return written


WRONG = r"ValueError: invalid literal for int() with base 10: 'a\nb'"
EXTRA = {"connection": "00" * 8, "client": "127.0.0.1:1", "plan": "ab" * 32}


def failing(logger):
    try:
        int("a\nb")
    except ValueError:
        logger.exception("it failed: %d", 1, extra=EXTRA)


def test_log_records_as_json(logged):
    """One object a line, with the fields that are known, and no others."""
    found = json.loads(logged("json", logging.INFO, failing))
    assert found.pop("time").endswith("Z")
    assert found.pop("error").endswith(WRONG)
    message = {"level": "error", "logger": "bertha_ir.runtime.test", "message": "it failed: 1"}
    assert found == {**message, **EXTRA}
    assert "plan" not in json.loads(logged("json", logging.INFO, lambda log: log.info("x")))
    assert logged("json", logging.WARNING, lambda log: log.info("x")) == ""


def test_log_records_as_text(logged):
    """A line, whatever the message is; at level debug, an exception's trace below it."""
    where = "(connection=000000000000 client=127.0.0.1:1 plan=abababababab)"
    assert logged("text", logging.INFO, failing) == f"error: it failed: 1: {WRONG} {where}\n"
    assert "Traceback" in logged("text", logging.DEBUG, failing)
    assert logged("text", logging.INFO, lambda log: log.info("a\x1b[2Jb")) == "info: a\\x1b[2Jb\n"
