"""The page of ``query``: the same style as that of a comparison."""

from __future__ import annotations

import re

from harness.query.choice import advice
from harness.query.measure import Outcome
from harness.query.tables import Rows, about, describe, making_rows, question_rows, reasons
from harness.report.formatting import Table
from harness.report.html_page.page import template
from harness.report.html_page.query_plots import query_plots


def render_query_page(outcome: Outcome) -> str:
    """The HTML of a run of ``query``."""
    return template("query.html.jinja").render(
        run=describe(outcome),
        advice=advice(outcome),
        about=about(),
        making=_table("making", "Making the layouts", _MAKING, _without_last(making_rows(outcome))),
        contents=[(each.name, each.about) for each in outcome.layouts],
        plots=list(query_plots(outcome)),
        questions=[
            _table(re.sub(r"\W+", "-", each), f"Question: {each}", _QUESTION, rows)
            for each in outcome.questions()
            for rows in [question_rows(outcome, each)]
        ],
        reasons=reasons(outcome),
    )


_MAKING = "By the function, and by the statements of SQL after it. Nobody made the sources."
_QUESTION = "Medians of n queries. CPU and memory are those of the engine."


def _without_last(content: Rows) -> Rows:
    """The layouts' contents are long, and stand in a list of their own."""
    headings, rows = content
    return headings[:-1], [row[:-1] for row in rows]


def _table(anchor: str, title: str, text: str, content: Rows) -> Table:
    headings, rows = content
    return Table(anchor, title, text, headings, rows)
