"""The tables of ``crossover``: the time and the cost of a day on Lambda and in a task."""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import replace

from harness.analysis.cost import price_list
from harness.analysis.crossover import (
    DEPLOYED_MB,
    DEPLOYED_TASK,
    ENDPOINTS,
    FUNCTIONS_MB,
    NIGHTS,
    TASKS,
    Assumptions,
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
)
from harness.report.formatting import Table

SIZES = (1_000, 10_000, 100_000, 1_000_000, 10_000_000)
IN_FLIGHT = (16, 64)
_LARGE = 1_000_000
_MINUTE, _HOUR = 60, 3600


def crossover_tables(
    works: Sequence[Work], given: Assumptions, requests_of_a_million: float
) -> list[Table]:
    """Of all rows, and then of the one with the shortest time of a source and the longest one."""
    by_time = sorted(works, key=lambda each: each.elapsed_s)
    ends = list(dict.fromkeys((by_time[0], by_time[-1])))
    return [
        crossover_table(works, given),
        lambda_table(works, given),
        task_table(works, given),
        sizes_table(ends, given),
        idle_table(),
        month_table(by_time[0], given, requests_of_a_million),
        busy_table(given),
    ]


def crossover_table(works: Sequence[Work], given: Assumptions) -> Table:
    idle = endpoints_month() / NIGHTS
    rows = [
        (
            work.name,
            str(so.concurrency),
            f"{work.source_s(DEPLOYED_TASK.vcpus, so) * 1000:.2f}",
            _sources(most_in_a_run(work, DEPLOYED_MB, so)),
            _sources(cheaper_from(work, DEPLOYED_MB, DEPLOYED_TASK, so)),
            _sources(cheaper_from(work, DEPLOYED_MB, DEPLOYED_TASK, so, idle)),
        )
        for so in (
            replace(given, concurrency=each)
            for each in dict.fromkeys((given.concurrency, *IN_FLIGHT))
        )
        for work in works
    ]
    return Table(
        "crossover",
        "The crossover",
        f"Sources of a day: the most in one run of 900 s with {DEPLOYED_MB:,} MB, and the least "
        f"for which a task of {DEPLOYED_TASK} costs less, with a public address, or with "
        f"{ENDPOINTS} interface endpoints in one zone in its place. {assumed(given)}",
        ("row", "in flight", "ms a source", "one run", "cheaper from", "with endpoints"),
        rows,
    )


def lambda_table(works: Sequence[Work], given: Assumptions) -> Table:
    rows = []
    for work in works:
        cells = []
        for sources in SIZES:
            found = on_lambda(work, sources, DEPLOYED_MB, given)
            times = f"{found.runs} x " if found.runs > 1 else ""
            cells.append(f"{times}{duration(found.run_s)}, {dollars(found.dollars * NIGHTS)}")
        rows.append((work.name, *cells))
    return Table(
        "on-lambda",
        "On Lambda",
        f"The time of a day by its sources, and US dollars for {NIGHTS} such days, with "
        f"{DEPLOYED_MB:,} MB. Where one run does not suffice, the accounts are runs of their own, "
        f"here of equal size. {_in_flight(given)}",
        ("row", *(f"{each:,}" for each in SIZES)),
        rows,
    )


def task_table(works: Sequence[Work], given: Assumptions) -> Table:
    rows = []
    for work in works:
        found = [on_fargate(work, sources, DEPLOYED_TASK, given) for sources in SIZES]
        cells = (f"{duration(each.elapsed_s)}, {dollars(each.dollars * NIGHTS)}" for each in found)
        rows.append((work.name, *cells))
    return Table(
        "as-a-task",
        "As a task",
        f"The same with {DEPLOYED_TASK} on Fargate, from the request for the task to its end, with "
        f"a public address. {_in_flight(given)}",
        ("row", *(f"{each:,}" for each in SIZES)),
        rows,
    )


def sizes_table(works: Sequence[Work], given: Assumptions) -> Table:
    rows = []
    for work in works:
        for memory_mb in FUNCTIONS_MB:
            run = on_lambda(work, _LARGE, memory_mb, given)
            times = f"{run.runs} x " if run.runs > 1 else ""
            place = f"Lambda, {memory_mb:,} MB"
            rows.append((work.name, place, f"{times}{duration(run.run_s)}", dollars(run.dollars)))
        for size in TASKS:
            task = on_fargate(work, _LARGE, size, given)
            rows.append(
                (work.name, f"task, {size}", duration(task.elapsed_s), dollars(task.dollars))
            )
    return Table(
        "sizes",
        "Sizes",
        f"One day of {_LARGE:,} sources in each size, in US dollars. More than one processor is "
        f"not modelled as faster. {_in_flight(given)}",
        ("row", "place", "time", "USD"),
        rows,
    )


def idle_table() -> Table:
    return Table(
        "idle",
        "What waits costs, too",
        "US dollars a month of 730 hours, however small the days are. A task of container.yaml "
        f"needs {ENDPOINTS} interface endpoints in a subnet without a way out: ECR's two, and that "
        "of the logs. A function outside of a VPC needs none of all this.",
        ("part", "USD a month"),
        [(name, f"{value:.2f}") for name, value in idle_costs()],
    )


def month_table(work: Work, given: Assumptions, requests_of_a_million: float) -> Table:
    rows = []
    for sources in SIZES:
        function = on_lambda(work, sources, DEPLOYED_MB, given).dollars * NIGHTS
        public, task = (
            on_fargate(work, sources, DEPLOYED_TASK, given, has_address=each).dollars * NIGHTS
            for each in (True, False)
        )
        with_network = (public, task + endpoints_month(), task + nat_month())
        requests = requests_of_a_million * sources / 1e6 * NIGHTS
        rows.append((f"{sources:,}", *map(dollars, (requests, function, *with_network))))
    return Table(
        "month",
        f"A month of {work.name}",
        f"US dollars for {NIGHTS} days of one size, with all that waits: S3's requests, which are "
        "the same in both places, then a function, and a task with a public address, with "
        f"{ENDPOINTS} interface endpoints in one zone, and with a NAT gateway. {_in_flight(given)}",
        ("sources", "S3", "Lambda", "task, public", "task, endpoints", "task, NAT"),
        rows,
    )


def busy_table(given: Assumptions) -> Table:
    rows = []
    for memory_mb, size in zip(FUNCTIONS_MB, TASKS, strict=True):
        function, task = function_month(memory_mb, given), task_month(size, given)
        cells = (f"{function:.2f}", f"{task:.2f}", f"{function / task:.1f}")
        rows.append((f"{size.vcpus:g}", f"{memory_mb:,} MB", str(size), *cells))
    return Table(
        "busy",
        "Work without a pause",
        "US dollars for a month in which a function, or a task with the same share of CPU, works "
        f"all the time. The function is counted without requests, the task without its network. "
        f"By {price_list()} for {given.architecture}.",
        ("vCPU", "function", "task", "function, USD", "task, USD", "ratio"),
        rows,
    )


def assumed(given: Assumptions) -> str:
    return (
        f"Assumed: {given.get_s * 1000:g} ms for a GET, {given.start_s:g} s from the request for "
        f"a task to its first instruction; {price_list()} for {given.architecture}."
    )


def _in_flight(given: Assumptions) -> str:
    return f"{given.concurrency} requests are in flight."


def duration(seconds: float) -> str:
    if seconds < _MINUTE:
        return f"{seconds:.0f} s" if seconds >= 10 else f"{seconds:.1f} s"
    if seconds < _HOUR:
        return f"{seconds / _MINUTE:.0f} min"
    return f"{seconds / _HOUR:.1f} h"


def dollars(value: float) -> str:
    """Two digits that count, or cents."""
    return f"{value:,.2f}" if value >= 1 else f"{value:.2g}" if value >= 1e-4 else f"{value:.6f}"


def _sources(number: int | None) -> str:
    """Two digits that count: the model is no better."""
    return "never" if number is None else f"{int(float(f'{number:.1e}')):,}"
