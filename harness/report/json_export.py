"""A comparison as JSON, schema 4, and back: reports are made again from it, and from 2 and 3."""

from __future__ import annotations

import json
from collections.abc import Mapping
from dataclasses import asdict
from pathlib import Path
from typing import Any

from harness.analysis.caveats import find_caveats
from harness.analysis.cost import cost, price_list, requests_cost
from harness.analysis.row_summary import Ranking, ToFloor, figures, ranking, to_floor
from harness.model import (
    Comparison,
    EmulatorReport,
    Enforcement,
    Own,
    PeakSince,
    RepeatedRow,
    Row,
    Sample,
    SampleKind,
    UsageError,
    Variant,
    Verdict,
    VerdictKind,
)

SCHEMA = 4
_READABLE = range(2, SCHEMA + 1)  # what earlier ones lack was not measured then


def to_json(comparison: Comparison) -> dict[str, object]:
    """Raw samples, what follows from them, and the warnings; ``null`` is what was not measured."""
    standing, floor = ranking(comparison), to_floor(comparison)
    again = comparison.again
    return {
        "schema": SCHEMA,
        "interrupted": comparison.interrupted,
        "environment": dict(comparison.environment),
        "settings": dict(comparison.settings),
        "fixture": dict(comparison.fixture),
        "prices": price_list(),
        "s3_requests_per_million_sources": requests_cost(comparison)
        if comparison.fixture.get("sources")
        else None,
        "results": [
            _result(row, comparison, standing, floor.get(row.name)) for row in comparison.rows
        ],
        "again": None
        if again is None
        else {
            "name": again.name,
            "ratio": None if standing.noise is None else asdict(standing.noise),
            "samples": [_sample(each) for each in again.samples],
        },
        "warnings": [asdict(each) for each in find_caveats(comparison, standing)],
    }


def _result(
    row: Row, comparison: Comparison, found: Ranking, floor: ToFloor | None
) -> dict[str, object]:
    standing, modelled = found.standings.get(row.name), cost(row, comparison)
    return {
        "name": row.name,
        "language": row.language,
        "role": row.role.value,
        "client": row.client,
        "variant": asdict(row.variant),
        "enforcement": None if row.enforcement is None else asdict(row.enforcement),
        "verdict": row.verdict.kind.value,
        "reason": row.verdict.reason,
        "package_zip_bytes": row.zip_bytes,
        "package_unzipped_bytes": row.unzipped_bytes,
        "package_own": None if row.own is None else asdict(row.own),
        "runtime": row.runtime,
        "runtime_version": row.runtime_version,
        "output": None if row.output is None else dict(row.output),
        "output_zip_bytes": row.output_zip_bytes,
        "figures": asdict(figures(row, comparison.fixture)),
        "cost": None if modelled is None else asdict(modelled),
        "rank": None if standing is None else standing.rank,
        "ratio_to_fastest": None
        if standing is None or standing.to_fastest is None
        else asdict(standing.to_fastest),
        "ratio_to_floor": asdict(floor or ToFloor(None, None)),
        "samples": [_sample(each) for each in row.samples],
    }


def _sample(sample: Sample) -> dict[str, object]:
    return {**asdict(sample), "kind": sample.kind.value, "first_ms": sample.first_ms}


def read_export(file: Path) -> Comparison:
    """The comparison that ``to_json`` wrote; ``UsageError`` for anything else.

    Only what was measured is read: everything derived is derived anew.
    """
    try:
        exported = json.loads(file.read_text(encoding="utf-8"))
    except (OSError, ValueError) as error:
        raise UsageError(f"{file}: can't be read: {error}") from error
    if not isinstance(exported, dict) or "schema" not in exported:
        raise UsageError(f"{file}: not an export of `compare --export-json`")
    if exported["schema"] not in _READABLE:
        raise UsageError(
            f"{file}: of schema {exported['schema']}, and this reads {_READABLE[0]} to {SCHEMA}: "
            "run compare again, or report with the version that wrote it"
        )
    try:
        return _from_json(exported)
    except (KeyError, TypeError, ValueError) as error:
        raise UsageError(f"{file}: broken: {type(error).__name__} {error}") from error


def _from_json(exported: Mapping[str, Any]) -> Comparison:
    again = exported["again"]
    return Comparison(
        exported["environment"],
        exported["settings"],
        exported["fixture"],
        tuple(_row_from_json(each) for each in exported["results"]),
        None if again is None else RepeatedRow(again["name"], _samples_from_json(again["samples"])),
        exported["interrupted"],
    )


def _row_from_json(result: Mapping[str, Any]) -> Row:
    return Row(
        result["language"],
        result["client"],
        Verdict(VerdictKind(result["verdict"]), result["reason"]),
        result["package_zip_bytes"],
        result["package_unzipped_bytes"],
        result["output"],
        result["output_zip_bytes"],
        _samples_from_json(result["samples"]),
        Variant(**result["variant"]),
        None if result["enforcement"] is None else Enforcement(**result["enforcement"]),
        Own(**result["package_own"]) if result.get("package_own") else None,
        result.get("runtime"),
        result.get("runtime_version"),
    )


def _samples_from_json(samples: list[dict[str, Any]]) -> tuple[Sample, ...]:
    converted = {"kind", "first_ms", "peak_since", "emulator"}
    return tuple(
        Sample(
            SampleKind(each["kind"]),
            peak_since=None if each["peak_since"] is None else PeakSince(each["peak_since"]),
            emulator=EmulatorReport(**each["emulator"]) if each.get("emulator") else None,
            **{name: value for name, value in each.items() if name not in converted},
        )
        for each in samples
    )
