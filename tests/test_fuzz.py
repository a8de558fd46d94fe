"""The differential fuzzer: it reaches every outcome, finds disagreements, repeats by its seed."""

from __future__ import annotations

import gzip
import json
import re
import zlib
from collections import Counter
from collections.abc import Callable, Sequence
from pathlib import Path

import pytest
from conftest import every_artefact

from harness.cli import main
from harness.fixtures.sources import BadSourceError, read_records
from harness.model import UsageError
from harness.verify.fuzz.bodies import Tally, describe, fuzz, make_round
from harness.verify.fuzz.oracle import truth
from harness.verify.fuzz.shrink import shrink
from harness.verify.fuzz.subjects import MAX_SOURCE_BYTES, Day, Subject, subjects
from harness.verify.vectors.cases import load_cases

pytestmark = pytest.mark.slow

CONSTANT = re.compile(rb"NaN|-?Infinity")
Reader = Callable[[bytes], tuple[bytes, ...]]


def by_the_oracle(body: bytes) -> tuple[bytes, ...]:
    return read_records(body, MAX_SOURCE_BYTES)


def accepts_constants(body: bytes) -> tuple[bytes, ...]:
    """Reads NaN and the infinities as 0, in plain bodies and in gzip."""
    try:
        return by_the_oracle(body)
    except BadSourceError as bad:
        if bad.code != "BAD_JSON":
            raise
        text = gzip.decompress(body) if body.startswith(b"\x1f\x8b") else body
        return by_the_oracle(CONSTANT.sub(b"0", text))


def drops_minus_of_zero(body: bytes) -> tuple[bytes, ...]:
    return tuple(record.replace(b":-0,", b":0,") for record in by_the_oracle(body))


def ignores_the_trailer(body: bytes) -> tuple[bytes, ...]:
    """Returns the first member's text without a check of its last eight bytes."""
    try:
        return by_the_oracle(body)
    except BadSourceError as bad:
        if bad.code == "BAD_GZIP" and len(body) > 18 and body[:4] == b"\x1f\x8b\x08\0":
            try:
                coder = zlib.decompressobj(-15)
                text = coder.decompress(body[10:], MAX_SOURCE_BYTES)
            except zlib.error:
                raise bad from None
            if coder.eof and len(coder.unused_data) == 8:
                return by_the_oracle(text)
        raise


def subject(read: Reader) -> Subject:
    def day(bodies: Sequence[bytes], /) -> Day:
        codes: dict[int, str] = {}
        text = b""
        for place, body in enumerate(bodies):
            try:
                text += b"".join(record + b"\n" for record in read(body))
            except BadSourceError as bad:
                codes[place] = bad.code
        return Day(text, codes)

    return day


def run(keep: Path, rounds: int, **readers: Subject) -> Tally:
    quiet: Callable[[str], None] = lambda _: None  # noqa: E731
    return fuzz(readers, 1, keep, lambda number: number < rounds, quiet, 300)


def body_of(draft: Path) -> bytes:
    case = json.loads((draft / "case.json").read_text())
    return bytes.fromhex(case["objects"][0]["body"]["hex"])


def test_a_seed_gives_its_rounds_again() -> None:
    assert make_round(7, 3, 50) == make_round(7, 3, 50)
    assert make_round(7, 3, 50) != make_round(7, 4, 50)
    assert make_round(7, 3, 50) != make_round(8, 3, 50)


def test_every_outcome_comes_often_enough() -> None:
    bodies = [body for number in range(3) for body in make_round(1, number)]
    truths = [truth(body) for body in bodies]
    share = Counter(each.kind for each in truths)
    assert share.keys() == {"readable", "TOO_LARGE", "BAD_GZIP", "BAD_JSON", "NO_RECORDS"}
    assert share["readable"] > len(bodies) / 4
    assert share["TOO_LARGE"] >= 3
    assert min(share["BAD_GZIP"], share["BAD_JSON"], share["NO_RECORDS"]) > len(bodies) / 50
    texts = [each.text for each in truths if each.text]
    assert len(set(texts)) > len(bodies) / 5
    readable_gzip = [
        body for body, each in zip(bodies, truths, strict=True) if each.text and body[:1] == b"\x1f"
    ]
    assert len(readable_gzip) > len(bodies) / 20
    assert any(MAX_SOURCE_BYTES - 3 <= len(body) <= MAX_SOURCE_BYTES for body in bodies)
    assert any(MAX_SOURCE_BYTES < len(body) <= MAX_SOURCE_BYTES + 3 for body in bodies)


def test_too_large_and_damaged_may_be_either() -> None:
    text = b'{"Records":[]}' + b" " * MAX_SOURCE_BYTES
    assert truth(text + b"x").codes == ("TOO_LARGE",)
    assert truth(gzip.compress(text)).codes == ("TOO_LARGE",)
    assert truth(gzip.compress(text + b"x")).codes == ("TOO_LARGE", "BAD_JSON")
    assert truth(gzip.compress(text)[:-1]).codes == ("TOO_LARGE", "BAD_GZIP")
    one_too_many = gzip.compress(text[: MAX_SOURCE_BYTES + 1])
    assert truth(one_too_many[:-8] + bytes(8)).codes == ("BAD_GZIP", "TOO_LARGE")


def test_a_subject_that_agrees_with_the_oracle_gives_no_disagreement(tmp_path: Path) -> None:
    tally = run(tmp_path / "keep", 2, one=subject(by_the_oracle), two=subject(by_the_oracle))
    assert (tally.rounds, tally.cases, tally.disagreements) == (2, 600, 0)
    assert sum(tally.by_code.values()) == 600
    assert not (tmp_path / "keep").exists()


def test_a_wrong_code_is_caught_shrunk_and_drafted(tmp_path: Path) -> None:
    tally = run(tmp_path, 4, good=subject(by_the_oracle), lax=subject(accepts_constants))
    assert tally.disagreements > 0
    assert tally.drafts
    for draft, title in tally.drafts.items():
        body = body_of(draft)
        assert CONSTANT.search(body)
        assert len(body) <= 30
        assert title.startswith("good, oracle: BAD_JSON; lax: ") or title.startswith(
            "good: BAD_JSON; "
        )


def test_other_text_is_found_by_halving(tmp_path: Path) -> None:
    tally = run(tmp_path, 4, good=subject(by_the_oracle), loose=subject(drops_minus_of_zero))
    assert tally.drafts
    for draft, title in tally.drafts.items():
        assert b":-0," in body_of(draft)
        assert len(body_of(draft)) <= 35
        assert "records, " in title
    assert not tally.in_company


def test_a_fault_of_gzip_stays_gzip(tmp_path: Path) -> None:
    tally = run(tmp_path, 4, lax=subject(ignores_the_trailer))
    assert tally.drafts
    for draft in tally.drafts:
        assert truth(body_of(draft)).codes == ("BAD_GZIP",)
        assert len(body_of(draft)) <= 60
        assert subject(ignores_the_trailer)([body_of(draft)]).kind != "BAD_GZIP"


def test_a_failing_subject_is_reported_with_its_body(tmp_path: Path) -> None:
    def fragile(bodies: Sequence[bytes], /) -> Day:
        if any(b"\\ud800" in body for body in bodies):
            return Day(error="INTERNAL: see the log")
        return subject(by_the_oracle)(bodies)

    tally = run(tmp_path, 2, fragile=fragile)
    assert [(body_of(draft)) for draft in tally.drafts]
    for draft, title in tally.drafts.items():
        assert b"\\ud800" in body_of(draft)
        assert title.startswith("fragile: INTERNAL: see the log; oracle: ")


def test_the_same_mistake_of_all_is_a_disagreement(tmp_path: Path) -> None:
    tally = run(tmp_path, 4, one=subject(accepts_constants), two=subject(accepts_constants))
    assert tally.disagreements > 0
    assert all(title.startswith("one, two: ") for title in tally.drafts.values())


def test_a_difference_of_several_bodies_together_is_reported(tmp_path: Path) -> None:
    def forgetful(bodies: Sequence[bytes], /) -> Day:
        day = subject(by_the_oracle)(bodies)
        return Day(day.text[:-1], day.codes) if len(bodies) == 300 else day

    tally = run(tmp_path, 1, forgetful=forgetful)
    assert tally.disagreements == 1
    assert not tally.drafts
    assert "not alone: forgetful: round 0 of seed 1: differs, but no body does alone" in describe(
        tally, 1, 1.0
    )


def test_a_draft_is_no_vector_before_a_person_decides(tmp_path: Path) -> None:
    tally = run(tmp_path, 4, lax=subject(accepts_constants))
    with pytest.raises(UsageError, match="'expect' is a required property"):
        load_cases(tmp_path)
    for draft in tally.drafts:
        file = draft / "case.json"
        case = json.loads(file.read_text())
        case["steps"][0]["expect"] = {"error": "decided"}
        file.write_text(json.dumps(case))
    cases = load_cases(tmp_path)
    assert [case.clauses for case in cases] == [("R6",)] * len(tally.drafts)
    assert {body_of(tmp_path / case.id) for case in cases} == {
        stored.body for case in cases for stored in case.sources.values()
    }


def test_brackets_go_in_pairs() -> None:
    small = shrink(b'{"a":[[[1,{"b":"x"}]]],"c":2}', lambda body: _loads(body) and b"x" in body)
    assert small == b'"x"'


def _loads(body: bytes) -> bool:
    try:
        json.loads(body)
    except ValueError:
        return False
    return True


@pytest.mark.timeout(900)
def test_the_built_artefacts_agree(tmp_path: Path) -> None:
    with subjects(every_artefact()) as each:
        tally = run(tmp_path, 2, **each)
    assert tally.cases == 600
    assert not tally.disagreements, "\n".join(describe(tally, 1, 1.0))


@pytest.mark.timeout(900)
def test_the_command(capsys: pytest.CaptureFixture[str], tmp_path: Path) -> None:
    arguments = ["--seconds", "1", "--seed", "5", "--languages", "go", "--keep", str(tmp_path)]
    assert main(["fuzz", *arguments]) == 0
    out = capsys.readouterr().out.splitlines()
    bodies, datasets = out[:3], out[3:]
    assert re.match(r"seed 5: [1-9]\d* cases", bodies[0])
    assert "readable " in bodies[1]
    assert re.match(r"seed 5: [1-9]\d* runs over [1-9]\d* datasets", datasets[0])
    assert "OK " in datasets[1]
    assert bodies[2:] == datasets[2:] == ["0 disagreements"]


def test_an_unknown_language_is_wrong_usage(capsys: pytest.CaptureFixture[str]) -> None:
    assert main(["fuzz", "--languages", "cobol"]) == 2
    assert "unknown language cobol" in capsys.readouterr().err
