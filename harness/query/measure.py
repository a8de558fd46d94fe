"""Makes the days and the layouts, asks each question of each layout, and checks every answer."""

from __future__ import annotations

import time
from collections.abc import Iterable, Iterator, Mapping, Sequence
from contextlib import contextmanager
from dataclasses import dataclass, field, replace
from datetime import date
from urllib.parse import urlsplit

from harness.analysis.cost import gb_second_prices, request_price
from harness.fixtures.staging import ExpectedDay, StagedObject, stage
from harness.model import Artefact, HarnessError, Invocation
from harness.query.engine import CHUNKS, SOURCES, TABLES, Engine, RefusedError, Spent, requests_cost
from harness.query.layout import Days, Layout, chunk_folder
from harness.query.questions import Answer, Known, Question, questions
from harness.scratch import scratch
from harness.targets.interface import Latency
from harness.targets.local.latency import delayed
from harness.targets.local.s3server import S3Server
from harness.targets.local.sandbox import LocalSandbox
from harness.targets.local.trino_server import SCHEMA, TrinoServer
from harness.terminal import Progress

#: A question that took so long on a layout is not asked again.
_LONGEST_S = 60.0
_MB = 1 << 20


@dataclass(frozen=True, slots=True)
class Request:
    """The work of a measurement. ``days`` gives the sources of each day, in key order.

    ``rounds`` counts those after the first, which checks the answers.
    """

    days: Mapping[date, Iterable[StagedObject]]
    layouts: Sequence[Layout]
    rounds: int
    latency: Latency | None = None


@dataclass(frozen=True, slots=True)
class Making:
    """The cost of making a layout, in US dollars and seconds; nothing for the sources.

    ``fault`` says why it could not be made. Then nothing is asked of it.
    """

    dollars: float = 0.0
    seconds: float = 0.0
    requests: Mapping[str, int] = field(default_factory=dict)
    objects: int = 0
    stored_bytes: int = 0
    fault: str | None = None


@dataclass(frozen=True, slots=True)
class Asked:
    """A question that was asked of a layout. ``wrong`` says why there are no samples."""

    layout: str
    question: str
    samples: Sequence[Spent] = ()
    wrong: str | None = None


@dataclass(frozen=True, slots=True)
class Outcome:
    """All figures of a run."""

    days: Sequence[date]
    sources: int
    records: int
    source_bytes: int
    layouts: Sequence[Layout]
    making: Mapping[str, Making]
    asked: Sequence[Asked]
    trino_rss_bytes: int | None
    latency: Latency | None

    def of(self, layout: str, question: str) -> Asked | None:
        return next(
            (each for each in self.asked if (each.layout, each.question) == (layout, question)),
            None,
        )

    def questions(self) -> list[str]:
        return list(dict.fromkeys(each.question for each in self.asked))

    def answers_differ(self) -> bool:
        """Whether a layout gave an answer that is not that of the records."""
        return any(each.wrong is not None and _DIFFERS in each.wrong for each in self.asked)


_DIFFERS = "the answer differs"


def measure(request: Request, artefact: Artefact, progress: Progress) -> Outcome:
    """Run it all. ``artefact`` is the function that makes the chunks."""
    with (
        S3Server(access_log=True) as s3,
        _endpoint(s3, request.latency) as endpoint,
        TrinoServer(s3, endpoint, progress=progress) as server,
    ):
        engine = Engine(s3, server, endpoint)
        engine.run(f"CREATE SCHEMA {SCHEMA}")
        return measure_in(engine, request, artefact, progress)


def measure_in(engine: Engine, request: Request, artefact: Artefact, progress: Progress) -> Outcome:
    """The same in a engine that has no layouts yet."""
    known = Known()
    for bucket in (SOURCES, CHUNKS, TABLES):
        engine.s3.bucket_path(bucket)
    progress(f"staging {len(request.days)} days")
    expected: list[ExpectedDay] = []
    with scratch("days") as folder:
        for day, objects in request.days.items():

            def put(each: StagedObject, day: date = day) -> None:
                engine.s3.put_file(SOURCES, each.key, each.body, each.content_encoding)
                known.add(day, each.records or ())

            expected.append(stage(objects, put, folder / f"{day}", day, _MB))
    if not known.records:
        raise HarnessError("the days have no record: there is nothing to ask")
    days = _describe(engine.s3, list(request.days), known)
    made = _Makers(engine, artefact, expected, progress)
    making = {each.name: made.layout(each, days) for each in request.layouts}
    asked = list(_ask(engine, request, days, questions(known, days.days), making, progress))
    return Outcome(
        days.days,
        sum(each.sources for each in expected),
        known.records,
        sum(each.source_bytes for each in expected),
        request.layouts,
        making,
        asked,
        engine.server.peak_rss_bytes(),
        request.latency,
    )


@contextmanager
def _endpoint(s3: S3Server, latency: Latency | None) -> Iterator[str]:
    if latency is None:
        yield s3.endpoint
        return
    port = urlsplit(s3.endpoint).port
    assert port is not None
    with delayed(port, latency) as late:
        yield f"http://127.0.0.1:{late}"


def _describe(s3: S3Server, days: Sequence[date], known: Known) -> Days:
    """The days, with the accounts and regions of AWSLogs/[o-id/]{account}/CloudTrail/{region}/."""
    top = s3.bucket_path(SOURCES) / "AWSLogs"
    found = [*top.glob("*/CloudTrail/*"), *top.glob("*/*/CloudTrail/*")]
    accounts = {each.parent.parent.relative_to(top).as_posix() for each in found}
    records = {
        day: {account: sorted(regions) for account, regions in known.regions.get(day, {}).items()}
        for day in days
    }
    return Days(days, sorted(accounts), sorted({each.name for each in found}), records)


class _Makers:
    """Makes the layouts. Chunks of one kind are made once, and each layout of them costs them."""

    def __init__(
        self,
        engine: Engine,
        artefact: Artefact,
        expected: Sequence[ExpectedDay],
        progress: Progress,
    ) -> None:
        self._engine = engine
        self._artefact = artefact
        self._expected = expected
        self._progress = progress
        self._chunks: dict[str, Making] = {}

    def layout(self, layout: Layout, days: Days) -> Making:
        self._progress(f"making {layout.name}")
        before = Making()
        if layout.chunk_mb is not None:
            folder = chunk_folder(layout.chunk_mb, by_account=layout.by_account)
            if folder not in self._chunks:
                accounts = days.plain_accounts() if layout.by_account else ()
                self._chunks[folder] = self._make_chunks(folder, layout.chunk_mb, accounts)
            before = self._chunks[folder]
        begin = time.monotonic()
        try:
            spent = layout.make(self._engine, days)
        except RefusedError as error:
            return Making(fault=f"the engine can't make it: {error}")
        made = replace(
            before,
            dollars=before.dollars + sum(map(_dollars_of_making, spent)),
            seconds=before.seconds + (time.monotonic() - begin if spent else 0),
            requests=_sum(before.requests, *(each.requests for each in spent)),
        )
        return self._weighed(made, layout.files)

    def _make_chunks(self, folder: str, size: int, accounts: Sequence[str]) -> Making:
        """Run the function for each day, or for each account of it, as the queue's messages do."""
        bucket, _, prefix = folder.partition("/")
        implementation = self._artefact.implementation
        settings = {
            **implementation.environment,
            **self._engine.s3.env(),
            "AWS_ENDPOINT_URL_S3": self._engine.endpoint,
            **{"SRC_BUCKET": SOURCES, "SRC_PREFIX": ""},
            **{"DST_BUCKET": bucket, "DST_PREFIX": prefix},
            "CHUNK_BYTES": str(size * _MB),
        }
        self._engine.requests()
        milliseconds, invocations = 0.0, 0
        with LocalSandbox(self._artefact, settings) as sandbox:
            for expected in self._expected:
                day: dict[str, object] = {
                    "year": expected.day.year,
                    "month": expected.day.month,
                    "day": expected.day.day,
                }
                events = [{**day, "account": each} for each in accounts] or [day]
                done = [sandbox.invoke(each) for each in events]
                _require_all(expected, done)
                milliseconds += sum((each.init_ms or 0) + (each.duration_ms or 0) for each in done)
                invocations += len(done)
        requests = self._engine.requests()
        gigabytes = implementation.memory_mb / 1024
        run = milliseconds / 1000 * gigabytes * gb_second_prices()["arm64"]
        dollars = run + invocations * request_price() + requests_cost(requests)
        return Making(dollars, milliseconds / 1000, requests)

    def _weighed(self, making: Making, folder: str) -> Making:
        """The making with the number and size of the objects that queries read."""
        bucket, _, prefix = folder.partition("/")
        files = (self._engine.s3.bucket_path(bucket) / prefix).rglob("*")
        sizes = [
            path.stat().st_size
            for path in files
            if path.is_file() and not path.name.startswith((".", "_"))
        ]
        return replace(making, objects=len(sizes), stored_bytes=sum(sizes))


def _require_all(expected: ExpectedDay, done: Sequence[Invocation]) -> None:
    """Raise ``HarnessError`` unless the invocations read the whole day."""
    results = [each.result for each in done if isinstance(each.result, dict)]
    errors = [each.error for each in done if each.error is not None]
    if errors or len(results) < len(done):
        raise HarnessError(f"the function failed on {expected.day}: {errors}")
    found = [sum(each[name] for each in results) for name in ("sources", "records")]
    if found != [expected.sources, expected.records]:
        raise HarnessError(f"the function's results of {expected.day} are wrong: {results}")


def _dollars_of_making(spent: Spent) -> float:
    """Athena bills no statement that only changes the catalog. S3 bills its requests."""
    return spent.dollars if spent.read_bytes else requests_cost(spent.requests)


def _sum(*each: Mapping[str, int]) -> Mapping[str, int]:
    names = sorted({name for one in each for name in one})
    return {name: sum(one.get(name, 0) for one in each) for name in names}


def _ask(
    engine: Engine,
    request: Request,
    days: Days,
    asked: Sequence[Question],
    making: Mapping[str, Making],
    progress: Progress,
) -> Iterator[Asked]:
    """Rounds of all layouts, so that a busy moment of the machine disturbs all of them alike.

    The first round only checks the answers, because the server compiles its code in it. It is timed
    if it is the only one.
    """
    faults = {name: made.fault for name, made in making.items() if made.fault is not None}
    for question in asked:
        found: dict[str, list[Spent]] = {}
        wrong = dict(faults)
        slow: dict[str, Spent] = {}
        for number in range(request.rounds + 1):
            progress(f"{question.name}: round {number} of {request.rounds}")
            for layout in request.layouts:
                if layout.name in wrong or layout.name in slow:
                    continue
                fault, spent = _ask_once(engine, layout, days, question)
                if fault is not None:
                    wrong[layout.name] = fault
                elif spent is not None and spent.total_ms > _LONGEST_S * 1000:
                    slow[layout.name] = spent
                elif spent is not None and number >= min(request.rounds, 1):
                    found.setdefault(layout.name, []).append(spent)
        for layout in request.layouts:
            name = layout.name
            if name in wrong:
                yield Asked(name, question.name, wrong=wrong[name])
            else:
                samples = found.get(name) or [slow[name]]
                yield Asked(name, question.name, samples)


def _ask_once(
    engine: Engine, layout: Layout, days: Days, question: Question
) -> tuple[str | None, Spent | None]:
    day, account = question.day, question.account
    sql = question.sql.format(
        records=layout.records,
        day_is="" if day is None else layout.day_is(day),
        account_is="" if account is None else layout.account_is(account, days),
    )
    try:
        rows, spent = engine.run(sql)
    except RefusedError as error:
        return f"the engine refuses it: {error}", None
    if _plain(rows) != _plain(question.answer):
        return f"{_DIFFERS}: {_difference(rows, question.answer)}", None
    return None, spent


def _plain(rows: Answer) -> Answer:
    return [tuple(row) for row in rows]


def _difference(found: Answer, wanted: Answer) -> str:
    if len(found) != len(wanted):
        return f"{len(found)} rows, expected {len(wanted)}"
    pair = next((a, b) for a, b in zip(found, wanted, strict=True) if a != b)
    return f"{pair[0]}, expected {pair[1]}"
