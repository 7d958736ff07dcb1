"""A second opinion: cvc5 reads a certificate as text, and answers it on its own."""

from __future__ import annotations

from typing import Literal, cast

Opinion = Literal["unsat", "sat", "unknown"]


class UnreadableError(Exception):
    """The text is no question that cvc5 understands."""


class NoSecondSolverError(ImportError):
    """cvc5 is not installed."""


def recheck(text: str, timeout_s: float) -> Opinion:
    """Return cvc5's answer to an SMT-LIB 2 text with one `check-sat`; `unknown` also when the time is up.

    Raises:
        UnreadableError: the text is malformed, or does not ask once.
        NoSecondSolverError: cvc5 is not installed.
    """
    try:
        import cvc5  # noqa: PLC0415  (an extra, and slow to import)
    except ImportError as error:
        msg = "cvc5 is not installed: pip install 'bertha-ir[second]'"
        raise NoSecondSolverError(msg) from error
    solver = cvc5.Solver(cvc5.TermManager())
    solver.setOption("tlimit-per", str(max(1, int(1000 * timeout_s))))
    parser = cvc5.InputParser(solver)
    answers: list[str] = []
    try:
        parser.setStringInput(cvc5.InputLanguage.SMT_LIB_2_6, text, "certificate")
        while not (command := parser.nextCommand()).isNull():
            if answer := command.invoke(solver, parser.getSymbolManager()).strip():
                answers.append(answer.partition(" ")[0])  # `unknown (TIMEOUT)`
    except RuntimeError as error:
        raise UnreadableError(" ".join(str(error).split())) from error
    if len(answers) != 1 or answers[0] not in {"unsat", "sat", "unknown"}:
        msg = f"one answer was expected, not {answers or 'none'}"
        raise UnreadableError(msg)
    return cast("Opinion", answers[0])
