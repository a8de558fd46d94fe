"""The tables of a run: for the terminal, as Markdown, and as JSON."""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from dataclasses import asdict
from statistics import median

from tabulate import tabulate

from harness.analysis.cost import price_list
from harness.analysis.intervals import summarise
from harness.query.choice import RAW, advice, break_even, dollars
from harness.query.engine import Spent
from harness.query.measure import Asked, Making, Outcome
from harness.targets.local.trino_server import HEAP_MB

_NONE = "-"
_SEE_BELOW = "no figures, see below"
_MAKING = ("layout", "objects", "MB", "s to make", "requests", "$ to make", "content")
_QUESTION = (
    *("layout", "GET", "LIST", "HEAD", "MB read", "planning ms", "query ms [95 %]", "n"),
    *("CPU ms", "peak MB", "$ per 1,000", "pays after"),
)

type Rows = tuple[Sequence[str], Sequence[Sequence[str]]]


def render(outcome: Outcome, form: str = "simple") -> str:
    """All tables; ``form`` is a table format of tabulate, such as ``github``."""
    parts = [
        describe(outcome),
        "What making the layouts costs:",
        _table(making_rows(outcome), form),
    ]
    for question in outcome.questions():
        parts += [f"Question: {question}", _table(question_rows(outcome, question), form)]
    if found := reasons(outcome):
        parts.append("\n".join(f"{name}: {reason}" for name, reason in found))
    return "\n\n".join([*parts, about(), advice(outcome)])


def about() -> str:
    return (
        f"Requests and bytes are exact; times are medians from Trino with a heap of {HEAP_MB} MB "
        "on this machine. Dollars are a model, not a bill: Athena's price for the bytes read, and "
        f"S3's for the requests ({price_list()}). A layout pays after so many queries, in place of "
        "the same queries of the sources. Storage, the objects of results and Glue are left out."
    )


def describe(outcome: Outcome) -> str:
    late = f", S3 answers after {outcome.latency}" if outcome.latency is not None else ""
    rss = outcome.trino_rss_bytes
    return (
        f"{len(outcome.days)} {'day' if len(outcome.days) == 1 else 'days'} from "
        f"{outcome.days[0]}, {outcome.sources:,} sources, "
        f"{outcome.records:,} records, {outcome.source_bytes / 1e6:,.1f} MB stored{late}"
        + ("" if rss is None else f"; Trino took {rss / 2**20:,.0f} MiB at most")
    )


def making_rows(outcome: Outcome) -> Rows:
    rows = []
    for layout in outcome.layouts:
        made = outcome.making[layout.name]
        if made.fault is not None:
            rows.append((layout.name, _SEE_BELOW, *("",) * (len(_MAKING) - 3), layout.about))
            continue
        rows.append(
            (
                layout.name,
                f"{made.objects:,}",
                f"{made.stored_bytes / 1e6:,.1f}",
                f"{made.seconds:,.1f}",
                f"{sum(made.requests.values()):,}",
                f"{made.dollars:.6f}",
                layout.about,
            )
        )
    return _MAKING, rows


def question_rows(outcome: Outcome, question: str) -> Rows:
    return _QUESTION, [
        _row(outcome, asked)
        for layout in outcome.layouts
        if (asked := outcome.of(layout.name, question)) is not None
    ]


def _row(outcome: Outcome, asked: Asked) -> Sequence[str]:
    if asked.wrong is not None:
        return (asked.layout, _SEE_BELOW, *("",) * (len(_QUESTION) - 2))
    samples = asked.samples
    price = dollars(asked)
    return (
        asked.layout,
        *(f"{_median_of_requests(samples, name):,.0f}" for name in ("GET", "LIST", "HEAD")),
        f"{median(each.read_bytes for each in samples) / 1e6:,.2f}",
        f"{median(each.planning_ms for each in samples):,.0f}",
        _with_interval([each.total_ms for each in samples]),
        str(len(samples)),
        f"{median(each.cpu_ms for each in samples):,.0f}",
        f"{median(each.peak_bytes for each in samples) / 1e6:,.1f}",
        _NONE if price is None else f"{price * 1000:,.4f}",
        pays_after(outcome, asked.layout, asked.question),
    )


def pays_after(outcome: Outcome, layout: str, question: str) -> str:
    """The number of queries, ``never``, or nothing where there is nothing to compare with."""
    raw = outcome.of(RAW, question)
    if outcome.making[layout].dollars == 0 or dollars(raw) is None:
        return ""
    if dollars(outcome.of(layout, question)) is None:
        return ""
    paid = break_even(outcome, layout, question)
    return "never" if paid is None else f"{paid:,}"


def _median_of_requests(samples: Sequence[Spent], name: str) -> float:
    return median(each.requests.get(name, 0) for each in samples)


def _with_interval(values: Sequence[float]) -> str:
    summary = summarise(values)
    assert summary is not None
    if summary.interval is None:
        return f"{summary.median:,.0f}"
    return f"{summary.median:,.0f} [{summary.interval.low:,.0f}-{summary.interval.high:,.0f}]"


def reasons(outcome: Outcome) -> list[tuple[str, str]]:
    """The layouts and questions without figures, and why."""
    faults = [(name, made.fault) for name, made in outcome.making.items() if made.fault is not None]
    return faults + [
        (f"{each.layout}, {each.question}", each.wrong)
        for each in outcome.asked
        if each.wrong is not None and outcome.making[each.layout].fault is None
    ]


def _table(table: Rows, form: str) -> str:
    headings, rows = table
    align = ("left", *("right",) * (len(headings) - 1))
    if headings[-1] == "content":
        align = (*align[:-1], "left")
    return tabulate(rows, headings, tablefmt=form, disable_numparse=True, colalign=align)


def to_json(outcome: Outcome) -> Mapping[str, object]:
    return {
        "schema": 1,
        "days": [each.isoformat() for each in outcome.days],
        "sources": outcome.sources,
        "records": outcome.records,
        "source_bytes": outcome.source_bytes,
        "s3_latency": None if outcome.latency is None else str(outcome.latency),
        "trino_rss_bytes": outcome.trino_rss_bytes,
        "prices": price_list(),
        "layouts": [
            {"name": each.name, "about": each.about, **_making(outcome.making[each.name])}
            for each in outcome.layouts
        ],
        "questions": [_asked(outcome, each) for each in outcome.asked],
        "advice": advice(outcome),
    }


def _making(made: Making) -> Mapping[str, object]:
    return {"making": asdict(made)}


def _asked(outcome: Outcome, asked: Asked) -> Mapping[str, object]:
    return {
        "layout": asked.layout,
        "question": asked.question,
        "wrong": asked.wrong,
        "samples": [{**asdict(each), "dollars": each.dollars} for each in asked.samples],
        "dollars": dollars(asked),
        "pays_after": break_even(outcome, asked.layout, asked.question),
    }
