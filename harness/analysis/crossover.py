"""Lambda or Fargate: a model of time and cost of a day, by its number of sources.

A row of a comparison gives the work of a source, the assumptions give the wait for S3 and the start
of a task, and ``prices.toml`` the dollars. Requests to S3 cost the same in both places, and are
left out.
"""

from __future__ import annotations

import math
from collections.abc import Callable, Iterator
from dataclasses import dataclass
from statistics import median

from harness.analysis.cost import (
    MONTH_HOURS,
    cost,
    gb_second_prices,
    has_limits,
    network_price,
    request_price,
    task_least_seconds,
    task_second_price,
)
from harness.analysis.row_summary import summarise_row
from harness.model import Comparison, Role, Row, SampleKind
from harness.targets.interface import VCPU_MB

LONGEST_S = 900  # Lambda's time-out
#: Sizes of a function that have the same share of CPU as the tasks below, as far as there are any.
FUNCTIONS_MB = (442, 885, 1769, 3538, 7076)
MOST_SOURCES = 10**9
NIGHTS = 30  # of a month
#: Interface endpoints of a task of container.yaml in a subnet without a way out: ECR's two, and
#: that of the logs. The endpoint for S3 is a gateway, and free of charge.
ENDPOINTS = 3
#: With those of a queue and of secrets, which other tasks need.
MORE_ENDPOINTS = 5


@dataclass(frozen=True, slots=True)
class TaskSize:
    vcpus: float
    memory_mb: int

    def __str__(self) -> str:
        return f"{self.vcpus:g} vCPU, {self.memory_mb / 1024:g} GB"


#: The smallest memory that Fargate offers for each number of processors:
#: https://docs.aws.amazon.com/AmazonECS/latest/developerguide/fargate-tasks-services.html
TASKS = (
    TaskSize(0.25, 512),
    TaskSize(0.5, 1024),
    TaskSize(1, 2048),
    TaskSize(2, 4096),
    TaskSize(4, 8192),
)
#: What template.yaml and the task definition give.
DEPLOYED_MB, DEPLOYED_TASK = VCPU_MB, TASKS[2]


@dataclass(frozen=True, slots=True)
class Assumptions:
    """Figures that no comparison on one machine can measure.

    ``get_s`` is the wait for a GET, with ``concurrency`` of them in flight. ``start_s`` is the time
    from the request for a task to its first instruction: provisioning and the pull of the image.
    All of it is billed here, though AWS bills from the pull on. AWS calls 30 to 45 s or longer
    normal: https://repost.aws/questions/QUjZAzJd27SZWxXM7MgyxOZw
    """

    get_s: float = 0.020
    concurrency: int = 16
    start_s: float = 45.0
    architecture: str = "x86_64"

    @property
    def wait_s(self) -> float:
        """The least time of a source."""
        return self.get_s / self.concurrency


@dataclass(frozen=True, slots=True)
class Work:
    """The work of one row, in seconds with one vCPU.

    ``elapsed_s`` and ``cpu_s`` are those of a source in a warm invocation, ``cold_s`` what the
    first invocation takes more, with its init. ``as_task_s`` is what a task takes more, if it was
    measured. ``late_s`` is the time of a source with a latency to S3, if it was measured.
    """

    name: str
    language: str
    elapsed_s: float
    cpu_s: float
    cold_s: float
    as_task_s: float | None = None
    late_s: float | None = None

    def source_s(self, vcpus: float, given: Assumptions) -> float:
        """The time of a source. More than one processor makes none faster: it was not measured."""
        waited = max(given.wait_s, self.elapsed_s) if self.late_s is None else self.late_s
        return max(waited, self.cpu_s / min(vcpus, 1))

    def run_s(self, sources: float, vcpus: float, given: Assumptions) -> float:
        return self.cold_s / min(vcpus, 1) + sources * self.source_s(vcpus, given)

    def task_s(self, sources: float, vcpus: float, given: Assumptions) -> float:
        more = self.cold_s if self.as_task_s is None else self.as_task_s
        return more / min(vcpus, 1) + sources * self.source_s(vcpus, given)


@dataclass(frozen=True, slots=True)
class OnLambda:
    """A day on Lambda, in ``runs`` of ``run_s`` each. More than one is a day by account."""

    runs: int
    run_s: float
    dollars: float


@dataclass(frozen=True, slots=True)
class OnFargate:
    """A day in one task; ``elapsed_s`` is from the request for the task to its end."""

    elapsed_s: float
    dollars: float


def works(comparison: Comparison, tasks: Comparison | None = None) -> Iterator[Work]:
    """The rows of languages with warm and cold samples under limits of one vCPU.

    ``tasks`` is a comparison of tasks over the same number of sources. Their CPU tells their start:
    what it is more than that of a warm invocation.
    """
    if not comparison.fixture:  # nothing could run
        return
    sources = int(str(comparison.fixture["sources"]))
    as_tasks = {} if tasks is None else {row.name: row for row in tasks.rows}
    for row in comparison.rows:
        found = summarise_row(row, comparison.fixture)
        if row.role is not Role.LANGUAGE or not has_limits(row):
            continue
        if row.enforcement is not None and row.enforcement.vcpus != 1:
            continue  # its times are not those of the other sizes
        if found.warm is None or found.cpu is None or found.first is None:
            continue
        warm_s, cpu_s = found.warm.median / 1000, found.cpu.median / 1000
        task_cpu_s = _task_cpu_s(as_tasks.get(row.name))
        late = cost(row, comparison)
        yield Work(
            row.name,
            row.language,
            warm_s / sources,
            cpu_s / sources,
            max(0.0, found.first.median / 1000 - warm_s),
            None if task_cpu_s is None else max(0.0, task_cpu_s - cpu_s),
            None if late is None else late.ms_per_source.estimate / 1000,
        )


def on_lambda(work: Work, sources: int, memory_mb: int, given: Assumptions) -> OnLambda:
    """The smallest number of equal runs that Lambda's time-out allows."""
    vcpus = memory_mb / VCPU_MB
    room_s = LONGEST_S - work.run_s(0, vcpus, given)
    runs = max(1, math.ceil(sources * work.source_s(vcpus, given) / room_s))
    run_s = work.run_s(sources / runs, vcpus, given)
    second = memory_mb / 1024 * gb_second_prices()[given.architecture]
    return OnLambda(runs, run_s, runs * (run_s * second + request_price()))


def most_in_a_run(work: Work, memory_mb: int, given: Assumptions) -> int:
    """The sources that Lambda does before its time-out."""
    vcpus = memory_mb / VCPU_MB
    return int((LONGEST_S - work.run_s(0, vcpus, given)) / work.source_s(vcpus, given))


def on_fargate(
    work: Work, sources: int, size: TaskSize, given: Assumptions, *, has_address: bool = True
) -> OnFargate:
    """A task, with a public address while it runs unless it has another way out."""
    elapsed_s = given.start_s + work.task_s(sources, size.vcpus, given)
    billed_s = max(task_least_seconds(), math.ceil(elapsed_s))
    second = task_second_price(given.architecture, size.vcpus, size.memory_mb)
    address = network_price("public_ip_hour") / 3600 if has_address else 0.0
    return OnFargate(elapsed_s, billed_s * (second + address))


def cheaper_from(
    work: Work,
    memory_mb: int,
    size: TaskSize,
    given: Assumptions,
    network_dollars: float | None = None,
) -> int | None:
    """The sources of a day from which the task is cheaper; ``None`` is never.

    ``network_dollars`` are those of a night for endpoints or a NAT gateway, which take the place of
    the task's public address.
    """
    has_address = network_dollars is None

    def is_cheaper(sources: int) -> bool:
        task = on_fargate(work, sources, size, given, has_address=has_address).dollars
        function = on_lambda(work, sources, memory_mb, given).dollars
        return task + (network_dollars or 0.0) < function

    return _first(is_cheaper)


def function_month(memory_mb: int, given: Assumptions) -> float:
    """US dollars for a function that works all month."""
    second = memory_mb / 1024 * gb_second_prices()[given.architecture]
    return second * MONTH_HOURS * 3600


def task_month(size: TaskSize, given: Assumptions) -> float:
    """US dollars for a task that works all month, without its network."""
    return task_second_price(given.architecture, size.vcpus, size.memory_mb) * MONTH_HOURS * 3600


def endpoints_month(endpoints: int = ENDPOINTS, zones: int = 1) -> float:
    """US dollars a month for interface endpoints."""
    return zones * endpoints * network_price("interface_endpoint_hour") * MONTH_HOURS


def nat_month() -> float:
    """US dollars a month for a NAT gateway and its address, without the bytes through it."""
    hour = network_price("nat_gateway_hour") + network_price("public_ip_hour")
    return hour * MONTH_HOURS


def idle_costs() -> Iterator[tuple[str, float]]:
    """US dollars a month for what a task stands on, however small the day is."""
    yield "public address, which a task has while it runs", 0.0
    yield "gateway endpoint for S3", 0.0
    for endpoints in (ENDPOINTS, MORE_ENDPOINTS):
        yield f"{endpoints} interface endpoints in one zone", endpoints_month(endpoints)
        yield f"{endpoints} interface endpoints in two zones", endpoints_month(endpoints, 2)
    yield "NAT gateway in one zone, with its address", nat_month()
    yield "image of 0.1 GB in ECR", 0.1 * network_price("image_gb_month")


def _task_cpu_s(row: Row | None) -> float | None:
    if row is None:
        return None
    cold = (each for each in row.samples if each.kind is SampleKind.COLD)
    spent = [each.cpu_ms for each in cold if each.cpu_ms is not None]
    return median(spent) / 1000 if spent else None


def _first(holds: Callable[[int], bool]) -> int | None:
    """The least number that holds, where all above it hold, too."""
    low, high = 0, MOST_SOURCES
    if not holds(high):
        return None
    while high - low > 1:
        middle = (low + high) // 2
        if holds(middle):
            high = middle
        else:
            low = middle
    return high
