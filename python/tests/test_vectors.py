"""Every vector of ../../tests/vectors against the handler, with the in-memory store.

The format is described in ../../tests/README.md.
"""

import gzip
import json
import re
from collections.abc import Iterator, Mapping
from pathlib import Path
from typing import Any

import pytest
from memory_store import (
    DESTINATION,
    REQUEST_ID,
    SOURCE,
    FakeContext,
    MemoryStore,
    log_lines,
    prepared,
)

from aggregator.config import read_config
from aggregator.errors import AggregationError
from aggregator.handler import Prepared, run

VECTORS = Path(__file__).parents[2] / "tests" / "vectors"
CHUNK = r"(?:[0-9]{6}|[1-9][0-9]{6,})\.ndjson\.gz"


def bytes_of(body: Mapping[str, Any], folder: Path) -> bytes:
    match body:
        case {"text": text}:
            return str(text).encode()
        case {"file": name}:
            return (folder / str(name)).read_bytes()
        case {"hex": digits}:
            return bytes.fromhex(digits)
        case {"concat": parts}:
            return b"".join(bytes_of(part, folder) for part in parts)
        case {"repeat": part, "count": count}:
            return bytes_of(part, folder) * int(count)
        case {"gzip": inner}:
            packed = bytearray(gzip.compress(bytes_of(inner, folder), mtime=0))
            packed = packed[: len(packed) - body.get("cut", 0)]
            for change in body.get("set", ()):
                at = change["at"] % len(packed)
                new = bytes.fromhex(change["hex"])
                packed[at : at + len(new)] = new
            return bytes(packed)
    raise AssertionError(f"unknown body: {body}")


def objects_of(objects: list[Any], folder: Path) -> dict[str, bytes]:
    return {
        one["key"].replace("{n}", f"{n:012d}"): bytes_of(one["body"], folder)
        for one in objects
        for n in range(one.get("count", 1))
    }


def files_below(folder: Path) -> Iterator[tuple[str, bytes]]:
    for path in sorted(folder.rglob("*")):
        if path.is_file():
            yield path.relative_to(folder).as_posix(), path.read_bytes()


def store_of(case: Any, folder: Path) -> MemoryStore:
    store = MemoryStore()
    for key, text in files_below(folder / "source"):
        body = gzip.compress(text, mtime=0) if key.endswith(".gz") else text
        store.buckets[SOURCE][key] = body
    store.buckets[SOURCE] |= objects_of(case.get("objects", []), folder)
    store.buckets[DESTINATION] = objects_of(case.get("destination", []), folder)
    store.faults = {
        (fault["operation"], fault["key"].replace("{request_id}", REQUEST_ID)): fault["code"]
        for fault in case.get("faults", ())
    }
    return store


def expected_of(case: Any, folder: Path) -> dict[str, bytes]:
    """What the destination must hold at the end, inflated."""
    files = dict(files_below(folder / "expected"))
    expected = {f"{key}.gz" if key.endswith(".ndjson") else key: files[key] for key in files}
    for key, body in objects_of(case.get("expected", []), folder).items():
        expected[key] = inflated(body)
    return expected


def inflated(body: bytes) -> bytes:
    return gzip.decompress(body) if body.startswith(b"\x1f\x8b") else body


def settings_of(case: Any, step: Any) -> dict[str, str]:
    settings = {
        "SRC_BUCKET": SOURCE,
        "DST_BUCKET": DESTINATION,
        "AWS_REGION": "us-east-1",
        **case.get("settings", {}),
        **step.get("settings", {}),
    }
    return {name: value for name, value in settings.items() if value is not None}


def check_step(step: Any, settings: dict[str, str], store: MemoryStore, output: Any) -> None:
    """Invoke once and compare the answer and the log (not ``retries``: those need HTTP)."""

    def prepare() -> Prepared:
        return prepared(read_config(settings), store)

    event = json.loads(step["event_text"]) if "event_text" in step else step["event"]
    context = FakeContext(step.get("timeout_s", 900) * 1000)
    expect = step["expect"]
    result = None
    if "error" in expect:
        with pytest.raises(AggregationError) as caught:
            run(event, context, prepare)
        assert str(caught.value) == expect["error"].replace("{request_id}", REQUEST_ID)
    else:
        result = run(event, context, prepare)
        assert json.dumps(result) == json.dumps(expect["result"])
    log = log_lines(output.readouterr().out)
    if settings.get("LOG_LEVEL", "INFO") in ("DEBUG", "INFO"):
        assert (log[-1]["event"], log[-1]["result"]) == ("end", result)
    if "bad" in expect:
        bad = [[line["key"], line["code"]] for line in log if line["event"] == "bad_source"]
        assert sorted(bad) == sorted(expect["bad"])


def prefix_of(step: Any, settings: dict[str, str], published: Any) -> str:
    day = published["day"].replace("-", "/")
    prefix: str = step["expect"].get("day_prefix", f"{settings.get('DST_PREFIX', '')}{day}/")
    return prefix


def manifest_of(prefix: str, published: Any, expected: dict[str, bytes]) -> Any:
    chunks = [
        {"key": key, "records": text.count(b"\n"), "bytes": len(text)}
        for key, text in sorted(expected.items())
        if re.fullmatch(re.escape(prefix) + CHUNK, key)
    ]
    return {"result": published, "chunks": chunks}


@pytest.mark.parametrize("folder", sorted(VECTORS.iterdir()), ids=lambda folder: folder.name)
def test_vector(folder: Path, capsys: pytest.CaptureFixture[str]) -> None:
    case = json.loads((folder / "case.json").read_text(encoding="utf-8"))
    if case.get("needs") == "http":
        pytest.skip("only a real request shows it: tests/test_vectors.py of the repository")
    store = store_of(case, folder)
    expected = expected_of(case, folder)
    manifests: dict[str, Any] = {}
    for step in case["steps"]:
        store.buckets[SOURCE] |= objects_of(step.get("add", []), folder)
        for key in step.get("remove", ()):
            del store.buckets[SOURCE][key]
        settings = settings_of(case, step)
        check_step(step, settings, store, capsys)
        destination = store.buckets.get(settings.get("DST_BUCKET", DESTINATION), {})
        published = step["expect"].get("published", step["expect"].get("result"))
        if published is not None:
            prefix = prefix_of(step, settings, published)
            manifests[f"{prefix}_manifest.json"] = manifest_of(prefix, published, expected)
            hidden = re.escape(prefix) + rf"_[^/]*-{CHUNK}"
            assert not [key for key in destination if re.fullmatch(hidden, key)]
    if destination is not store.buckets[SOURCE]:
        check_destination(destination, expected, manifests)


def check_destination(
    destination: dict[str, bytes], expected: dict[str, bytes], manifests: dict[str, Any]
) -> None:
    for key, manifest in manifests.items():
        if key not in expected:
            assert json.loads(destination[key]) == manifest
    for key, text in expected.items():
        assert inflated(destination[key]) == text
    strangers = destination.keys() - expected.keys() - manifests.keys()
    assert not [key for key in strangers if not re.fullmatch(rf"(.*/)?_[^/]*-{CHUNK}", key)]
