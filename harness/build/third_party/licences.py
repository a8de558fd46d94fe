"""The licences of third-party components: the file that packages contain, and the allow-list."""

from __future__ import annotations

import re
import tomllib
from collections.abc import Collection, Iterator, Mapping, Sequence
from dataclasses import dataclass
from fnmatch import fnmatchcase
from functools import cache
from pathlib import Path

from harness.build.third_party.components import Component, components_of
from harness.model import NotReady

#: The name of the file, at the root of each package that has third-party components.
FILE = "THIRD_PARTY_LICENSES.txt"
REMEDY = "run make third-party and look at the difference"
RULES = Path(__file__).parent / "licences.toml"
TEXTS = Path(__file__).parent / "texts"

_HEAD = """\
This package contains the components below. A line names a component and its licences, by their
SPDX ids. The texts of the licences and the notices follow, each with the components it belongs to.
"""
_RULE = "-" * 79


@dataclass(frozen=True, slots=True)
class Licences:
    """``stated`` is component -> SPDX expression; ``texts`` are (component, file name, text)."""

    stated: Mapping[str, str]
    texts: Sequence[tuple[str, str, str]]


@dataclass(frozen=True, slots=True)
class Rules:
    """The content of licences.toml, which explains its parts."""

    allowed: Mapping[str, str]
    spelled: Mapping[str, str]
    stated: Mapping[str, str]
    texts: Mapping[str, str]


@cache
def rules() -> Rules:
    return Rules(**tomllib.loads(RULES.read_text()))


def for_name(patterns: Mapping[str, str], name: str) -> str | None:
    """The value of the first pattern that fits the component."""
    return next((value for each, value in patterns.items() if fnmatchcase(name, each)), None)


# ---- the check of a package ----


def problems_of_licences(code: Path, folder: Path) -> Iterator[str]:
    """The problems of a package in ``folder``, whose sources and locks are in ``code``."""
    try:
        components = components_of(code, folder)
    except NotReady as error:
        yield f"its components can't be read: {error}"
        return
    if not components:
        return
    file = folder / FILE
    if not file.is_file():
        yield f"{FILE} is not there: {len(components)} components need it; {REMEDY}"
        return
    licences = read(file.read_text())
    yield from _missing(components, licences)
    yield from not_allowed(licences, rules().allowed)


def _missing(components: Sequence[Component], licences: Licences) -> Iterator[str]:
    with_text = {name for name, _, _ in licences.texts}
    for each in components:
        if each.name not in licences.stated or each.name not in with_text:
            yield f"{FILE} has no licence of {each.name} {each.version}: {REMEDY}"
    for name in sorted(licences.stated.keys() - {each.name for each in components}):
        yield f"{FILE} names {name}, which is not in the package: {REMEDY}"


def not_allowed(licences: Licences, allowed: Collection[str]) -> Iterator[str]:
    """Every licence of an expression has to be allowed, also where there is a choice."""
    for name, expression in licences.stated.items():
        for licence in re.split(r" (?:AND|OR) ", expression.replace("(", "").replace(")", "")):
            if licence not in allowed:
                yield f"{name}: the licence {licence} is not in licences.toml's [allowed]"


# ---- the file ----


def write(licences: Licences) -> str:
    """Equal texts stand once. The order of the components decides all others."""
    stated = "".join(f"{name}: {words}\n" for name, words in sorted(licences.stated.items()))
    owners: dict[str, list[str]] = {}
    for name, file, text in sorted(licences.texts):
        lines = "\n".join(line.rstrip() for line in text.splitlines()).strip("\n")
        owners.setdefault(lines, []).append(f"{name}: {file}\n")
    sections = (f"{_RULE}\n{''.join(each)}\n{text}\n\n" for text, each in owners.items())
    return f"{_HEAD}\n{stated}\n{''.join(sections)}".rstrip("\n") + "\n"


def read(text: str) -> Licences:
    head, *sections = text.split(f"\n{_RULE}\n")
    return Licences(
        dict(re.findall(r"^(pkg:\S+): (.+)$", head, re.MULTILINE)),
        [
            (name, file, body)
            for owners, _, body in (each.partition("\n\n") for each in sections)
            for name, file in re.findall(r"^(pkg:\S+): (.+)$", owners, re.MULTILINE)
        ],
    )
