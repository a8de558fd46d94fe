"""A sample of the disturbances, and proof that one finds a broken promise."""

from __future__ import annotations

import json
import shutil
from collections.abc import Iterator, Mapping, Sequence
from contextlib import contextmanager
from dataclasses import replace
from functools import partial
from pathlib import Path

import pytest
from conftest import IMPLEMENTATIONS, built
from fake_machine import FakeMachine

from harness.cli import main
from harness.model import Artefact, HarnessError
from harness.verify.disturb import kinds
from harness.verify.disturb.cuts import CUTS
from harness.verify.disturb.hostile_bodies import BODIES, KEYS
from harness.verify.disturb.kinds import KINDS
from harness.verify.disturb.small_day import PREFIX, differences, small_day, visible
from harness.verify.disturb.trials import Kind, Outcome, Trial, run_trials
from harness.verify.disturb.warm import MOST_GROWTH, warm
from harness.verify.scripted_s3.scene import Stored

VARIANTS = Path(__file__).parent / "variants"
#: kind -> the seeds of the sample: different faults, each within seconds.
SAMPLE: Mapping[str, Sequence[int]] = {
    "kill": (1, 2, 5),  # a first day, a grown and a shrunk one
    "two-runs": (0, 1, 2, 3),
    "one-killed": (1,),
    "three-runs": (1, 2),
    "cuts": (2, 25, 35, 88, 120, 157, 170, 211),
    "proxy": (1, 2, 5),
    "hostile": (5, 10, 13, len(BODIES)),
}
BY_NAME = {kind.name: kind for kind in KINDS}


def varied(variant: str, folder: Path) -> Artefact:
    """The Python function with one of the handlers of ``tests/variants``."""
    made = built("python")
    assert isinstance(made, Artefact), made
    copied = folder / variant
    shutil.copytree(made.folder, copied)
    shutil.copy(VARIANTS / f"{variant}.py", copied)
    implementation = replace(IMPLEMENTATIONS["python"], handler=f"{variant}.handle")
    return replace(made, folder=copied, implementation=implementation).with_client("light")


@pytest.mark.slow
@pytest.mark.parametrize("name", SAMPLE)
def test_the_promises_hold(artefact: Artefact, name: str) -> None:
    with BY_NAME[name].start(artefact) as trial:
        for seed in SAMPLE[name]:
            outcome = trial(seed)
            assert outcome.problems == [], outcome


@pytest.mark.slow
def test_nothing_grows_in_a_warm_sandbox(artefact: Artefact) -> None:
    # the heap of a runtime still grows in the first 50 invocations, so memory proves little here
    most = {**MOST_GROWTH, "memory in MiB": 128}
    start = partial(warm, invocations=50, most_growth=most)
    [outcome] = run_trials(replace(BY_NAME["warm"], start=start), artefact, 1)
    assert outcome.problems == [], outcome


def test_every_kind_has_a_sample() -> None:
    assert {kind.name for kind in KINDS} == {*SAMPLE, "warm"}


@pytest.mark.slow
def test_hidden_chunks_that_are_left_are_found(tmp_path: Path) -> None:
    [outcome] = run_trials(BY_NAME["kill"], varied("careless", tmp_path), 1, first_seed=1)
    assert "a hidden chunk was left" in outcome.problems[-1]


@pytest.mark.slow
def test_a_leak_is_found(tmp_path: Path) -> None:
    """Its sources keep 1 MiB in each invocation, of which 42 lie between the medians."""
    with warm(varied("leaky", tmp_path), invocations=70) as trial:
        outcome = trial(0)
    assert [problem.split(":")[0] for problem in outcome.problems] == ["memory in MiB"]


# ---- without artefacts ----

DAY = small_day({"b.json": [b'{"n":3}'], "a.json": [b'{"n":1}', b'{"n":2}']}, 16)
UNREADABLE = Stored(b"\x1f\x8b\x08\0\0\0\0\0")


def test_the_day_that_was_published_is_the_expected_one() -> None:
    published = DAY.published()
    assert sorted(published) == [f"{PREFIX}00000{n}.ndjson.gz" for n in (1, 2)] + [
        f"{PREFIX}_manifest.json"
    ]
    assert differences(DAY.expected, published) == []
    assert visible(published) == {b'{"n":1}': 1, b'{"n":2}': 1, b'{"n":3}': 1}


@pytest.mark.parametrize(
    ("key", "body"),
    [
        ("000001.ndjson.gz", None),
        ("000001.ndjson.gz", UNREADABLE),
        ("000003.ndjson.gz", DAY.published()[f"{PREFIX}000001.ndjson.gz"]),
        ("_x-000001.ndjson.gz", Stored(b"")),
        ("_claim.json", Stored(b"{}")),
        ("_manifest.json", None),
        ("_manifest.json", Stored(json.dumps({"result": {"deleted": 0}}).encode())),
    ],
)
def test_every_difference_of_a_day_is_found(key: str, body: Stored | None) -> None:
    objects = DAY.published()
    objects.pop(PREFIX + key, None)
    if body is not None:
        objects[PREFIX + key] = body
    assert differences(DAY.expected, objects) != []


def test_a_chunk_that_no_reader_can_read_is_told() -> None:
    with pytest.raises(ValueError, match=r"000001\.ndjson\.gz can't be read"):
        visible({f"{PREFIX}000001.ndjson.gz": UNREADABLE})


def test_seeds_cover_every_cut_and_keys_are_sources() -> None:
    assert len(set(CUTS)) == len(CUTS) > 200
    assert len(set(KEYS)) == len(KEYS)
    assert not [key for key in KEYS if key.endswith("/")]  # L5: that would be no source


class Fake:
    """A kind whose trials do as they are told: what a seed gives, and how often it starts."""

    def __init__(self, *problems: str | None) -> None:
        self.told = problems
        self.started = 0
        self.seeds: list[int] = []

    @contextmanager
    def start(self, _: Artefact) -> Iterator[Trial]:
        self.started += 1
        yield self.trial

    def trial(self, seed: int) -> Outcome:
        self.seeds.append(seed)
        told = self.told[seed % len(self.told)]
        if told == "harness":
            raise HarnessError("no answer")
        return Outcome(seed, [told] if told else [], "as told", counts=told is not None)

    def kind(self, trials: int = 3) -> Kind:
        return Kind("fake", "does as it is told", trials, self.start)


ARTEFACT = Artefact(IMPLEMENTATIONS["go"], Path(), 0, 0)


def test_trials_that_came_too_late_are_replaced() -> None:
    fake = Fake(None, "")
    outcomes = run_trials(fake.kind(), ARTEFACT, 3, first_seed=4)
    assert [outcome.seed for outcome in outcomes] == [5, 7, 9]
    assert fake.started == 1


def test_a_drill_whose_faults_all_come_too_late_ends() -> None:
    assert run_trials(Fake(None).kind(), ARTEFACT, 3) == []


def test_after_a_broken_promise_the_drill_starts_anew() -> None:
    fake = Fake("", "lost", "harness")
    outcomes = run_trials(fake.kind(), ARTEFACT, 4)
    assert [outcome.problems for outcome in outcomes] == [
        [],
        ["lost"],
        ["HarnessError: no answer"],
        [],
    ]
    assert fake.started == 3


def test_the_table_counts_and_names_the_seed(
    capsys: pytest.CaptureFixture[str], monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr(kinds, "KINDS", (Fake("", "lost", "").kind(),))
    assert main(["disturb", "--languages", "go,java", "--jobs", "1"], FakeMachine().target()) == 1
    out = capsys.readouterr().out
    assert out.count("1 of 3") == 2
    assert "go sdk, fake: as told\n  lost\n" in out
    assert "--languages go --clients sdk --kinds fake --seed 1 --trials 1" in out


def test_an_unknown_kind_is_refused(capsys: pytest.CaptureFixture[str]) -> None:
    assert main(["disturb", "--kinds", "flood"], FakeMachine().target()) == 2
    assert "known are kill, two-runs" in capsys.readouterr().err
