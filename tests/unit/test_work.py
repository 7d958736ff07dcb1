"""The work of a body is its longest way, counted from its statements."""

from compiling import compiled
from samples import filter_count_limit, kv_egress, kv_ingress, kv_process

from bertha_ir import expr as e
from bertha_ir import stmt as s
from bertha_ir.cost_models.work import Work, measure
from bertha_ir.program import Block, DeviceProgram, State, Table
from bertha_ir.types import BOOL, U32, U64

TRUE = e.Const(value=True, type=BOOL)
SEEN = State("seen", (U32,), (U64,), 9)
CELL = State("cell", (), (U64,))
LRU = State("lru", (U32,), (U64,), 9, evicts=True)
X, Y = e.Local("x", U64), e.Local("y", U64)
KEY = e.Const(1, U32)
ONE = e.Const(1, U64)


def work(*body, tables=(), states=(SEEN, CELL, LRU), guard=TRUE) -> Work:
    block = Block("b", (), guard, body)
    return measure(DeviceProgram("p", "d", "frame", "ingress", (), (), tables, states, (block,)))


def added(count: int) -> tuple[s.Stmt, ...]:
    return (s.Let("x", e.Binary("+", X, Y)),) * count


def test_of_two_branches_the_more_counts_figure_by_figure():
    """A way through has the work in front, of the branches the most of each kind, and the work behind."""
    product = s.Let("x", e.Binary("*", X, Y))
    found = work(*added(1), s.If(TRUE, added(5), (*added(2), product)), *added(1))
    assert (found.steps, found.multiplications, found.comparisons) == (7, 1, 1)


def test_nothing_behind_a_drop_counts():
    """A branch that drops is a way of its own: the rest of it is not added to the rest of the others."""
    assert work(s.If(TRUE, (*added(9), s.Drop())), *added(3)).steps == 9
    assert work(s.If(TRUE, (*added(2), s.Drop())), *added(3)).steps == 3
    assert work(s.If(TRUE, (s.Drop(),), (*added(1), s.Bounce())), *added(3)).steps == 1
    assert work(*added(1), s.Drop(), *added(3)).steps == 1


def test_what_fills_in_a_miss_runs_once_a_key():
    """A store behind a failed look-up of the same state is left out; of another state, or of a hit, it counts."""
    look = s.Lookup("seen", (KEY,), "there", ())
    there = e.Local("there", BOOL)
    store = s.Store("seen", (KEY,), "set", (ONE,))
    assert work(look, s.If(e.Unary("not", there), (store,))).stores == ()
    assert work(look, s.If(there, (store,))).stores == (("set-map-known", 1),)
    other = s.Store("lru", (KEY,), "add", (ONE,))
    assert work(look, s.If(e.Unary("not", there), (other,))).stores == (("add-lru", 1),)


def test_rows_that_are_known_are_told_apart():
    """The same key again is known, until what it is made of changes, or a row may have come or gone; others are not."""
    look, other = (s.Lookup("seen", (k,), None, ()) for k in (KEY, e.Const(2, U32)))
    store, added = (s.Store("seen", (KEY,), mode, (ONE,)) for mode in ("set", "add"))
    assert work(look, other, look).lookups == (("state-map", 2), ("state-map-known", 1))
    assert work(look, store, added).stores == (("add-map", 1), ("set-map-known", 1))
    assert work(look, s.Assign(Y, ONE), look).lookups == (("state-map", 2),)
    assert work(look, s.Delete("seen", (KEY,)), look).lookups == (("state-map", 2),)
    assert work(s.If(TRUE, (look,)), look).lookups == (("state-map", 2),)
    assert work(look, s.If(TRUE, (look, store)), look).lookups == (("state-map", 2), ("state-map-known", 1))
    cell = s.Store("cell", (), "add", (ONE,))
    assert work(cell, cell).stores == (("add-cell", 1), ("add-cell-known", 1))


def test_a_key_of_a_local_that_is_bound_again_is_another_one():
    """What is found under a number is not what is found under the next."""
    look = s.Lookup("seen", (e.Local("n", U32),), None, ())
    assert work(s.Let("n", KEY), look, s.Let("n", e.Const(2, U32)), look).lookups == (("state-map", 2),)


def test_of_branches_for_values_of_a_field_one_counts():
    """A field has one value: of what is done for several, the most; once it is written, it may have another."""
    kind, size = e.Field("h", "kind", U32), e.Field("h", "size", U32)

    def case(of: e.Field, value: int, count: int) -> s.If:
        return s.If(e.Binary("==", of, e.Const(value, U32)), added(count))

    assert work(case(kind, 1, 5), case(kind, 2, 3), case(kind, 1, 1)).steps == 6
    assert work(case(kind, 1, 5), case(size, 2, 3)).steps == 8
    assert work(case(kind, 1, 5), s.Assign(kind, KEY), case(kind, 2, 3)).steps == 8
    assert work(s.If(case(kind, 1, 5).condition, added(5), added(1)), case(kind, 2, 3)).steps == 8
    ends = s.If(case(kind, 2, 0).condition, (*added(3), s.Drop()))
    assert work(case(kind, 1, 5), ends).steps == 5
    assert work(case(kind, 1, 2), ends).steps == 3


def test_kinds_of_state_and_tables_are_told_apart():
    """Cells, maps and those that evict; exact tables that are hashed; rows that are searched, levels of prefixes."""
    small = Table("small", "exact", (U32,), (), 64, ())
    large = Table("large", "exact", (U32,), (), 1000, ())
    looks = (s.Lookup(n, (KEY,), None, ()) for n in ("seen", "cell", "lru", "small", "large"))
    found = work(*looks, s.Delete("seen", (KEY,)), s.Store("cell", (), "add", (ONE,)), tables=(small, large))
    kinds = ["exact", "exact-hash", "state-cell", "state-lru", "state-map"]
    assert found.lookups == tuple((kind, 1) for kind in kinds)
    assert found.stores == (("add-cell", 1), ("delete-map", 1))
    guard = measure(filter_count_limit())
    assert guard.rows == (("lpm", 1), ("range", 3))
    assert guard.lookups == (("lpm", 1), ("range", 1), ("state-map", 1))


def test_headers_are_those_on_the_way_to_the_deepest():
    """A VLAN tag that may be there is not counted."""
    assert measure(kv_ingress()).headers == 4
    assert measure(kv_process()).headers == 1
    assert measure(DeviceProgram("p", "d", "frame", "ingress", (), (), (), (), ())) == Work()


def test_checksums_count_their_updates_and_where_they_go():
    """Three changes, to the checksum of the header, and to two parts of what the transport's covers."""
    found = measure(kv_egress())
    assert found.checksums == 3
    program = next(p.program for p in compiled("tag(Query.kind, 7) |> udp(4242)").programs if p.backend == "ebpf")
    assert measure(program).sums == (("content", 1),)


def test_a_datagrams_addresses_are_moves():
    """They are locals of a process, not bytes of the message."""
    found = measure(kv_process())
    assert (found.reads, found.writes, found.moves) == (8, 0, 2)
    assert (found.multiplications, found.divisions) == (8, 1)


def test_every_block_is_asked_and_one_runs():
    """Guards add up; of the bodies the most of each kind counts."""
    guard = e.Binary("==", KEY, KEY)
    blocks = (Block("a", (), guard, added(4)), Block("b", (), guard, added(7)))
    found = measure(DeviceProgram("p", "d", "frame", "ingress", (), (), (), (), blocks))
    assert (found.comparisons, found.steps) == (2, 7)


def test_loops_and_failures():
    """A repetition counts its turns; what to do when a header lacks is a branch."""
    assert work(s.Repeat(5, added(2))).steps == 10
    assert work(s.Pop("h", (*added(5), s.Drop())), *added(2)).steps == 6


def test_items_have_the_names_of_figures():
    """Whatever is counted has a name in `items`, each once."""
    names = [name for name, _ in measure(kv_ingress()).items()]
    assert len(names) == len(set(names))
    assert {"step-multiply", "lookup-array", "header", "copy"} <= set(names)
