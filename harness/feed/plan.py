"""The third party's plan, made of a seed before the run: messages, gaps, doubles, cuts."""

from __future__ import annotations

from collections.abc import Iterator, Mapping
from dataclasses import dataclass, field
from random import Random

from harness.feed.clock import date_of
from harness.fixtures.records import Place, make_record, record_text

#: The third party counts on from here: a stream is rarely followed from its first message.
FIRST_NUMBER = 1001
_REGIONS = ("us-east-1", "eu-west-1", "ap-south-1", "sa-east-1", "eu-north-1")
_ACCOUNTS = 4
_SMALL_SHARE = 0.44  # as in the dataset of README.md
_DOUBLED_SHARE = 0.01
_DROPS, _MOST_DROPPED = 3, 12
_BURSTS = 4
_CUTS = 2


@dataclass(frozen=True, slots=True)
class Recipe:
    """``rate`` is messages a second of the stream; a burst has as many as 20 s of it."""

    seed: int = 1
    seconds: int = 300
    rate: float = 10.0

    @property
    def burst(self) -> int:
        return round(20 * self.rate)


@dataclass(frozen=True, slots=True)
class Planned:
    """One message. ``second`` is of the stream; ``key`` is the account; ``text`` the record."""

    number: int
    second: float
    key: str
    region: str
    text: bytes


@dataclass(frozen=True, slots=True)
class Plan:
    """``dropped`` are numbers that the third party gives and never sends.

    ``doubles`` maps a number to an earlier one, which is sent again behind it. ``cuts`` are seconds
    at which the third party drops all connections.
    """

    recipe: Recipe
    messages: tuple[Planned, ...]
    dropped: frozenset[int] = frozenset()
    doubles: Mapping[int, int] = field(default_factory=dict)
    cuts: tuple[float, ...] = ()

    @property
    def newest(self) -> int:
        return self.messages[-1].number if self.messages else FIRST_NUMBER - 1

    def texts(self) -> Mapping[bytes, int]:
        """text -> number. No two texts are equal, because each has an eventID."""
        return {each.text: each.number for each in self.messages}


def make_plan(recipe: Recipe) -> Plan:
    rng = Random(f"feed {recipe.seed}")
    messages = tuple(make_messages(recipe))
    numbers = [each.number for each in messages]
    dropped: set[int] = set()
    for _ in range(_DROPS if len(numbers) > _MOST_DROPPED else 0):
        start = rng.randrange(len(numbers) - _MOST_DROPPED)
        dropped |= set(numbers[start : start + rng.randint(1, _MOST_DROPPED)])
    doubles = {
        number: max(number - rng.randrange(4), FIRST_NUMBER)
        for number in numbers
        if rng.random() < _DOUBLED_SHARE
    }
    cuts = sorted(rng.uniform(0.05, 0.95) * recipe.seconds for _ in range(_CUTS))
    return Plan(recipe, messages, frozenset(dropped), doubles, tuple(cuts))


def make_messages(recipe: Recipe) -> Iterator[Planned]:
    """All messages in order: a steady part with random distances, and bursts."""
    rng = Random(recipe.seed)
    places = _places(rng)
    weights = [weight for _, weight in places]
    for number, second in enumerate(sorted(_seconds(recipe, rng)), FIRST_NUMBER):
        place = rng.choices(places, weights)[0][0]
        happened = date_of(second - rng.uniform(0, 5))
        record = make_record(rng, place, happened, small=rng.random() < _SMALL_SHARE)
        text = record_text(record, escaped=rng.random() < 0.25).encode()
        yield Planned(number, second, place.account, place.region, text)


def _seconds(recipe: Recipe, rng: Random) -> Iterator[float]:
    second = rng.expovariate(recipe.rate)
    while second < recipe.seconds:
        yield second
        second += rng.expovariate(recipe.rate)
    for _ in range(_BURSTS):
        start = rng.uniform(0.05, 0.9) * recipe.seconds
        yield from (start + rng.random() for _ in range(recipe.burst))


def _places(rng: Random) -> list[tuple[Place, float]]:
    """Few accounts and regions have most of the records, as in a real trail."""
    accounts = [f"{rng.randrange(10**11, 10**12)}" for _ in range(_ACCOUNTS)]
    return [
        (Place(account, region), 1 / ((a + 1) * (r + 1)))
        for a, account in enumerate(accounts)
        for r, region in enumerate(_REGIONS)
    ]
