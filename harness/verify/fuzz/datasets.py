"""Differential fuzzing of whole datasets: rounds of hypothesis, judged like vectors."""

from __future__ import annotations

import hashlib
import json
from collections import Counter
from collections.abc import Callable, Iterable, Iterator, Mapping
from contextlib import ExitStack, contextmanager
from dataclasses import asdict, dataclass, field
from pathlib import Path
from random import Random

import hypothesis

from harness.model import Artefact
from harness.terminal import Progress
from harness.verify.fuzz.dataset_maker import datasets, draw_scenery
from harness.verify.scripted_s3.scene import Stored
from harness.verify.scripted_s3.server import ScriptedS3
from harness.verify.vectors.cases import Case
from harness.verify.vectors.judge import Functions, judge
from harness.verify.vectors.sandbox_pool import SandboxPool

ROUND = 100


@dataclass(slots=True)
class DatasetTally:
    """The result of a run. ``by_code`` counts runs by their answer. ``drafts`` are the kept folders
    and their faults.
    """

    rounds: int = 0
    datasets: int = 0
    runs: int = 0
    by_code: Counter[str] = field(default_factory=Counter)
    drafts: dict[Path, str] = field(default_factory=dict)


class _Disagreement(Exception):
    def __init__(self, case: Case, language: str, problems: list[str]) -> None:
        super().__init__(f"{language}: {'; '.join(problems)}")
        self.case = case


@contextmanager
def dataset_functions(artefacts: Iterable[Artefact]) -> Iterator[Mapping[str, Functions]]:
    """name -> the artefact in sandboxes that end with the context."""
    with ExitStack() as stack:
        yield {
            each.implementation.name: stack.enter_context(SandboxPool(each)) for each in artefacts
        }


def fuzz_datasets(
    s3: ScriptedS3,
    functions: Mapping[str, Functions],
    seed: int,
    keep: Path,
    go_on: Callable[[int], bool],
    progress: Progress,
    size: int = ROUND,
) -> DatasetTally:
    """Run rounds of ``size`` datasets with common settings while ``go_on(number of the next)``.

    The first disagreement ends its round; it is shrunk and written to ``keep``.
    """
    tally = DatasetTally()
    while go_on(tally.rounds):
        name = f"round {tally.rounds} of seed {seed}"
        progress(f"datasets: {name}, {tally.runs} runs so far")
        try:
            _round(s3, functions, f"{seed}/{tally.rounds}", size, go_on, tally)
        except _Disagreement as found:
            title = f"{name}: {found}"
            tally.drafts[_write(keep, found.case, title)] = title
        tally.rounds += 1
    return tally


def _round(
    s3: ScriptedS3,
    functions: Mapping[str, Functions],
    seed: str,
    size: int,
    go_on: Callable[[int], bool],
    tally: DatasetTally,
) -> None:
    scenery = draw_scenery(Random(seed))
    s3.page = scenery.page
    found = False

    @hypothesis.seed(seed)
    @hypothesis.settings(
        max_examples=size,
        database=None,
        deadline=None,
        phases=(hypothesis.Phase.generate, hypothesis.Phase.shrink),
        suppress_health_check=list(hypothesis.HealthCheck),
        report_multiple_bugs=False,
    )
    @hypothesis.given(datasets(scenery))
    def agree(case: Case) -> None:
        nonlocal found
        if not (found or go_on(tally.rounds)):
            return
        tally.datasets += 1
        tally.runs += len(case.steps)
        tally.by_code.update((step.expect.error or "OK").partition(":")[0] for step in case.steps)
        for language, each in functions.items():
            if problems := judge(case, s3, each):
                found = True
                raise _Disagreement(case, language, problems)

    agree()


def describe_datasets(tally: DatasetTally, seed: int, seconds: float) -> Iterator[str]:
    """The report as lines."""
    pace = round(tally.runs * 60 / seconds)
    yield f"seed {seed}: {tally.runs} runs over {tally.datasets} datasets, {pace} runs per minute"
    yield ", ".join(f"{code} {count}" for code, count in sorted(tally.by_code.items()))
    yield f"{len(tally.drafts)} disagreements"
    yield from (f"kept {folder}: {title}" for folder, title in tally.drafts.items())


def _write(folder: Path, case: Case, title: str) -> Path:
    """Write the dataset as a vector for `verify --vectors`.

    The expected values are the model's. Check them by SPEC.md before you adopt the vector.
    """
    text = json.dumps(_to_json(case, title), indent=2)
    draft = folder / f"fuzz-dataset-{hashlib.sha256(text.encode()).hexdigest()[:12]}"
    draft.mkdir(parents=True, exist_ok=True)
    (draft / "case.json").write_text(text + "\n", encoding="utf-8")
    return draft


def _to_json(case: Case, title: str) -> dict[str, object]:
    steps = []
    for step in case.steps:
        expect = {name: value for name, value in asdict(step.expect).items() if value is not None}
        if step.expect.error is None:
            del expect["published"]  # by default the published result is the returned one
        steps.append(
            {
                "event": json.loads(step.payload),
                "add": _objects(step.add),
                "remove": list(step.remove),
                "expect": expect,
            }
        )
    own = {"SRC_BUCKET", "DST_BUCKET"}
    settings = {name: each for name, each in case.steps[0].settings.items() if name not in own}
    return {
        "title": title,
        "clauses": list(case.clauses),
        "settings": settings,
        "destination": _objects(case.destination),
        "steps": steps,
        "expected": [_object(key, body) for key, body in case.expected.items()],
    }


def _objects(objects: Mapping[str, Stored]) -> list[dict[str, object]]:
    return [_object(key, each.body) for key, each in objects.items()]


def _object(key: str, body: bytes) -> dict[str, object]:
    return {"key": key, "body": {"hex": body.hex()}}
