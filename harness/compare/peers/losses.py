"""The losses and changes of SQL: days of one peculiar source beside a plain one."""

from __future__ import annotations

import gzip
import re
from collections.abc import Callable, Iterator, Mapping, Sequence
from contextlib import contextmanager
from dataclasses import dataclass
from datetime import date, timedelta

import trino
from tabulate import tabulate

from harness.compare.peers.trino_sandbox import TrinoDay
from harness.fixtures.sources import BadSourceError, read_records
from harness.model import FailureKind, HarnessError
from harness.operate.day_sql import Places
from harness.targets.interface import Sandbox
from harness.targets.local.s3server import S3Server
from harness.targets.local.store import LocalStore
from harness.targets.local.trino_server import SCHEMA, TrinoServer
from harness.terminal import Progress
from harness.verify.outputs import meaning

SOURCES, DESTINATION = "source-bucket", "destination-bucket"
DAY = date(2024, 2, 8)
TRINO, DUCKDB = "Trino", "DuckDB"
KEPT, FAILS, LOST, LEFT_OUT = "kept", "the day fails", "**lost**", "left out"
_ACCOUNT, _REGION = "111122223333", "eu-west-1"
_PLAIN = b'{"eventID":"plain"}'
_SECOND = b'{"eventID":"second"}'
_TIMEOUT_S = 300
_SHOWN = 18
#: Athena's limit of partitions for a statement, and Trino's for each of its writers.
MOST_PARTITIONS = 100

type Aggregate = Callable[[date], str | None]  # gives the failure of the day
type S3Files = S3Server | LocalStore


@dataclass(frozen=True, slots=True)
class Case:
    """A source with a name for the table. ``key`` is its key below the day's folder."""

    name: str
    body: bytes
    key: str = "odd.json.gz"


@dataclass(frozen=True, slots=True)
class Loss:
    """A row: the contract's outcome of a case, and that of each engine."""

    name: str
    contract: str
    found: Mapping[str, str]


@dataclass(frozen=True, slots=True)
class Losses:
    """``partitions`` maps a number of Trino's writers to its outcome of 101 partitions.

    ``left`` has for each engine, for each day that failed, whether it left a file of that day. That
    is a matter of chance.
    """

    rows: Sequence[Loss]
    partitions: Mapping[int, str]
    left: Mapping[str, Sequence[bool]]


def _gzip(text: bytes) -> bytes:
    return gzip.compress(text, mtime=0)


def _of(record: bytes) -> bytes:
    return _gzip(b'{"Records":[%s]}' % record)


def _damaged(body: bytes, at: int) -> bytes:
    changed = bytearray(body)
    changed[at] ^= 0xFF
    return bytes(changed)


_RECORD = b'{"Records":[{"a":1}]}'
_NUMBERS = (
    *(b"1.0", b"1e3", b"1.69844E2", b"0.1000000000000000055"),
    *(b"12345678901234567890123", b"1E400", b"-0"),
)
CASES: Sequence[Case] = (
    *(Case(f"number `{text.decode()}`", _of(b'{"n":%s}' % text)) for text in _NUMBERS),
    Case("spaces between tokens", _of(b'{"a": 1 , "b":2}')),
    Case("members in an order of their own", _of(b'{"b":1,"a":2}')),
    Case("a member twice", _of(b'{"a":1,"a":2}')),
    Case("the escapes `\\u0041\\/`", _of(rb'{"a":"\u0041\/"}')),
    Case("the lone surrogate `\\ud800`", _of(rb'{"a":"\ud800"}')),
    Case("a line break between tokens", _gzip(b'{"Records":[\n{"a":1}]}')),
    Case("a line break at the end", _gzip(_RECORD + b"\n")),
    Case("a name that begins with `_`", _gzip(_RECORD), "_odd.json.gz"),
    Case("gzip without the suffix `.gz`", _gzip(_RECORD), "odd.json"),
    Case("no gzip, but the suffix `.gz`", _RECORD),
    Case("a cut gzip stream", _gzip(_RECORD)[:-9]),
    Case("a wrong CRC", _damaged(_gzip(_RECORD), -6)),
    Case("a cut text", _gzip(_RECORD[:-2])),
    Case("text behind the object", _gzip(_RECORD + b" x")),
    Case("a second object, on line 2", _gzip(_RECORD + b"\n" + _RECORD)),
    Case("a byte that is not UTF-8", _of(b'{"a":"\xe9"}')),
    Case("600 levels", _of(b'{"a":' + b"[" * 600 + b"]" * 600 + b"}")),
    Case("no `Records`", _gzip(b'{"other":[{"a":1}]}')),
    Case("`records` in lower case", _gzip(b'{"records":[{"a":1}]}')),
    Case("`Records` twice", _gzip(b'{"Records":[{"a":1}],"Records":[{"a":2}]}')),
    Case("an element that is no object", _of(b"1")),
)


def measure(s3: S3Files, server: TrinoServer, duckdb: Sandbox, progress: Progress) -> Losses:
    """Run all cases with each engine. ``duckdb`` is the peer's sandbox on the buckets of ``s3``."""

    def invoke(day: date) -> str | None:
        done = duckdb.invoke({"year": day.year, "month": day.month, "day": day.day})
        if done.failure is not None and done.failure.kind is not FailureKind.ERROR:
            raise HarnessError(done.failure.reason)
        return done.error

    left: dict[str, list[bool]] = {TRINO: [], DUCKDB: []}
    progress("DuckDB")
    by_duckdb = _try_all(s3, invoke, left[DUCKDB])
    progress("Trino")
    with _on_trino(server) as aggregate:
        by_trino = _try_all(s3, aggregate, left[TRINO])
    failed = [case for case in CASES if by_trino[case.name] == FAILS]
    with _on_trino(server, ignore_malformed=True) as aggregate:
        ignoring = {case.name: _try(s3, aggregate, case, left[TRINO]) for case in failed}
    for name, outcome in ignoring.items():
        if outcome != FAILS:
            by_trino[name] += f"; ignoring: {outcome}"
    contract = {**{case.name: _contract(case) for case in CASES}, _AGAIN: "the new content"}
    rows = [
        Loss(name, told, {TRINO: by_trino[name], DUCKDB: by_duckdb[name]})
        for name, told in contract.items()
    ]
    progress("Trino: 101 partitions")
    partitions = {writers: _write_partitions(s3, server, writers) for writers in (1, 4)}
    return Losses(rows, partitions, left)


def _try_all(s3: S3Files, aggregate: Aggregate, left: list[bool]) -> dict[str, str]:
    found = {case.name: _try(s3, aggregate, case, left) for case in CASES}
    return {**found, _AGAIN: _run_again(s3, aggregate)}


@contextmanager
def _on_trino(server: TrinoServer, *, ignore_malformed: bool = False) -> Iterator[Aggregate]:
    places = Places(SOURCES, "", DESTINATION, "", [_ACCOUNT], [_REGION])
    trino_day = TrinoDay(server, places, ignore_malformed=ignore_malformed)
    trino_day.create()

    def aggregate(day: date) -> str | None:
        try:
            trino_day.aggregate(day, _TIMEOUT_S)
        except trino.exceptions.TrinoQueryError as error:
            if not str(error.error_name).startswith("HIVE_"):  # not of the source
                raise HarnessError(f"Trino can't aggregate a day: {error.message}") from error
            return str(error.message)
        trino_day.drop()
        return None

    try:
        yield aggregate
    finally:
        trino_day.drop(sources=True)


def _contract(case: Case) -> str:
    try:
        read_records(case.body)
    except BadSourceError as bad:
        return f"`{bad.code}`"
    return KEPT


# ---- one case ----


def _try(s3: S3Files, aggregate: Aggregate, case: Case, left: list[bool]) -> str:
    _stage(s3, {"plain.json.gz": _of(_PLAIN), case.key: case.body})
    if aggregate(DAY) is not None:
        left.append(bool(s3.read_tree(DESTINATION)))
        return FAILS
    lines = _lines(s3)
    if lines.count(_PLAIN) != 1:
        return "**another source's record is lost**"
    lines.remove(_PLAIN)
    try:
        records = list(read_records(case.body))
    except BadSourceError:
        return f"taken: {_shown(lines)}" if lines else LEFT_OUT
    if not lines and records:
        return LOST
    if lines == records:
        return KEPT
    same = sorted(map(meaning, lines)) == sorted(map(meaning, records))
    return f"{'as' if same else '**changed** to'} {_shown(lines)}"


def _stage(s3: S3Files, bodies: Mapping[str, bytes]) -> None:
    for bucket in (SOURCES, DESTINATION):
        s3.clear(bucket)
    _add(s3, bodies)


def _add(s3: S3Files, bodies: Mapping[str, bytes], day: date = DAY) -> None:
    for key, body in bodies.items():
        folder = f"AWSLogs/{_ACCOUNT}/CloudTrail/{_REGION}/{day:%Y/%m/%d}"
        s3.put_file(SOURCES, f"{folder}/{key}", body)


def _lines(s3: S3Files) -> list[bytes]:
    bodies = s3.read_tree(DESTINATION).values()
    return [line for body in bodies for line in gzip.decompress(body).split(b"\n") if line]


def _shown(lines: Sequence[bytes]) -> str:
    text = " ".join(line.decode(errors="replace") for line in lines)
    text = re.sub(r"[^\x20-\x7e]", lambda found: f"\\u{ord(found[0]):04x}", text)
    return f"`{text if len(text) <= _SHOWN else f'{text[:_SHOWN]}...'}`"


# ---- more than one statement, or more than one day ----

_AGAIN = "a second run, with a source more"


def _run_again(s3: S3Files, aggregate: Aggregate) -> str:
    _stage(s3, {"plain.json.gz": _of(_PLAIN)})
    assert aggregate(DAY) is None
    first = s3.read_tree(DESTINATION)
    _add(s3, {"second.json.gz": _of(_SECOND)})
    error = aggregate(DAY)
    if error is not None:
        assert s3.read_tree(DESTINATION) == first, error
        return "refused; the first stays"
    lines = sorted(_lines(s3))
    return "the new content" if lines == sorted([_PLAIN, _SECOND]) else f"**{_shown(lines)}**"


def _write_partitions(s3: S3Files, server: TrinoServer, writers: int) -> str:
    """Write 101 days into a partition each, by one statement, with some writers."""
    _stage(s3, {})
    days = [DAY + timedelta(number) for number in range(MOST_PARTITIONS + 1)]
    for day in days:
        _add(s3, {"plain.json.gz": _of(_PLAIN)}, day)
    table = f"{SCHEMA}.partitions"
    sql = (
        f"CREATE TABLE {table} WITH (format = 'TEXTFILE', partitioned_by = ARRAY['day'], "
        f"external_location = 's3://{DESTINATION}/by-{writers}/') AS SELECT record, day "
        "FROM cloudtrail_sources CROSS JOIN UNNEST(records) AS source (record) "
        f"WHERE day BETWEEN '{days[0]:%Y/%m/%d}' AND '{days[-1]:%Y/%m/%d}'"
    )
    with _on_trino(server):
        try:
            ((count,),) = server.query(sql, {"task_max_writer_count": str(writers)})[0]
        except trino.exceptions.TrinoQueryError as error:
            return f"{error.error_name}: {error.message}"
        finally:
            server.query(f"DROP TABLE IF EXISTS {table}")
    return f"{count} records"


def render(losses: Losses) -> str:
    headings = ("a source with", "SPEC", TRINO, DUCKDB)
    table = tabulate(list(_rows(losses)), headings, tablefmt="simple", disable_numparse=True)
    left = (f"{name} {sum(each)} of {len(each)}" for name, each in losses.left.items())
    told = f"Files of failed days that were left: {', '.join(left)}."
    return f"{table}\n\n{told}\n\n{_told_of_partitions(losses)}"


def markdown(losses: Losses) -> str:
    """The table without blanks to align it, which keeps its lines short."""
    heading = ("a source with", "SPEC", TRINO, DUCKDB)
    lines = [f"| {' | '.join(each)} |" for each in (heading, *_rows(losses))]
    return "\n".join([lines[0], f"|{'---|' * len(heading)}", *lines[1:]]) + "\n"


def _rows(losses: Losses) -> Iterator[tuple[str, ...]]:
    return ((each.name, each.contract, *each.found.values()) for each in losses.rows)


def _told_of_partitions(losses: Losses) -> str:
    told = (
        f"  with {writers} writer{'s' if writers > 1 else ''}: {outcome}"
        for writers, outcome in losses.partitions.items()
    )
    return "\n".join(("101 days into 101 partitions, by one statement of Trino:", *told))
