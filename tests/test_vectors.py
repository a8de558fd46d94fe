"""The vectors as data: well formed, under existing clauses, with every clause covered."""

from __future__ import annotations

import gzip
import json
import re
from collections import Counter
from pathlib import Path

import pytest

from harness.model import UsageError
from harness.verify.vectors.cases import VECTORS, build_body, load_cases

SPEC = Path(__file__).parent.parent / "SPEC.md"
# clauses that no single vector can show; other tests prove them
ELSEWHERE = {
    "E9": "test_freeze.py",
    "E10": "test_bounds.py",
    "S16": "test_credentials.py",
    "S19": "test_tls.py",
    "S20": "test_tls.py",
    "K1": "test_task.py",
    "K2": "test_task.py",
    "K3": "test_task.py",
    "K4": "test_task.py",
    "P3": "test_bounds.py",
    "P5": "test_bounds.py",
}


def clauses() -> list[str]:
    found = re.findall(r"^- \*\*([A-Z]\d+)\*\*|^\| (S\d+) \|", SPEC.read_text(), re.MULTILINE)
    return [dashed or tabled for dashed, tabled in found]


def test_every_clause_has_two_vectors() -> None:
    count = Counter(clause for case in load_cases() for clause in case.clauses)
    assert {clause for clause in clauses() if count[clause] < 2} == ELSEWHERE.keys()


def test_every_clause_of_the_vectors_exists() -> None:
    assert {clause for case in load_cases() for clause in case.clauses} <= set(clauses())


def test_clauses_proved_elsewhere_are_named_there() -> None:
    for clause, file in ELSEWHERE.items():
        assert re.search(rf"\b{clause}\b", (Path(__file__).parent / file).read_text()), clause


def test_results_agree_with_expected_chunks() -> None:
    """A vector that contradicts itself would fail a correct implementation."""
    for case in load_cases():
        last = case.steps[-1].expect.published
        chunks = [
            text for key, text in case.expected.items() if re.search(r"/\d{6}\.ndjson\.gz$", key)
        ]
        if last is None or case.destination or last["chunks"] != len(chunks):
            continue
        assert last["bytes"] == sum(map(len, chunks)), case.id
        assert last["records"] == sum(text.count(b"\n") for text in chunks), case.id


def write_case(folder: Path, **case: object) -> Path:
    (folder / "some-case").mkdir()
    (folder / "some-case/case.json").write_text(json.dumps(case))
    return folder


def test_an_unknown_member_is_refused(tmp_path: Path) -> None:
    step = {"event": {}, "expect": {"error": "x"}}
    folder = write_case(tmp_path, title="a trap", clauses=["R1"], steps=[step], sources=[])
    with pytest.raises(UsageError, match=r"some-case/case\.json: .*'sources' was unexpected"):
        load_cases(folder)


def test_a_missing_folder_is_named(tmp_path: Path) -> None:
    with pytest.raises(UsageError, match="nowhere: no such folder"):
        load_cases(tmp_path / "nowhere")


def test_bodies() -> None:
    text = {"text": "é"}
    assert build_body(text, VECTORS) == "é".encode()
    assert build_body({"concat": [text, {"hex": "00ff"}]}, VECTORS) == b"\xc3\xa9\x00\xff"
    assert build_body({"repeat": text, "count": 3}, VECTORS) == "ééé".encode()
    whole = build_body({"gzip": text}, VECTORS)
    assert gzip.decompress(whole) == "é".encode()
    assert build_body({"gzip": text, "cut": 3}, VECTORS) == whole[:-3]
    changed = build_body({"gzip": text, "set": [{"at": -8, "hex": "0102"}]}, VECTORS)
    assert (changed[:-8], changed[-8:-6], changed[-6:]) == (whole[:-8], b"\x01\x02", whole[-6:])
