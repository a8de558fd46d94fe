"""``crossover``: the model of a day on Lambda and in a task, by hand-made work and exports."""

from __future__ import annotations

import json
from dataclasses import replace
from pathlib import Path

import make_tables
import pytest
from fake_comparison import COMPARISON

from harness.analysis.cost import network_price, requests_cost, task_second_price
from harness.analysis.crossover import (
    DEPLOYED_MB,
    DEPLOYED_TASK,
    TASKS,
    Assumptions,
    TaskSize,
    Work,
    cheaper_from,
    endpoints_month,
    function_month,
    idle_costs,
    most_in_a_run,
    nat_month,
    on_fargate,
    on_lambda,
    task_month,
    works,
)
from harness.cli import main
from harness.model import SampleKind
from harness.report.crossover_tables import crossover_tables, dollars, duration
from harness.report.json_export import read_export, to_json

GIVEN = Assumptions()
#: 1 ms of CPU a source, less than the wait of 1.25 ms, and 2 s for a start.
WORK = Work("go light", "go", 0.001, 0.001, 2.0)
ADDRESS = 0.005 / 3600


def test_a_source_takes_its_wait_or_its_work() -> None:
    assert WORK.source_s(1, GIVEN) == 0.020 / 16
    assert WORK.source_s(1, replace(GIVEN, concurrency=64)) == 0.001
    assert WORK.source_s(0.5, GIVEN) == 0.002  # half of the CPU, so twice the time
    assert WORK.source_s(4, replace(GIVEN, concurrency=64)) == 0.001
    assert replace(WORK, late_s=0.003).source_s(1, GIVEN) == 0.003


def test_a_day_on_lambda_is_billed_by_its_duration() -> None:
    found = on_lambda(WORK, 100_000, 1769, GIVEN)
    assert found.runs == 1
    assert found.run_s == pytest.approx(2 + 125)
    assert found.dollars == pytest.approx(127 * 1769 / 1024 * 0.0000166667 + 0.0000002)


def test_a_day_above_the_time_out_is_several_runs() -> None:
    most = most_in_a_run(WORK, 1769, GIVEN)
    assert most == 718_400  # (900 s - 2 s) / 1.25 ms
    assert on_lambda(WORK, most, 1769, GIVEN).runs == 1
    found = on_lambda(WORK, most + 1, 1769, GIVEN)
    assert found.runs == 2
    assert found.run_s == pytest.approx(2 + 359_200 * 0.00125, abs=0.01)
    assert on_lambda(WORK, 10 * most, 1769, GIVEN).runs == 10


def test_a_task_is_billed_from_its_start_and_for_a_minute_at_least() -> None:
    second = (0.04048 + 2 * 0.004445) / 3600
    assert task_second_price("x86_64", 1, 2048) == pytest.approx(second)
    short = on_fargate(WORK, 1_000, DEPLOYED_TASK, GIVEN)
    assert short.elapsed_s == pytest.approx(45 + 2 + 1.25)
    assert short.dollars == pytest.approx(60 * (second + ADDRESS))
    long = on_fargate(WORK, 1_000_000, DEPLOYED_TASK, GIVEN)
    assert long.elapsed_s == pytest.approx(45 + 2 + 1250)
    assert long.dollars == pytest.approx(1297 * (second + ADDRESS))


def test_a_task_behind_endpoints_or_a_nat_gateway_pays_for_no_address() -> None:
    second = task_second_price("x86_64", 1, 2048)
    found = on_fargate(WORK, 1_000_000, DEPLOYED_TASK, GIVEN, has_address=False)
    assert found.dollars == pytest.approx(1297 * second)
    tables = {each.id: each for each in crossover_tables([WORK], GIVEN, 0.4)}
    month = next(row for row in tables["month"].rows if row[0] == "1,000,000")
    assert month[-2:] == tuple(
        dollars(30 * 1297 * second + network) for network in (endpoints_month(), nat_month())
    )
    least = cheaper_from(WORK, DEPLOYED_MB, DEPLOYED_TASK, GIVEN, endpoints_month() / 30)
    assert least is not None
    task = on_fargate(WORK, least, DEPLOYED_TASK, GIVEN, has_address=False).dollars
    function = on_lambda(WORK, least, DEPLOYED_MB, GIVEN).dollars
    assert 0 < function - task - endpoints_month() / 30 < 0.001


def test_a_measured_start_of_a_task_takes_the_place_of_the_function_s() -> None:
    found = on_fargate(replace(WORK, as_task_s=5.0), 1_000_000, TASKS[1], GIVEN)
    assert found.elapsed_s == pytest.approx(45 + 5.0 / 0.5 + 1_000_000 * 0.002)


@pytest.mark.parametrize("size", TASKS)
def test_the_crossover_is_where_the_task_becomes_cheaper(size: TaskSize) -> None:
    for memory_mb in (442, 1769):
        found = cheaper_from(WORK, memory_mb, size, GIVEN)
        if found is None:
            many = 1_000_000
            task = on_fargate(WORK, many, size, GIVEN).dollars
            assert task >= on_lambda(WORK, many, memory_mb, GIVEN).dollars
            continue
        for sources, is_cheaper in ((found, True), (found * 2, True), (found * 9 // 10, False)):
            task = on_fargate(WORK, sources, size, GIVEN).dollars
            assert (task < on_lambda(WORK, sources, memory_mb, GIVEN).dollars) is is_cheaper


def test_a_network_moves_the_crossover() -> None:
    plain = cheaper_from(WORK, DEPLOYED_MB, DEPLOYED_TASK, GIVEN)
    networked = cheaper_from(WORK, DEPLOYED_MB, DEPLOYED_TASK, GIVEN, endpoints_month() / 30)
    assert plain is not None
    assert networked is not None
    assert networked > 900 * plain
    assert cheaper_from(WORK, DEPLOYED_MB, DEPLOYED_TASK, GIVEN, 1e9) is None


def test_idle_costs_are_those_of_730_hours() -> None:
    found = dict(idle_costs())
    assert found["3 interface endpoints in one zone"] == pytest.approx(21.9)
    assert found["5 interface endpoints in two zones"] == pytest.approx(73.0)
    assert found["NAT gateway in one zone, with its address"] == pytest.approx(36.5)
    assert network_price("public_ip_hour") == 0.005


# -- from exports --


def test_the_work_of_a_row_is_that_of_its_samples() -> None:
    found = {each.name: each for each in works(COMPARISON)}
    python = next(row for row in COMPARISON.rows if row.name == "python sdk")
    warm = sorted(s.duration_ms or 0 for s in python.samples if s.kind is SampleKind.WARM)
    middle = (warm[3] + warm[4]) / 2
    assert found["python sdk"].elapsed_s == pytest.approx(middle / 1000 / 2000)
    assert found["python sdk"].as_task_s is None
    assert "floor obstore" not in found
    assert python.enforcement is not None
    half = replace(python, enforcement=replace(python.enforcement, memory_mb=885, vcpus=0.5))
    assert list(works(replace(COMPARISON, rows=(half,)))) == []


def test_a_task_s_start_is_its_cpu_above_a_warm_invocation() -> None:
    tasks = replace(
        COMPARISON,
        rows=tuple(
            replace(row, samples=tuple(replace(each, cpu_ms=1150.0) for each in row.samples))
            for row in COMPARISON.rows
        ),
    )
    found = {each.name: each for each in works(COMPARISON, tasks)}
    assert found["python sdk"].as_task_s == pytest.approx(1.15 - found["python sdk"].cpu_s * 2000)


def test_the_command_prints_and_writes_the_tables(
    tmp_path: Path, capsys: pytest.CaptureFixture[str]
) -> None:
    export, file = tmp_path / "export.json", tmp_path / "tables.md"
    export.write_text(json.dumps(to_json(COMPARISON)))
    words = ["--start-s", "30", "--get-ms", "10", "--architecture", "arm64"]
    assert main(["crossover", str(export), *words, "--markdown", str(file)]) == 0
    out, text = capsys.readouterr().out, file.read_text()
    for title in ("The crossover", "On Lambda", "As a task", "Sizes", "Work without a pause"):
        assert title.lower() in out
        assert f"**{title}**" in text
    assert "10 ms for a GET, 30 s from the request" in text
    assert main(["crossover", str(export), "--markdown", str(export)]) == 2


def test_an_export_without_warm_samples_is_refused(
    tmp_path: Path, capsys: pytest.CaptureFixture[str]
) -> None:
    export = tmp_path / "export.json"
    cold = [replace(row, samples=()) for row in COMPARISON.rows]
    nothing = replace(COMPARISON, fixture={}, rows=COMPARISON.rows[3:], again=None)
    for each in (replace(COMPARISON, rows=tuple(cold)), nothing):
        export.write_text(json.dumps(to_json(each)))
        assert main(["crossover", str(export)]) == 2
        assert "no row with cold and warm samples" in capsys.readouterr().err


def test_only_tasks_over_the_same_number_of_sources_tell_a_start(
    tmp_path: Path, capsys: pytest.CaptureFixture[str]
) -> None:
    export, tasks = tmp_path / "export.json", tmp_path / "tasks.json"
    export.write_text(json.dumps(to_json(COMPARISON)))
    command = ["crossover", str(export), "--tasks"]
    assert main([*command, str(export)]) == 2
    assert "export.json is no export of compare --target task" in capsys.readouterr().err
    of_tasks = {**COMPARISON.environment, "target": "task"}
    for sources, code in ((2000, 0), (1000, 2)):
        fixture = {**COMPARISON.fixture, "sources": sources}
        made = replace(COMPARISON, environment=of_tasks, fixture=fixture)
        tasks.write_text(json.dumps(to_json(made)))
        assert main([*command, str(tasks)]) == code
    assert "tasks.json has 1000 sources and" in capsys.readouterr().err


def test_numbers_have_two_digits_that_count() -> None:
    assert [duration(each) for each in (1.25, 42.4, 125, 5400)] == [
        "1.2 s",
        "42 s",
        "2 min",
        "1.5 h",
    ]
    assert [dollars(each) for each in (0.00002, 0.0271, 0.4, 36.5)] == [
        "0.000020",
        "0.027",
        "0.4",
        "36.50",
    ]


# -- docs/lambda-or-fargate.md --


def stored() -> list[Work]:
    return list(works(read_export(make_tables.EXPORT), read_export(make_tables.TASKS_EXPORT)))


def test_the_page_s_advice_follows_from_the_stored_exports() -> None:
    """Each figure that the text of the page names."""
    many = replace(GIVEN, concurrency=64)
    for each in stored():
        assert 500_000 < most_in_a_run(each, DEPLOYED_MB, GIVEN) <= 720_000
        least = 500_000 if each.name == "python sdk" else 900_000
        assert least < most_in_a_run(each, DEPLOYED_MB, many) < 3_500_000
        assert on_lambda(each, 700_000, DEPLOYED_MB, GIVEN).dollars * 30 < 1
        plain = cheaper_from(each, DEPLOYED_MB, DEPLOYED_TASK, GIVEN)
        assert plain is not None
        assert 30_000 < plain < 45_000
        idle = endpoints_month() / 30
        networked = cheaper_from(each, DEPLOYED_MB, DEPLOYED_TASK, GIVEN, idle)
        nat = cheaper_from(each, DEPLOYED_MB, DEPLOYED_TASK, GIVEN, nat_month() / 30)
        assert networked is not None
        assert nat is not None
        assert 20_000_000 < networked < nat < 100_000_000
        if each.language == "go":
            networked = cheaper_from(each, DEPLOYED_MB, DEPLOYED_TASK, many, idle)
            assert networked is not None
            assert networked > 100_000_000
    assert 2 < function_month(1769, GIVEN) / task_month(DEPLOYED_TASK, GIVEN) < 2.2
    quarter = [each.name for each in stored() if each.source_s(0.25, GIVEN) == GIVEN.wait_s]
    assert {"python light", "go light"} <= {*quarter}
    assert "python sdk" not in quarter
    busy = {each.name: each.cpu_s / GIVEN.wait_s for each in stored()}
    assert busy["go light"] == pytest.approx(1 / 8, abs=0.03)
    java = next(each for each in stored() if each.name == "java light")
    assert java.as_task_s is not None
    assert java.as_task_s > 1.5 * java.cold_s


def test_the_page_s_sums_of_a_month_follow_from_the_stored_exports() -> None:
    of_a_million = requests_cost(read_export(make_tables.EXPORT))
    assert 8 < 30 * 0.7 * of_a_million < 9.5  # "about 9 USD", with 700,000 sources a day
    for each in stored():
        for sources in (10_000, 100_000, 1_000_000, 10_000_000):
            function = on_lambda(each, sources, DEPLOYED_MB, GIVEN).dollars * 30
            task = on_fargate(each, sources, DEPLOYED_TASK, GIVEN).dollars * 30
            assert 30 * sources / 1e6 * of_a_million > max(function, task)
            if sources == 100_000:
                assert 0.01 < function - task < 0.1  # "some cents"
            if sources == 10_000_000:
                assert 2 < function - task < 10  # "some dollars"


def test_arm64_is_a_fifth_cheaper_in_both_places() -> None:
    arm64 = replace(GIVEN, architecture="arm64")
    for each in stored():
        function, on_arm64 = (on_lambda(each, 10**6, DEPLOYED_MB, by) for by in (GIVEN, arm64))
        assert on_arm64.dollars / function.dollars == pytest.approx(0.8, abs=0.01)
        task, on_arm = (on_fargate(each, 10**6, DEPLOYED_TASK, by) for by in (GIVEN, arm64))
        assert on_arm.dollars / task.dollars == pytest.approx(0.8, abs=0.08)


def test_the_picture_is_that_of_the_exports() -> None:
    for path, text in make_tables.place_pictures(make_tables.EXPORT).items():
        assert path.read_text() == text, path.name


def test_the_tables_can_be_made_of_the_works() -> None:
    tables = crossover_tables(stored(), GIVEN, 0.4)
    assert [each.id for each in tables] == [
        *("crossover", "on-lambda", "as-a-task", "sizes", "idle", "month", "busy"),
    ]
