"""The tables of a run: for the terminal, as Markdown, and as JSON."""

from __future__ import annotations

from collections.abc import Callable, Mapping, Sequence
from dataclasses import asdict

from tabulate import tabulate

from harness.feed.count import Account
from harness.feed.hints import HintRow
from harness.feed.run import Outcome

_NONE = "-"
#: The rows of the first table: words, and the value of an account.
_ROWS: Sequence[tuple[str, Callable[[Account], object]]] = (
    ("messages of the third party", lambda each: each.messages),
    ("dropped by the third party", lambda each: each.dropped),
    ("in no file, too old when asked for", lambda each: each.too_late),
    ("too old, as the client was too slow", lambda each: each.outrun),
    ("told as gaps by the client", lambda each: each.told),
    ("acknowledged by the client", lambda each: each.acknowledged),
    ("records in Kinesis", lambda each: each.in_stream),
    ("messages in files", lambda each: each.delivered),
    ("records in files, doubled", lambda each: each.doubled),
    ("told as a gap, but WRONGLY", lambda each: each.invented),
    ("told as a gap, but in a file", lambda each: each.told_and_delivered),
    ("LOST, and nobody told", lambda each: each.untold),
    ("acknowledged, and LOST", lambda each: each.lost),
    ("with another text", lambda each: each.changed),
    ("behind a later one of its account", lambda each: each.overtaken),
    ("connections to the third party", lambda each: each.connections),
    ("requests to Kinesis", lambda each: each.requests),
    ("records throttled by a shard", lambda each: each.throttled),
    ("records put again", lambda each: each.repeated),
    ("errors swallowed", lambda each: each.swallowed),
    ("files", lambda each: each.files),
    ("median file, stored bytes", lambda each: each.median_stored_bytes),
    ("median delay, s of the stream", lambda each: round(each.delay_median_s)),
    ("99th percentile of it, s", lambda each: round(each.delay_p99_s)),
)
_HINTS = (
    *("hint", "buffers", "files", "records a file", "median text kB", "median stored kB"),
    *("largest stored kB", "below 1,000 B", "median delay s", "99 % s"),
)


def render(outcome: Outcome, form: str = "simple") -> str:
    """All tables; ``form`` is a table format of tabulate, such as ``github``."""
    parts = [describe(outcome), account_table(outcome, form)]
    if outcome.hints:
        parts += [about_hints(outcome), hint_table(outcome, form)]
    return "\n\n".join(parts)


def describe(outcome: Outcome) -> str:
    request = outcome.request
    recipe = request.recipe
    pace = "in real time" if request.speed == 1 else f"{request.speed:g} times as fast"
    share = "" if request.shard_share == 1 else f" by {request.shard_share:g}"
    return (
        f"{recipe.seconds} s of a stream with {recipe.rate:g} messages a second and bursts of "
        f"{recipe.burst}, played {pace}. Kinesis has {request.shards} "
        f"shards with AWS's limits{share}. The third party remembers {request.replay} messages. "
        f"Buffers: {request.hint}."
    )


def account_table(outcome: Outcome, form: str = "simple") -> str:
    headers = ["", *(each.name for each in outcome.accounts)]
    rows = [[words, *(_number(value(each)) for each in outcome.accounts)] for words, value in _ROWS]
    return _table(headers, rows, form)


def about_hints(outcome: Outcome) -> str:
    return (
        f"Files by buffer hint, of {outcome.request.hint_seconds / 60:g} minutes of the same "
        "stream. Only the buffers and gzip run here. CloudTrail's layout needs a buffer for each "
        "account and region:"
    )


def hint_table(outcome: Outcome, form: str = "simple") -> str:
    return _table(_HINTS, [_hint_row(each) for each in outcome.hints], form)


def _hint_row(row: HintRow) -> Sequence[str]:
    return (
        str(row.hint),
        "by account, region" if row.by_place else "one",
        f"{row.files:,}",
        f"{row.records_per_file:,.1f}",
        f"{row.median_text_bytes / 1000:,.1f}",
        f"{row.median_stored_bytes / 1000:,.1f}",
        f"{row.largest_stored_bytes / 1000:,.1f}",
        f"{row.small:.0%}",
        f"{row.delay_median_s:,.0f}",
        f"{row.delay_p99_s:,.0f}",
    )


def _number(value: object) -> str:
    return _NONE if value is None else f"{value:,}"


def _table(headers: Sequence[str], rows: Sequence[Sequence[str]], form: str) -> str:
    align = ["left", *["right"] * (len(headers) - 1)]
    return tabulate(rows, headers, tablefmt=form, colalign=align, disable_numparse=True)


def to_json(outcome: Outcome, environment: Mapping[str, object]) -> Mapping[str, object]:
    request = asdict(outcome.request)
    names = [each.name for each in outcome.request.contenders]
    return {
        "schema": 1,
        "environment": dict(environment),
        "request": {**request, "contenders": names},
        "accounts": [asdict(each) for each in outcome.accounts],
        "hints": [asdict(each) for each in outcome.hints],
        "problems": outcome.problems(),
    }
