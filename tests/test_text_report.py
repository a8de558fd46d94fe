"""Reports as Markdown and CSV, and reports from an export."""

from __future__ import annotations

import csv
import io
import json
import re
from dataclasses import replace
from pathlib import Path

import pytest
from fake_comparison import COMPARISON

from harness.cli import main
from harness.model import LAMBDA, Row, UsageError, Variant
from harness.report.json_export import read_export, to_json
from harness.report.markdown import markdown, samples_csv
from harness.report.tables import detail_tables, with_summaries


@pytest.fixture
def export(tmp_path: Path) -> Path:
    file = tmp_path / "one.json"
    file.write_text(json.dumps(to_json(COMPARISON)))
    return file


def test_markdown_has_the_tables_the_reasons_and_the_warnings() -> None:
    text = re.sub(r" {2,}(?!expected)", " ", markdown(COMPARISON))
    assert "| python sdk | match | 1.00 | 300 | 2,300 | 1,188 | 1,175-1,234 | 8 |\n" in text
    assert "| python sdk | 150 | 420 | 90 | " in text
    assert "| python sdk | 2 | 2.37 [2.34-2.44] |" in text
    assert (
        '```\n2024/02/08/000001.ndjson.gz, line 3, byte 7: differs\n  expected: {"a":[1]}\n```'
        in text
    )
    warning = "some warm samples are far from the median: python sdk 1 of 8 (up to 1,900"
    assert f"- **outliers**: {warning}" in text.replace("\n ", " ")
    assert "| python | 19,400 | 28 | 19,372 | 61,000 | 68 | 60,932 |" in text
    assert "| go | 4,100 | - | - | 9,000 | 68 | 8,932 |" in text
    assert "| python sdk | 1,684 | 3.6 | 2.9 | 6.5 |" in text
    assert "| python sdk | 310.2 | 0.1 | 2,100 | 2,410 | 80 | 1,769 |" in text
    widths = {line.count("|") for line in text.splitlines() if line.startswith("|")}
    assert widths == {4, 6, 7, 8, 9, 10}  # the table of 13 columns is cut in two


def test_markdown_keeps_within_the_width_of_a_page() -> None:
    lines = markdown(COMPARISON).splitlines()
    assert max(map(len, lines)) <= 100
    assert sum("| row" in line for line in lines) > 5


def test_a_sweep_of_tls_shows_what_it_costs() -> None:
    def swept(tls: bool, times: float) -> list[Row]:
        return [
            replace(
                row,
                tls=tls,
                variant=Variant(tls=tls),
                samples=tuple(
                    replace(each, duration_ms=each.duration_ms and each.duration_ms * times)
                    for each in row.samples
                ),
            )
            for row in COMPARISON.rows
        ]

    both = replace(COMPARISON, rows=(*swept(False, 1), *swept(True, 1.5)), again=None)
    (table,) = (each for each in detail_tables(both, with_summaries(both)) if each.id == "tls")
    assert [row[:3] for row in table.rows] == [
        ("python sdk", "1,188 / 1,781", "1.50 [1.50-1.50]"),
        ("go sdk", "501 / 752", "1.50 [1.50-1.50]"),
    ]
    assert "TLS and plain HTTP to S3, as the name of each row tells" in " ".join(
        markdown(both).split()
    )
    assert "**Cost of TLS**" in markdown(both)
    assert "**Cost of TLS**" not in markdown(COMPARISON)
    assert "plain-http" not in markdown(both)


def test_csv_has_a_line_for_each_sample() -> None:
    lines = list(csv.DictReader(io.StringIO(samples_csv(COMPARISON))))
    assert len(lines) == sum(len(row.samples) for row in COMPARISON.rows)
    assert {line["memory_mb"] for line in lines} == {"-"}
    assert {line["transport"] for line in lines} == {"TLS"}
    assert (lines[0]["kind"], lines[0]["first_ms"], lines[3]["init_ms"]) == ("cold", "2410.2", "-")


def test_csv_has_what_belongs_to_a_snapshot_and_to_a_task() -> None:
    row = COMPARISON.rows[0]
    given = replace(
        row.samples[0],
        restore_ms=12.5,
        after_restore_ms=3.5,
        billed_ms=401.0,
        publish_ms=9000.0,
        process_ms=812.0,
    )
    one = replace(row, variant=Variant(snap_start=True), samples=(given,))
    (line,) = csv.DictReader(io.StringIO(samples_csv(replace(COMPARISON, rows=(one,)))))
    assert line["snap_start"] == "True"
    for name in ("restore_ms", "after_restore_ms", "billed_ms", "publish_ms", "process_ms"):
        assert line[name] == str(getattr(given, name))


def test_an_export_is_read_as_it_was(export: Path) -> None:
    assert read_export(export) == COMPARISON


def test_an_export_that_does_not_tell_was_over_plain_http(export: Path) -> None:
    old = json.loads(export.read_text())
    for result in old["results"]:
        del result["tls"], result["variant"]["tls"]
    export.write_text(json.dumps(old))
    read = read_export(export)
    assert {row.tls for row in read.rows} == {False}
    assert {line["transport"] for line in csv.DictReader(io.StringIO(samples_csv(read)))} == {
        "plain HTTP"
    }
    assert "**transport**: plain HTTP to S3" in markdown(read)
    assert "**plain-http**: " in markdown(read)
    # on AWS there was no other way than TLS
    old["environment"] |= {"target": LAMBDA, "region": "eu-central-1", "stack": "rosetta"}
    export.write_text(json.dumps(old))
    assert {row.tls for row in read_export(export).rows} == {True}


def test_an_export_of_schema_2_is_read(export: Path) -> None:
    old = json.loads(export.read_text())
    old["schema"] = 2
    for result in old["results"]:
        for name in ("package_own", "runtime", "runtime_version"):
            del result[name]
        for sample in result["samples"]:
            del sample["emulator"]
    export.write_text(json.dumps(old))
    read = read_export(export)
    assert [row.own for row in read.rows] == [None] * 4
    assert [len(row.samples) for row in read.rows] == [len(row.samples) for row in COMPARISON.rows]
    assert "REPORT" not in markdown(read)


def test_a_report_is_made_again_from_an_export(
    export: Path, tmp_path: Path, capsys: pytest.CaptureFixture[str]
) -> None:
    files = {name: tmp_path / f"report.{name}" for name in ("html", "markdown", "csv")}
    options = [text for name, file in files.items() for text in (f"--{name}", str(file))]
    assert main(["report", str(export), *options]) == 0
    assert "2.37 [2.34-2.44]" in capsys.readouterr().out
    assert files["html"].read_text().startswith("<!doctype html>")
    assert files["markdown"].read_text() == markdown(COMPARISON)
    assert files["csv"].read_text() == samples_csv(COMPARISON)


def test_two_exports_stand_side_by_side(
    export: Path, tmp_path: Path, capsys: pytest.CaptureFixture[str]
) -> None:
    other = tmp_path / "two.json"
    rows = (*COMPARISON.rows[1:2], replace(COMPARISON.rows[0], language="cobol"))
    fixture = {**COMPARISON.fixture, "sources": 4000}
    other.write_text(json.dumps(to_json(replace(COMPARISON, rows=rows, fixture=fixture))))
    assert main(["report", str(export), str(other)]) == 0
    out = capsys.readouterr().out
    first = out.split("growth with the day")[0].splitlines()
    lines = {line.split()[0]: line.split()[2:] for line in first if " sdk " in line}
    assert lines["go"] == ["501,", "1.00", "501,", "1.00"]
    assert lines["python"] == ["1,188,", "2.37", "[2.34-2.44]", "-"]
    assert lines["cobol"][0] == "-"
    assert "different days" in out


@pytest.mark.parametrize(
    ("text", "reason"),
    [
        (None, "can't be read"),
        ("{", "can't be read"),
        ("[]", "is no export"),
        ('{"schema": 1}', "has schema 1, but this version reads 2 to 4 of compare: name an export"),
        ('{"schema": 5}', "has schema 5"),
        ('{"schema": 2}', "is damaged: Object missing required field `environment`"),
    ],
)
def test_another_file_than_an_export_is_refused(
    text: str | None, reason: str, tmp_path: Path
) -> None:
    file = tmp_path / "no.json"
    if text is not None:
        file.write_text(text)
    with pytest.raises(UsageError, match=reason):
        read_export(file)


@pytest.mark.parametrize(
    ("part", "name", "value", "reason"),
    [
        ("fixture", "bad", None, "missing required field `bad` in `fixture`: run compare again"),
        ("fixture", "sources", 0, "Expected `int` >= 1 - at `$.sources` in `fixture`"),
        ("fixture", "sources", "many", "Expected `int`, got `str` - at `$.sources` in `fixture`"),
        ("settings", "CHUNK_BYTES", None, "missing required field `CHUNK_BYTES` in `settings`"),
        ("environment", "cores", None, "missing required field `cores` in `environment`"),
    ],
)
def test_an_export_without_a_member_is_refused(
    export: Path, part: str, name: str, value: str | int | None, reason: str
) -> None:
    damaged = json.loads(export.read_text())
    if value is None:
        del damaged[part][name]
    else:
        damaged[part][name] = value
    export.write_text(json.dumps(damaged))
    with pytest.raises(UsageError, match=re.escape(reason)):
        read_export(export)


def test_samples_of_two_files_in_one_are_wrong_usage(
    export: Path, tmp_path: Path, capsys: pytest.CaptureFixture[str]
) -> None:
    other = tmp_path / "two.json"
    other.write_text(export.read_text())
    assert main(["report", str(export), str(other), "--csv", str(tmp_path / "x")]) == 2
    assert "--csv writes the samples of one file" in capsys.readouterr().err
    assert main(["report", str(export), str(export)]) == 2
