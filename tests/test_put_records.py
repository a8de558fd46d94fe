"""The exercise put-records: its answers pass, obvious versions fail, and the judge is strict."""

from __future__ import annotations

from collections.abc import Sequence
from pathlib import Path

import pytest

from harness.exercise.put_records import __main__ as put_records
from harness.exercise.put_records.judge import FaultError, Judge
from harness.exercise.put_records.program import FILES, command, outcomes
from harness.exercise.put_records.vectors import Vector, load_vectors

each_language = pytest.mark.parametrize("language", FILES)


def ten(**given: object) -> Vector:
    return Vector("ten", ((10, 200),), 9, **given)  # type: ignore[arg-type]


def play(vector: Vector, lines: Sequence[str]) -> list[str | None]:
    judge = Judge(vector)
    return [judge.answer(line) for line in lines]


@pytest.mark.slow
@each_language
def test_the_answer_in_each_language_passes_all_vectors(language: str) -> None:
    started = command(language, put_records.HERE / FILES[language])
    found = list(outcomes(started, load_vectors()))
    assert [each.fault for each in found] == [None] * len(load_vectors())
    doubled = {
        vector.name: each.doubles for vector, each in zip(load_vectors(), found, strict=True)
    }
    assert doubled.pop("answer-lost") == 10
    assert set(doubled.values()) == {0}


@pytest.mark.slow
@each_language
def test_the_obvious_version_loses_records(language: str, tmp_path: Path) -> None:
    file = tmp_path / FILES[language]
    file.write_text(put_records.obvious(language))
    named = {each.name: each for each in load_vectors()}
    vectors = [named[name] for name in ("five-hundred", "some-refused", "one-more")]
    whole, refused, more = (each.fault for each in outcomes(command(language, file), vectors))
    assert whole is None
    assert refused == "record 3 is lost: it was refused, and not put again"
    assert more == "request 1 has 501 records; 500 are allowed"


def test_a_program_that_ends_or_babbles_is_told_so(tmp_path: Path) -> None:
    file = tmp_path / "ends.py"
    file.write_text("input()\n")
    first, second = outcomes(command("python", file), load_vectors()[:2])
    assert first.fault == second.fault == "it has ended; its own words stand above"
    file.write_text("input()\nwhile True: print('pause 1')\n")
    (found,) = outcomes(command("python", file), load_vectors()[:1])
    assert found.fault == "it is not done after 1000 lines"


def test_the_command_writes_a_file_checks_it_and_shows_an_answer(
    monkeypatch: pytest.MonkeyPatch, capsys: pytest.CaptureFixture[str], tmp_path: Path
) -> None:
    monkeypatch.setattr(put_records, "FOLDERS", tmp_path)
    monkeypatch.setattr("sys.argv", ["put_records", "python"])
    assert put_records.main() == 1
    assert "3 of 16 vectors pass" in capsys.readouterr().out
    monkeypatch.setattr("sys.argv", ["put_records", "python", "--solve"])
    assert put_records.main() == 0
    assert "+    while waiting:\n" in capsys.readouterr().out
    answer = (put_records.HERE / FILES["python"]).read_text()
    (tmp_path / "put-records/put_records.py").write_text(answer)
    monkeypatch.setattr("sys.argv", ["put_records", "python"])
    assert put_records.main() == 0
    assert "16 of 16 vectors pass" in capsys.readouterr().out


def test_the_stream_refuses_takes_and_fails_as_the_vector_says() -> None:
    everything = "put 0 1 2 3 4 5 6 7 8 9"
    vector = ten(refused=((3, 4, 1), (7, 7, 2)), failed=(2,))
    words = "ok ok ok throttled throttled ok ok failed ok ok"
    lines = [everything, "pause 50", "put 3 4 7", "pause 100", "put 3 4 7", "pause 200", "put 7"]
    assert play(vector, [*lines, "done"]) == [
        *(words, None, "error", None, "ok ok throttled", None, "ok", None),
    ]


@pytest.mark.parametrize(
    ("lines", "fault"),
    [
        (["put"], "request 1 has no record"),
        (["put 0 0"], "request 1 has record 0 twice"),
        (["put 10"], "request 1 has record 10, which does not exist"),
        (["put 0 x"], "has a word that is no number"),
        (["sleep 5"], "nobody understands the line 'sleep 5'"),
        ([""], "nobody understands"),
        (["refuse 0"], "record 0 is not too large, and is refused"),
        (["put 0", "put 0"], "request 2 has record 0, which was accepted before: it is doubled"),
        (["put 0", "done"], "record 1 is lost: it was never put"),
        (["put 2", "put 2"], "request 2 repeats record 2 after 0 ms; after 1 refusals in a row"),
        (["put 2", "pause 49", "put 2"], "after 49 ms; after 1 refusals in a row pause for 50 ms"),
        (["put 2", "pause 50", "put 2", "pause 99", "put 2"], "in a row pause for 100 ms"),
        (["put 2", "pause 50", "put 2", "done"], "record 0 is lost: it was never put"),
        ([f"put {number}" for number in (0, 1, 3, 4, 5, 6, 7, 8, 9, 2)], "10 is one too many"),
    ],
)
def test_the_judge_names_the_fault(lines: Sequence[str], fault: str) -> None:
    with pytest.raises(FaultError, match=fault):
        play(ten(refused=((2, 2, 3),)), lines)


def test_a_record_that_no_request_may_hold_is_told_and_not_put() -> None:
    large = Vector("large", ((1, 2**20 + 1),), 0)
    with pytest.raises(FaultError, match="record 0, which is too large: it fails for ever"):
        play(large, ["put 0"])
    with pytest.raises(FaultError, match="record 0 is too large, and nobody is told"):
        play(large, ["done"])
    assert play(large, ["refuse 0", "done"]) == [None, None]
