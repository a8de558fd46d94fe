"""The common parts of the pages for learners: templates, style, and a policy against requests."""

from __future__ import annotations

import base64
import hashlib
from collections.abc import Mapping
from pathlib import Path

from jinja2 import Environment, PackageLoader, StrictUndefined
from markupsafe import Markup

NAMES: Mapping[str, str] = {
    "python": "Python",
    "java": "Java",
    "javascript": "JavaScript",
    "go": "Go",
}
_HERE = Path(__file__).parent
_MOST_INDENTED = 60  # columns of a line


def make_environment() -> Environment:
    """Templates of this room, with the filter ``code_spans``."""
    environment = Environment(
        loader=PackageLoader("harness.teaching", ""),
        autoescape=True,
        undefined=StrictUndefined,
        trim_blocks=True,
        lstrip_blocks=True,
    )
    environment.filters["code_spans"] = _code_spans
    environment.globals["names"] = NAMES
    return environment


def read_style(name: str) -> str:
    """The shared style and a page's own one.

    Each indentation has a class, because the policy allows no style in an element.
    """
    indented = "".join(
        f".i{columns} {{ --n: {columns}; }}\n" for columns in range(1, _MOST_INDENTED)
    )
    return read("base.css") + read(name) + indented


def read(name: str) -> str:
    """The text of a file of this room."""
    return (_HERE / name).read_text(encoding="utf-8")


def policy(style: str, script: str) -> str:
    """The Content-Security-Policy: this style, this script, and no request at all."""
    return (
        f"default-src 'none'; img-src data:; style-src '{_digest(style)}'; "
        f"script-src '{_digest(script)}'"
    )


def _digest(text: str) -> str:
    return f"sha256-{base64.b64encode(hashlib.sha256(text.encode()).digest()).decode()}"


def _code_spans(text: str) -> Markup:
    """A sentence in which backticks surround code."""
    parts = text.replace("``", "`").split("`")
    return Markup("").join(
        Markup("<code>{}</code>").format(part) if number % 2 else part
        for number, part in enumerate(parts)
    )
