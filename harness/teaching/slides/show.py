"""The page of the slides: one file that loads nothing from a network."""

from __future__ import annotations

import tomllib
from collections.abc import Callable, Mapping, Sequence
from pathlib import Path
from typing import Any

from markupsafe import Markup

from harness.model import Comparison, UsageError
from harness.report.formatting import describe_run
from harness.teaching.contract import clauses
from harness.teaching.document import make_environment, policy, read, read_style
from harness.teaching.highlight import show_lines, show_text
from harness.teaching.prose import parser
from harness.teaching.slides import bars
from harness.teaching.slides.deck import SLIDES, PartOfDeck, numbers, read_part
from harness.teaching.slides.lesson_parts import find_printed, find_table, narrowed, questions
from harness.teaching.slides.listing import caption, fit, read_listings
from harness.teaching.slides.plans import Plan, parts_of, read_plans
from harness.teaching.steps import steps
from harness.toolchain.paths import ROOT
from harness.verify.vectors.cases import VECTORS, Case, load_cases

_LONGEST = 150  # characters of a line of a vector


def render_slides(comparison: Comparison, folder: Path = SLIDES) -> str:
    """The HTML of all parts. Raises ``UsageError`` if a part does not fit its sources."""
    environment = make_environment()
    environment.filters["inline"] = lambda text: Markup(parser().renderInline(text))
    environment.globals |= {"show_lines": show_lines, "caption": caption}
    macros: Any = environment.get_template("slides/blocks.html.jinja").module
    facts = _facts(comparison)
    blocks = _Blocks(macros, comparison, facts)
    plans = read_plans()
    parts = [
        read_part(folder / f"{part}.md", facts, blocks.show)
        for part in parts_of(plans)
        if (folder / f"{part}.md").exists()
    ]
    style, script = read_style("slides/slides.css"), read("slides/slides.js")
    return environment.get_template("slides/slides.html.jinja").render(
        style=Markup(style),
        script=Markup(script),
        policy=policy(style, script),
        plans=plans,
        parts=parts,
        begins=_begins(plans),
        plans_of=lambda part: _plans_of(plans, part),
        source=_source(comparison),
    )


def _plans_of(plans: list[Plan], part: PartOfDeck) -> str:
    has = (plan.id for plan in plans if part.id in {each.part for each in plan.stretches})
    return " ".join(has)


def _begins(plans: list[Plan]) -> dict[str, dict[str, list[int]]]:
    """plan -> part -> the minutes at which it begins and ends."""
    found: dict[str, dict[str, list[int]]] = {}
    for plan in plans:
        at = 0
        for each in plan.stretches:
            found.setdefault(plan.id, {})[each.part] = [at, at + each.minutes]
            at += each.minutes
    return found


def _facts(comparison: Comparison) -> dict[str, str]:
    day: Mapping[str, Any] = comparison.fixture
    return {
        "sources": f"{day['sources']:,}",
        "records": f"{day['records']:,}",
        "megabytes": f"{day['record_bytes'] / 1e6:.1f}",
        "chunks": f"{day['chunks']:,}",
        "vectors": f"{len(load_cases()):,}",
        "steps": f"{len(steps())}",
    }


def _source(comparison: Comparison) -> str:
    about: Mapping[str, Any] = comparison.environment
    way = dict(describe_run(comparison)).get("transport", "")
    commit = f"make compare at commit {str(about['commit'])[:7]}"
    return ", ".join(filter(None, (commit, way, f"{about['cores']} cores", str(about["cpu"]))))


def _data_flow() -> Sequence[Mapping[str, Any]]:
    """The steps of README's picture."""
    text = (ROOT / "docs/pictures/data-flow.toml").read_text(encoding="utf-8")
    found: Sequence[Mapping[str, Any]] = tomllib.loads(text)["step"]
    return found


class _Blocks:
    """Makes the HTML of each kind of block."""

    def __init__(self, macros: Any, comparison: Comparison, facts: Mapping[str, str]) -> None:
        self._macros, self._comparison, self._facts = macros, comparison, facts
        self._kinds: Mapping[str, Callable[[str, int], str]] = {
            "piece": self._piece,
            "table": self._table,
            "printed": self._printed,
            "clause": self._clause,
            "vector": self._vector,
            "plot": self._plot,
            "figure": self._figure,
            "ask": self._ask,
        }

    def show(self, kind: str, content: str, height: int) -> Markup:
        make = self._kinds.get(kind)
        if make is None:
            return Markup('<pre class="typed"><code>{}</code></pre>').format(
                show_text(content, kind)
            )
        return Markup(make(content, height))

    def _piece(self, content: str, height: int) -> str:
        listings = read_listings(content)
        return str(self._macros.listings(fit(listings, height)))

    def _table(self, content: str, _: int) -> str:
        lesson, options = _options(content, ("with", "columns", "rows"))
        headings = [each.strip() for each in options.get("columns", "").split("|") if each.strip()]
        table = narrowed(find_table(lesson, options["with"]), headings, options.get("rows", ""))
        return str(self._macros.table(table))

    def _printed(self, content: str, _: int) -> str:
        lesson, options = _options(content, ("with",))
        return str(self._macros.printed(find_printed(lesson, options["with"]).splitlines()))

    def _clause(self, content: str, _: int) -> str:
        try:
            return str(self._macros.clauses([clauses()[each] for each in content.split()]))
        except KeyError as error:
            raise UsageError(f"{error} is no clause of SPEC.md") from error

    def _vector(self, content: str, _: int) -> str:
        found = load_cases(VECTORS, content.strip())
        if len(found) != 1:
            raise UsageError(f"{content.strip()} is no vector")
        return str(self._macros.vector(found[0], _lines(found[0])))

    def _plot(self, content: str, _: int) -> str:
        name = content.strip()
        if name not in bars.NAMED:
            raise UsageError(f"{name} is no plot")
        plot = bars.plot(name, self._comparison)
        return str(self._macros.plot(plot, _source(self._comparison)))

    def _figure(self, content: str, _: int) -> str:
        match content.strip():
            case "steps":
                return str(self._macros.steps(steps()))
            case "many-to-few":
                return str(self._macros.many_to_few(self._comparison.fixture, self._facts))
            case "data-flow":
                return str(self._macros.data_flow(_data_flow()))
            case name:
                raise UsageError(f"{name} is no figure")

    def _ask(self, content: str, _: int) -> str:
        return str(self._macros.ask([questions()[number] for number in numbers(content)]))


def _options(content: str, known: tuple[str, ...]) -> tuple[str, dict[str, str]]:
    """The first line of a block, and the ``NAME: VALUE`` of the others."""
    first, *lines = (line.strip() for line in content.splitlines() if line.strip())
    parted = (line.partition(":") for line in lines)
    options = {name.strip(): value.strip() for name, _, value in parted}
    if unknown := options.keys() - known:
        raise UsageError(f"{min(unknown)} is no option of this block")
    if "with" not in options:
        raise UsageError("a block of a lesson needs `with`")
    return first, options


def _lines(case: Case) -> list[str]:
    """The lines of the vector's first chunk; the middle of a long one is left out."""
    (body, *_) = case.expected.values()
    half = _LONGEST // 2
    return [
        line if len(line) <= _LONGEST else f"{line[:half]} … {line[-half:]}"
        for line in body.decode().splitlines()
    ]
