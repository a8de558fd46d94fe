"""Vectors: the contract as data. The format is described in ``tests/README.md``."""

from __future__ import annotations

import gzip
import json
from collections.abc import Iterator, Mapping, Sequence
from dataclasses import dataclass
from fnmatch import fnmatch
from functools import cache
from pathlib import Path
from typing import Any

import jsonschema

from harness.model import UsageError
from harness.toolchain.paths import ROOT
from harness.verify.scripted_s3.scene import Fault, Stored

VECTORS = ROOT / "tests/vectors"
SCHEMA = ROOT / "tests/case.schema.json"
SOURCE_BUCKET = "source-bucket"
DESTINATION_BUCKET = "destination-bucket"


@dataclass(frozen=True, slots=True)
class Expectation:
    """The expected end of a step. ``published`` is the expected result in the manifest.

    ``or_error`` is as right as ``error``, where a clause leaves it to the moment.
    """

    result: Mapping[str, Any] | None
    error: str | None
    published: Mapping[str, Any] | None
    bad: tuple[tuple[str, str], ...] | None
    retries: int | None
    day_prefix: str | None
    or_error: str | None = None


@dataclass(frozen=True, slots=True)
class Step:
    """One invocation. ``payload`` is the event as bytes; a ``None`` setting is unset."""

    payload: bytes
    settings: Mapping[str, str | None]
    add: Mapping[str, Stored]
    remove: tuple[str, ...]
    timeout_s: int | None
    expect: Expectation


@dataclass(frozen=True, slots=True)
class Case:
    """One vector. ``expected`` maps destination keys to inflated bodies."""

    id: str
    title: str
    clauses: tuple[str, ...]
    sources: Mapping[str, Stored]
    destination: Mapping[str, Stored]
    faults: tuple[Fault, ...]
    steps: tuple[Step, ...]
    expected: Mapping[str, bytes]


def load_cases(folder: Path = VECTORS, glob: str = "*") -> tuple[Case, ...]:
    """Every vector whose id matches ``glob``, in the order of ids. Raises ``UsageError``."""
    if not folder.is_dir():
        raise UsageError(f"{folder}: no such folder of vectors")
    names = sorted(path.name for path in folder.iterdir() if path.is_dir())
    return tuple(_load(folder / name) for name in names if fnmatch(name, glob))


def _load(folder: Path) -> Case:
    file = folder / "case.json"
    try:
        raw = json.loads(file.read_text(encoding="utf-8"))
        _validator().validate(raw)
    except FileNotFoundError:
        raise UsageError(f"{folder.name}: has no case.json") from None
    except (ValueError, jsonschema.ValidationError) as error:
        reason = getattr(error, "message", str(error))
        raise UsageError(f"{folder.name}/case.json: {reason}") from None
    settings = {"SRC_BUCKET": SOURCE_BUCKET, "DST_BUCKET": DESTINATION_BUCKET}
    settings |= raw.get("settings", {})
    sources = {key: _stored(key, body) for key, body in _tree(folder / "source")}
    expected = dict(_tree(folder / "expected"))
    return Case(
        id=folder.name,
        title=raw["title"],
        clauses=tuple(raw["clauses"]),
        sources=sources | _objects(raw.get("objects", ()), folder),
        destination=_objects(raw.get("destination", ()), folder),
        faults=tuple(Fault(**fault) for fault in raw.get("faults", ())),
        steps=tuple(_step(step, settings, folder) for step in raw["steps"]),
        expected={_published_name(key): body for key, body in expected.items()}
        | {key: _inflated(o.body) for key, o in _objects(raw.get("expected", ()), folder).items()},
    )


@cache
def _validator() -> jsonschema.Draft202012Validator:
    return jsonschema.Draft202012Validator(json.loads(SCHEMA.read_text(encoding="utf-8")))


def _step(raw: Mapping[str, Any], settings: Mapping[str, str | None], folder: Path) -> Step:
    expect = raw["expect"]
    text = raw["event_text"] if "event_text" in raw else json.dumps(raw["event"])
    bad = expect.get("bad")
    return Step(
        payload=text.encode(),
        settings={**settings, **raw.get("settings", {})},
        add=_objects(raw.get("add", ()), folder),
        remove=tuple(raw.get("remove", ())),
        timeout_s=raw.get("timeout_s"),
        expect=Expectation(
            result=expect.get("result"),
            error=expect.get("error"),
            published=expect.get("published", expect.get("result")),
            bad=None if bad is None else tuple((key, code) for key, code in bad),
            retries=expect.get("retries"),
            day_prefix=expect.get("day_prefix"),
            or_error=expect.get("or_error"),
        ),
    )


def _tree(folder: Path) -> Iterator[tuple[str, bytes]]:
    for path in sorted(folder.rglob("*")):
        if path.is_file():
            yield path.relative_to(folder).as_posix(), path.read_bytes()


def _stored(key: str, text: bytes) -> Stored:
    if key.endswith(".gz"):
        return Stored(gzip.compress(text, mtime=0), "application/json", "gzip")
    return Stored(text, "application/json")


def _published_name(key: str) -> str:
    return f"{key}.gz" if key.endswith(".ndjson") else key


def _objects(raw: Sequence[Mapping[str, Any]], folder: Path) -> dict[str, Stored]:
    objects = {}
    for entry in raw:
        stored = Stored(
            build_body(entry["body"], folder), "application/json", entry.get("content_encoding")
        )
        for number in range(entry.get("count", 1)):
            objects[entry["key"].replace("{n}", f"{number:012d}")] = stored
    return objects


def build_body(raw: Mapping[str, Any], folder: Path) -> bytes:
    """The bytes that a body of ``tests/README.md`` describes."""
    match raw:
        case {"text": str(text)}:
            return text.encode()
        case {"file": str(name)}:
            return (folder / name).read_bytes()
        case {"hex": str(digits)}:
            return bytes.fromhex(digits)
        case {"concat": parts}:
            return b"".join(build_body(part, folder) for part in parts)
        case {"repeat": part, "count": int(count)}:
            return build_body(part, folder) * count
        case {"gzip": part}:
            body = bytearray(gzip.compress(build_body(part, folder), mtime=0))
            del body[len(body) - raw.get("cut", 0) :]
            for change in raw.get("set", ()):
                new = bytes.fromhex(change["hex"])
                at = change["at"] % len(body)
                body[at : at + len(new)] = new
            return bytes(body)
    raise UsageError(f"not a body: {raw}")


def _inflated(body: bytes) -> bytes:
    return gzip.decompress(body) if body[:2] == b"\x1f\x8b" else body
