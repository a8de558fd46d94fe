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
        yield from ("", *_wrapped(why), "")
        yield from _wrapped(rule.error, indent=" " * 4)
        yield from ("", *_wrapped(f"To repair it, {rule.remedy}. Sources:"), "")
        yield from (f"- <{url}>" for url in rule.sources)


def _wrapped(text: str, indent: str = "") -> list[str]:
    """Its lines. A name or an address with hyphens stays whole."""
    return textwrap.wrap(
        text,
        _WIDTH,
        initial_indent=indent,
        subsequent_indent=indent,
        break_long_words=False,
        break_on_hyphens=False,
    )


def page() -> str:
    """The page with its rules made anew."""
    before, _, rest = PAGE.read_text().partition(BEGIN)
    return f"{before}{BEGIN}{rules()}{END}{rest.partition(END)[2]}"


if __name__ == "__main__":
    PAGE.write_text(page())
