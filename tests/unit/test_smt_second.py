"""cvc5 as a second opinion on certificates."""

import pytest

from bertha_ir.passes.smt.second import UnreadableError, recheck

FALSE = (
    "(set-logic ALL)\n(declare-fun x () (_ BitVec 8))\n(assert (distinct (bvadd x x) (bvmul x #x02)))\n(check-sat)\n"
)
HARD = """(set-logic ALL)
(declare-fun a () (_ BitVec 64)) (declare-fun b () (_ BitVec 64)) (declare-fun c () (_ BitVec 64))
(assert (distinct (bvmul (bvmul a b) (bvadd a c)) (bvadd (bvmul a (bvmul a b)) (bvmul c (bvmul b a)))))
(check-sat)
"""


def test_each_answer():
    """A certificate is unsatisfiable; without its assertion's heart it is not; a hard one runs out of time."""
    assert recheck(FALSE, 10) == "unsat"
    assert recheck(FALSE.replace("#x02", "#x03"), 10) == "sat"
    assert recheck(HARD, 0.2) == "unknown"


@pytest.mark.parametrize(
    "text",
    ["", "(", "x", "\0", "(assert y)", "(set-logic ALL)", FALSE + "(check-sat)\n", FALSE.replace("bvadd", "bvad")],
)
def test_what_is_no_question_is_said_to_be_none(text):
    """Whatever the text is, the error is typed and has one line."""
    with pytest.raises(UnreadableError) as caught:
        recheck(text, 1)
    assert "\n" not in str(caught.value)
