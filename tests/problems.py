"""Random problems of order and placement, and the answer that comes of trying everything."""

from math import prod
from random import Random

from attrs import frozen

from bertha_ir.passes.search.problem import Always, Choice, Price, Problem, Task


@frozen
class Row:
    """Stops in a row: what a byte and a message cost on each leg, and what each stop's door costs."""

    legs: tuple[tuple[float, float], ...]
    doors: tuple[float, ...]

    def leg(self, a, b, size):
        """Whole numbers, so that sums do not depend on their order."""
        fixed, each = self.legs[min(a, b)]
        name = f"{min(a, b)}{'>' if a < b else '<'}"
        return Price(fixed + each * size, 0.0, ((name, each * size),))

    def door(self, stop, *, path):
        """Ends' doors are half price."""
        return Price(self.doors[stop] * (1.0 if path else 0.5), self.doors[stop], ())


@frozen
class Sized:
    """A price that grows with the message."""

    latency: float
    cpu: float
    each: float

    def __call__(self, size):
        """In whole numbers."""
        return Price(self.latency + self.each * size, self.cpu, (("cpu", self.cpu + self.each),))


def problem(rng: Random, objective: str = "latency", most: int = 5) -> Problem:
    """A few ops of the ends, a few of the path, offloads of two at once, scarce resources."""
    ends, last = rng.randint(0, 3), rng.randint(2, 4)
    count = max(1, ends + rng.randint(0, most - ends))
    tasks, choices = [], []
    for number in range(count):
        after = {n for n in range(number) if rng.random() < 0.35} | (set(range(ends)) if number >= ends else set())
        needs = (frozenset(n for n in range(ends) if n != number and rng.random() < 0.7),) if rng.random() < 0.2 else ()
        needs = tuple(n for n in needs if number < ends and n)
        grows = rng.choice((0, 4, -3)) if number < ends else 0
        tasks.append(
            Task(frozenset(after), needs, grows, number >= ends and rng.random() < 0.2, rng.choice((1.0, 1.0, 0.5)))
        )
        for _ in range(rng.randint(1, 3)):
            price = Sized(float(rng.randrange(9)), float(rng.randrange(5)), float(rng.randrange(2)))
            uses = (("slots", rng.randrange(3)),) if rng.random() < 0.5 else ()
            rank = rng.randrange(2)
            if number < ends:
                sender, receiver = rng.choice((0, 1, None)), rng.choice((last, last - 1, last))
                received = Sized(float(rng.randrange(4)), float(rng.randrange(3)), 0.0)
                choices.append(Choice((number,), (sender,), (receiver,), None, rank, price, received, uses))
            else:
                choices.append(Choice((number,), stop=rng.randint(1, last), rank=rank, price=price, uses=uses))
    if ends > 1 and rng.random() < 0.5:
        pair = tuple(rng.sample(range(ends), 2))
        choices.append(Choice(pair, (1, 1), (last, rng.choice((last, last - 1))), None, 0, Always(Price(3.0))))
    row = Row(
        tuple((float(rng.randrange(5)), float(rng.randrange(3))) for _ in range(last)),
        tuple(float(2 * rng.randrange(4)) for _ in range(last + 1)),
    )
    capacity = {"slots": rng.randint(0, 5)} if rng.random() < 0.6 else {}
    return Problem(
        tuple(tasks), tuple(choices), row, last, rng.randrange(9, 18), capacity, objective, rng.random() < 0.7
    )


def tried(asked: Problem):
    """The least key of every row of choices that is allowed; None when none is."""
    return min(_rows(asked, (), frozenset()), default=None)


def _rows(asked, chosen, done):
    if len(done) == len(asked.tasks):
        key = key_of(asked, chosen)
        if key is not None:
            yield key
        return
    for choice in asked.choices:
        if not set(choice.tasks) & done and all(asked.tasks[n].after <= done | set(choice.tasks) for n in choice.tasks):
            yield from _rows(asked, (*chosen, choice), done | set(choice.tasks))


def key_of(asked: Problem, chosen):  # noqa: C901, PLR0912  (one rule after another)
    """The key of a row of choices, followed message by message; None when it breaks a rule."""
    order = [n for c in chosen for n in c.tasks]
    for at, number in enumerate(order):
        task = asked.tasks[number]
        if not task.after <= set(order[:at]) or any(not providers & set(order[at + 1 :]) for providers in task.needs):
            return None
    total = {"slots": 0}
    price, loads, size = [0.0, 0.0], {}, asked.size
    s, r, p, pinned, share = 0, asked.last, -1, False, 1.0
    arriving = prod(task.keeps for task in asked.tasks)

    def pay(one, part=None):
        part = share if part is None else part
        price[0] += one.latency * part
        price[1] += one.cpu * part
        for name, load in one.loads:
            loads[name] = loads.get(name, 0.0) + load * part

    def travel(a, b, part=None):
        while a != b:
            step = a + (1 if b > a else -1)
            pay(asked.way.leg(a, step, size), part)
            a = step

    for choice in chosen:
        pay(choice.price(size))
        pay(choice.received(size), arriving)
        for name, amount in choice.uses:
            total[name] += amount
        for number, to_s, to_r in zip(choice.tasks, choice.sender, choice.receiver, strict=True):
            if not asked.returns and ((to_s is not None and to_s < s) or (to_r is not None and to_r > r)):
                return None
            if to_s not in (None, s):
                travel(s, to_s)
                pay(asked.way.door(to_s, path=False))
                s = to_s
            if to_r not in (None, r):
                travel(to_r, r, arriving)
                pay(asked.way.door(to_r, path=False), arriving)
                r = to_r
            size += asked.tasks[number].grows
        if choice.stop is not None:
            if choice.stop < p or choice.stop < s or (choice.stop > r and choice.stop != asked.last):
                return None
            if choice.stop != p:
                if pinned:
                    return None
                travel(max(s, p), min(choice.stop, r))
                pay(asked.way.door(choice.stop, path=True))
                p = choice.stop
        for number in choice.tasks:
            share *= asked.tasks[number].keeps
        pinned = pinned or any(asked.tasks[n].pins for n in choice.tasks)
    travel(min(max(s, p), r), r)
    if any(total[name] > limit for name, limit in asked.capacity.items()):
        return None
    rank = sum(c.rank for c in chosen)
    moved = sum(a > b for i, a in enumerate(order) for b in order[i + 1 :])
    first, second = {
        "latency": tuple(price),
        "cpu": (price[1], price[0]),
        "throughput": (max(loads.values(), default=0.0), price[0]),
    }[asked.objective]
    return rank, first, second, moved
