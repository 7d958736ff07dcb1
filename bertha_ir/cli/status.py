"""What a command's exit status means, and the mistake in using one that only the command itself can find."""

DONE = 0
NO = 1  # the answer is no: mistakes found, a folder out of date
USAGE = 2
UNSETTLED = 3  # not settled: a solver's `unknown`, a time limit
INTERNAL = 4
INTERRUPTED = 130  # as a shell reports a process that SIGINT ended
CLOSED_PIPE = 141  # as a shell reports a process that SIGPIPE ended


class UsageError(Exception):
    """A command was used wrongly: one sentence, and a hint."""

    def __init__(self, message: str, hint: str) -> None:
        super().__init__(message)
        self.message, self.hint = message, hint
