"""The fuzzer of datasets: its model agrees with the vectors, and it finds disagreements."""

from __future__ import annotations

import gzip
import json
from collections.abc import Callable, Mapping
from pathlib import Path
from random import Random

import pytest
from conftest import every_artefact

from harness.model import Invocation
from harness.verify.fuzz.dataset_maker import draw_scenery
from harness.verify.fuzz.dataset_model import DatasetModel, Limits, Run, stored
from harness.verify.fuzz.datasets import (
    DatasetTally,
    dataset_functions,
    describe_datasets,
    fuzz_datasets,
)
from harness.verify.scripted_s3.server import ScriptedS3
from harness.verify.vectors.cases import (
    DESTINATION_BUCKET,
    SOURCE_BUCKET,
    Case,
    Expectation,
    load_cases,
)
from harness.verify.vectors.judge import judge
from harness.verify.vectors.log_checks import PHASES

pytestmark = pytest.mark.slow

Change = Callable[[DatasetModel], None]
#: Settings that the model knows; it does not cover vectors with others.
KNOWN = {"SRC_PREFIX", "DST_PREFIX", "CHUNK_BYTES", "MAX_SOURCE_BYTES", "CONCURRENCY", "GZIP_LEVEL"}
MEMBERS = {"year", "month", "day", "account", "force"}


class Fake:
    """An implementation made of the model: it reads a scene's buckets and leaves its output there.

    ``fault`` may change what the model sees before it runs.
    """

    def __init__(self, s3: ScriptedS3, env: Mapping[str, str], fault: Change) -> None:
        self._s3 = s3
        self._limits = limits(env)
        self._fault = fault

    def invoke(self, event: bytes, /) -> Invocation:
        sources = {key: each.body for key, each in self._s3.objects(SOURCE_BUCKET).items()}
        before = self._s3.objects(DESTINATION_BUCKET)
        model = DatasetModel(
            self._limits, sources, {key: each.body for key, each in before.items()}
        )
        self._fault(model)
        expect = model.run(Run(**json.loads(event)))
        if expect.published is not None:
            chunks = chunks_of(expect, model)
            manifest = {"result": expect.published, "chunks": chunks}
            key = f"{expect.day_prefix}_manifest.json"
            model.destination[key] = json.dumps(manifest).encode()
        after = {
            key: zipped(text) if key.endswith(".gz") and text[:2] != b"\x1f\x8b" else text
            for key, text in model.destination.items()
        }
        self._s3.change(
            DESTINATION_BUCKET, stored(after), [key for key in before if key not in after]
        )
        return Invocation(expect.result, expect.error, False, None, 1, 1, 1, log(expect))


def zipped(text: bytes) -> bytes:
    return gzip.compress(text, mtime=0)


def chunks_of(expect: Expectation, model: DatasetModel) -> list[dict[str, object]]:
    assert expect.published is not None
    names = [
        f"{expect.day_prefix}{n:06d}.ndjson.gz" for n in range(1, expect.published["chunks"] + 1)
    ]
    texts = [(name, model.destination[name]) for name in names]
    return [{"key": k, "records": t.count(b"\n"), "bytes": len(t)} for k, t in texts]


def log(expect: Expectation) -> tuple[dict[str, object], ...]:
    base: dict[str, object] = {"level": "WARN", "event": "bad_source", "request_id": "r"}
    lines = [{**base, "key": key, "code": code} for key, code in expect.bad or ()]
    counts = dict.fromkeys(PHASES, 0)
    if (published := expect.published) is not None:
        counts |= {"get": published["sources"], "decode": published["sources"], "publish": 1}
        counts |= dict.fromkeys(("compress", "put"), published["chunks"])
    end: dict[str, object] = {
        "level": "INFO" if expect.error is None else "ERROR",
        "event": "end",
        "request_id": "r",
        "error": expect.error,
        "cause": None,
        "result": expect.result,
        "phases": {name: {"count": count, "sum_ms": 1} for name, count in counts.items()},
        "wait_ms": 1,
    }
    return (*lines, end)


def limits(settings: Mapping[str, str | None]) -> Limits:
    given = {name: settings[name] or "" for name in KNOWN if settings.get(name) is not None}
    return Limits(
        given.get("SRC_PREFIX", ""),
        given.get("DST_PREFIX", ""),
        int(given.get("CHUNK_BYTES", 67108864)),
        int(given.get("MAX_SOURCE_BYTES", 134217728)),
    )


def faithful(_: DatasetModel) -> None:
    pass


def reads_digests(model: DatasetModel) -> None:
    model.sources = {key.replace("-Digest/", "/"): each for key, each in model.sources.items()}


def skips_an_account(model: DatasetModel) -> None:
    model.sources = {
        key: each for key, each in model.sources.items() if "/000000000000/" not in key
    }


def forgets_the_manifest(model: DatasetModel) -> None:
    for key in [key for key in model.destination if key.endswith("/_manifest.json")]:
        del model.destination[key]


def closes_late(model: DatasetModel) -> None:
    limit = model.limits
    model.limits = Limits(limit.source_prefix, limit.destination_prefix, limit.chunk_bytes + 1)


def run(keep: Path, rounds: int, seed: int = 1, **faults: Change) -> DatasetTally:
    def go_on(number: int) -> bool:
        return number < rounds and not (keep.exists() and any(keep.iterdir()))

    with ScriptedS3() as s3:
        functions = {
            name: lambda env, _, fault=fault: Fake(s3, env, fault) for name, fault in faults.items()
        }
        return fuzz_datasets(s3, functions, seed, keep, go_on, print)


def test_an_implementation_like_the_model_gives_no_disagreement(tmp_path: Path) -> None:
    tally = run(tmp_path / "keep", 3, one=faithful, two=faithful)
    assert (tally.rounds, len(tally.drafts)) == (3, 0), tally.drafts
    assert tally.datasets >= 250
    assert not (tmp_path / "keep").exists()


def test_every_answer_comes(tmp_path: Path) -> None:
    tally = run(tmp_path, 6, one=faithful)
    answers = {"OK", "NO_TRAIL", "BAD_SOURCES", "BAD_MANIFEST", "FEWER_SOURCES"}
    assert tally.by_code.keys() == answers
    assert min(tally.by_code.values()) >= 5
    assert tally.by_code["OK"] > tally.runs / 5
    assert f"{tally.runs} runs over {tally.datasets} datasets" in next(
        describe_datasets(tally, 1, 1.0)
    )


@pytest.mark.parametrize(
    "fault", [reads_digests, skips_an_account, forgets_the_manifest, closes_late]
)
def test_a_fault_is_found_shrunk_and_can_be_run_again(fault: Change, tmp_path: Path) -> None:
    tally = run(tmp_path, 6, good=faithful, wrong=fault)
    assert tally.drafts
    for draft, title in tally.drafts.items():
        assert ": wrong: " in title
        (case,) = load_cases(tmp_path, draft.name)
        # of up to four runs and forty objects; how far shrinking comes is a matter of time, too
        assert len(case.steps) <= 3
        assert sum(len(step.add) for step in case.steps) + len(case.destination) <= 6
        assert judged(case, fault)
        assert not judged(case, faithful)


def judged(case: Case, fault: Change) -> list[str]:
    with ScriptedS3() as s3:
        return judge(case, s3, lambda env, _: Fake(s3, env, fault))


def test_a_seed_gives_its_rounds_again(tmp_path: Path) -> None:
    tallies = [run(tmp_path / str(n), 2, seed=5, one=faithful) for n in range(2)]
    assert tallies[0] == tallies[1]
    assert run(tmp_path, 2, seed=6, one=faithful) != tallies[0]


def test_every_setting_comes() -> None:
    drawn = [draw_scenery(Random(number)) for number in range(100)]
    assert {each.page for each in drawn} == {1, 2, 3, 1000}
    assert {each.concurrency for each in drawn} >= {1, 16}
    assert len({each.limits for each in drawn}) > 50


def asks_the_model(case: Case) -> bool:
    """Whether the model covers a vector: no faults, plain triggers, two buckets."""
    buckets = {"SRC_BUCKET": SOURCE_BUCKET, "DST_BUCKET": DESTINATION_BUCKET}
    if case.faults or case.clauses[0][0] in "STEOP":
        return False
    return all(
        step.settings.items() >= buckets.items()
        and step.settings.keys() <= KNOWN | buckets.keys()
        and json.loads(step.payload).keys() <= MEMBERS
        for step in case.steps
    )


def test_the_model_agrees_with_the_vectors() -> None:
    cases = [case for case in load_cases() if asks_the_model(case)]
    assert len(cases) > 130
    wrong = []
    for case in cases:
        texts = {key: each.body for key, each in case.sources.items()}
        model = DatasetModel(limits(case.steps[0].settings), texts, dict(inflated(case)))
        for step in case.steps:
            model.limits = limits(step.settings)
            model.sources |= {key: each.body for key, each in step.add.items()}
            for key in step.remove:
                del model.sources[key]
            got = model.run(Run(**json.loads(step.payload)))
            if (got.error, got.result) != (step.expect.error, step.expect.result):
                wrong.append(f"{case.id}: {got}")
        chunks = {key: text for key, text in model.destination.items() if key.endswith(".gz")}
        expected = {key: text for key, text in case.expected.items() if key.endswith(".gz")}
        if chunks != expected:
            wrong.append(f"{case.id}: {chunks.keys() ^ expected.keys()}")
    assert not wrong, "\n".join(wrong)


def inflated(case: Case) -> Mapping[str, bytes]:
    return {
        key: gzip.decompress(each.body)
        if key.endswith(".gz") and each.body[:2] == b"\x1f\x8b"
        else each.body
        for key, each in case.destination.items()
    }


@pytest.mark.timeout(900)
def test_the_built_artefacts_agree(tmp_path: Path) -> None:
    with ScriptedS3() as s3, dataset_functions(every_artefact()) as functions:
        tally = fuzz_datasets(s3, functions, 1, tmp_path, lambda number: number < 2, print, 40)
    assert tally.runs > 60
    assert not tally.drafts, "\n".join(describe_datasets(tally, 1, 1.0))
