"""Writes the rules of ``preflight`` into docs/preflight.md: ``python -m tests.make_rules`` in
`.venv`. A test fails when the page is stale.
"""

from __future__ import annotations

import textwrap
from collections.abc import Iterator
from pathlib import Path

from harness.preflight.check import RULES
from harness.preflight.model import Rule

PAGE = Path(__file__).parent.parent / "docs/preflight.md"
BEGIN, END = "<!-- made by tests/make_rules.py -->\n", "<!-- end -->\n"
_WIDTH = 100


def rules() -> str:
    """Each theme with its rules."""
    return "\n".join(line for theme, own in RULES.items() for line in _theme(theme, own)) + "\n"


def _theme(theme: str, own: tuple[Rule, ...]) -> Iterator[str]:
    yield from ("", f"### {theme.capitalize()}")
    for rule in own:
        why = f"**`{rule.name}`**: {rule.what}. It is seen in: {rule.seen}."
        yield from ("", *textwrap.wrap(why, _WIDTH), "")
        yield from textwrap.wrap(
            rule.error, _WIDTH, initial_indent=" " * 4, subsequent_indent=" " * 4
        )
        yield from ("", *textwrap.wrap(f"To repair it, {rule.remedy}. Sources:", _WIDTH), "")
        yield from (f"- <{url}>" for url in rule.sources)


def page() -> str:
    """The page with its rules made anew."""
    before, _, rest = PAGE.read_text().partition(BEGIN)
    return f"{before}{BEGIN}{rules()}{END}{rest.partition(END)[2]}"


if __name__ == "__main__":
    PAGE.write_text(page())
