"""Writes a comparison as JSON (schema 4), and reads it again (schema 2 to 4)."""

from __future__ import annotations

from pathlib import Path
from typing import Annotated, Any

import msgspec

from harness.analysis.caveats import find_caveats
from harness.analysis.cost import cost, price_list, requests_cost
from harness.analysis.row_summary import Ranking, ToFloor, ranking, summarise_row, to_floor
from harness.model import (
    LAMBDA,
    Comparison,
    Enforcement,
    Own,
    RepeatedRow,
    Row,
    Sample,
    UsageError,
    Variant,
    Verdict,
    VerdictKind,
)

SCHEMA = 4
_READABLE = range(2, SCHEMA + 1)  # earlier schemas lack members that were not measured then


def to_json(comparison: Comparison) -> dict[str, object]:
    """The raw samples, the values derived from them, and the warnings.

    A value that was not measured is ``null``.
    """
    standing, floor = ranking(comparison), to_floor(comparison)
    again = comparison.again
    exported = {
        "schema": SCHEMA,
        "interrupted": comparison.interrupted,
        "environment": comparison.environment,
        "settings": comparison.settings,
        "fixture": comparison.fixture,
        "prices": price_list(),
        "s3_requests_per_million_sources": requests_cost(comparison)
        if comparison.fixture.get("sources")
        else None,
        "results": [
            _result(row, comparison, standing, floor.get(row.name)) for row in comparison.rows
        ],
        "again": again
        and {
            "name": again.name,
            "ratio": standing.noise,
            "samples": [_sample(each) for each in again.samples],
        },
        "warnings": find_caveats(comparison, standing),
    }
    built: dict[str, object] = msgspec.to_builtins(exported)
    return built


def _result(
    row: Row, comparison: Comparison, found: Ranking, floor: ToFloor | None
) -> dict[str, object]:
    standing = found.standings.get(row.name)
    return {
        "name": row.name,
        "language": row.language,
        "role": row.role,
        "client": row.client,
        "variant": row.variant,
        "enforcement": row.enforcement,
        "verdict": row.verdict.kind,
        "reason": row.verdict.reason,
        "package_zip_bytes": row.zip_bytes,
        "package_unzipped_bytes": row.unzipped_bytes,
        "package_own": row.own,
        "runtime": row.runtime,
        "runtime_version": row.runtime_version,
        "output": row.output,
        "output_zip_bytes": row.output_zip_bytes,
        "figures": summarise_row(row, comparison.fixture),
        "cost": cost(row, comparison),
        "rank": standing and standing.rank,
        "ratio_to_fastest": standing and standing.to_fastest,
        "ratio_to_floor": floor or ToFloor(None, None),
        "samples": [_sample(each) for each in row.samples],
        "discarded": row.discarded,
        "tls": row.tls,
    }


def _sample(sample: Sample) -> dict[str, object]:
    return {**msgspec.to_builtins(sample), "first_ms": sample.first_ms}


class _Header(msgspec.Struct):
    schema: object


class _Result(msgspec.Struct):
    """The measured members of a row. The others are derived again from these."""

    language: str
    client: str
    variant: Variant
    enforcement: Enforcement | None
    verdict: VerdictKind
    reason: str | None
    package_zip_bytes: int | None
    package_unzipped_bytes: int | None
    output: dict[str, object] | None
    output_zip_bytes: int | None
    samples: tuple[Sample, ...]
    package_own: Own | None = None
    runtime: str | None = None
    runtime_version: str | None = None
    discarded: int = 0
    tls: bool | None = None

    def row(self, *, tls: bool) -> Row:
        """``tls`` is for an export that does not tell."""
        return Row(
            self.language,
            self.client,
            Verdict(self.verdict, self.reason),
            self.package_zip_bytes,
            self.package_unzipped_bytes,
            self.output,
            self.output_zip_bytes,
            self.samples,
            self.variant,
            self.enforcement,
            self.package_own,
            self.runtime,
            self.runtime_version,
            self.discarded,
            tls if self.tls is None else self.tls,
        )


class _Export(msgspec.Struct):
    environment: dict[str, Any]
    settings: dict[str, Any]
    fixture: dict[str, Any]
    results: tuple[_Result, ...]
    again: RepeatedRow | None
    interrupted: bool


class _Machine(msgspec.Struct):
    """The members of an ``environment`` that each report needs."""

    cpu: str | None
    cores: int
    memory_mb: int
    kernel: str
    architecture: str
    emulator: str
    commit: str | None
    clean: bool | None


class _Stack(msgspec.Struct):
    """The same on AWS."""

    region: str
    architecture: str
    stack: str
    commit: str | None
    clean: bool | None


class _Settings(msgspec.Struct):
    memory_mb: int
    timeout_s: int
    cold: int | None
    warm: int | None
    rerun: int | None
    seconds: float | None
    CHUNK_BYTES: int


class _Day(msgspec.Struct):
    day: str
    sources: Annotated[int, msgspec.Meta(ge=1)]
    bad: int
    source_bytes: int
    small_share: float
    records: int
    record_bytes: int
    chunks: int


def read_export(file: Path) -> Comparison:
    """Read a comparison that ``to_json`` wrote. Raises ``UsageError`` for any other file."""
    try:
        text = file.read_bytes()
        schema = msgspec.json.decode(text, type=_Header).schema
    except msgspec.ValidationError as error:
        raise UsageError(f"{file} is no export of `compare --export-json`") from error
    except OSError as error:
        raise UsageError(f"{file} can't be read: {error.strerror}") from error
    except msgspec.DecodeError as error:
        raise UsageError(f"{file} can't be read: {error}: run compare again") from error
    if schema not in _READABLE:
        raise UsageError(
            f"{file} has schema {schema}, but this version reads {_READABLE[0]} to {SCHEMA} of "
            "compare: name an export of compare, run compare again, or use the version that wrote "
            "the file"
        )
    try:
        found = msgspec.json.decode(text, type=_Export)
        _require_members(found)
    except msgspec.ValidationError as error:
        raise UsageError(f"{file} is damaged: {error}: run compare again") from error
    return Comparison(
        found.environment,
        found.settings,
        found.fixture,
        # older versions measured over plain HTTP on this machine
        tuple(each.row(tls=found.environment.get("target") == LAMBDA) for each in found.results),
        found.again,
        found.interrupted,
    )


def _require_members(found: _Export) -> None:
    """Raise ``ValidationError`` for a part without the members that each report needs."""
    on_aws = found.environment.get("target") == LAMBDA
    parts: dict[str, type[msgspec.Struct]] = {
        "environment": _Stack if on_aws else _Machine,
        "settings": _Settings,
    }
    if found.fixture:  # empty where nothing could run
        parts["fixture"] = _Day
    for name, members in parts.items():
        try:
            msgspec.convert(getattr(found, name), members)
        except msgspec.ValidationError as error:
            raise msgspec.ValidationError(f"{error} in `{name}`") from error
