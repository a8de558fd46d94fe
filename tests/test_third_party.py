"""The components of a package, and their licences."""

from __future__ import annotations

import json
import re
from pathlib import Path

import pytest
from conftest import IMPLEMENTATIONS, built

from harness.build.package_split import bundle_inputs
from harness.build.third_party.__main__ import file_in
from harness.build.third_party.collect import Found, collect
from harness.build.third_party.components import Component, components_of
from harness.build.third_party.licences import (
    FILE,
    TEXTS,
    Licences,
    for_name,
    not_allowed,
    problems_of_licences,
    read,
    rules,
    write,
)
from harness.model import Artefact, HarnessError

LANGUAGES = list(IMPLEMENTATIONS)
A, B = "pkg:npm/a", "pkg:npm/%40of/b"
LOCK = {
    "": {"name": "ours"},
    "node_modules/a": {"version": "1.0", "integrity": "sha512-AAEC"},
    "node_modules/a/node_modules/@of/b": {"version": "2.0", "integrity": "sha512-AAED"},
    "node_modules/tool": {"version": "3.0", "integrity": "sha512-AAEE", "dev": True},
}
GOOD = Licences({A: "MIT", B: "Apache-2.0"}, [(A, "LICENSE", "text"), (B, "NOTICE", "text")])


def code(folder: Path) -> Path:
    (folder / "package-lock.json").write_text(json.dumps({"packages": LOCK}))
    return folder


def artefact(language: str) -> Artefact:
    made = built(language)
    assert isinstance(made, Artefact), made
    return made


# ---- the components ----


def test_the_lock_of_npm(tmp_path: Path) -> None:
    assert components_of(code(tmp_path), tmp_path) == [
        Component(B, "2.0", (("SHA-512", "000103"),)),
        Component(A, "1.0", (("SHA-512", "000102"),)),
    ]


def test_the_lock_of_python(tmp_path: Path) -> None:
    one, two = "1" * 64, "2" * 64
    (tmp_path / "requirements.txt").write_text(
        f"# head\na-b==1.0 \\\n    --hash=sha256:{one} \\\n    --hash=sha256:{two}\n    # via c\n"
        f"c==2 \\\n    --hash=sha256:{two}\n"
    )
    assert components_of(tmp_path, tmp_path) == [
        Component("pkg:pypi/a-b", "1.0", (("SHA-256", one), ("SHA-256", two))),
        Component("pkg:pypi/c", "2", (("SHA-256", two),)),
    ]


def test_the_list_of_maven(tmp_path: Path) -> None:
    (tmp_path / "pom.xml").touch()
    (tmp_path / "lib").mkdir()
    (tmp_path / "lib/libraries.txt").write_text(
        "\nThe following files have been resolved:\n"
        "   org.a:b-c:jar:1.0:compile -- module b.c (auto)\n   org.d:e:jar:2.0:runtime\n"
    )
    (tmp_path / ".mvn/checksums").mkdir(parents=True)
    (tmp_path / ".mvn/checksums/checksums.sha256").write_text(
        "aa  org/a/b-c/1.0/b-c-1.0.jar\nbb  org/a/b-c/1.0/b-c-1.0.pom\n"
    )
    assert components_of(tmp_path, tmp_path) == [
        Component("pkg:maven/org.a/b-c", "1.0", (("SHA-256", "aa"),)),
        Component("pkg:maven/org.d/e", "2.0"),
    ]


def test_code_without_a_lock_has_no_components(tmp_path: Path) -> None:
    assert components_of(tmp_path, tmp_path) == []


@pytest.mark.slow
def test_the_bundle_holds_components_of_the_lock_only() -> None:
    made = artefact("javascript")
    inputs = bundle_inputs(made.implementation, made.folder)
    assert inputs is not None
    modules = [path.rpartition("node_modules/")[2] for path, _ in inputs if "node_modules/" in path]
    bundled = {match[0] for module in modules if (match := re.match(r"(@[^/]+/)?[^/]+", module))}
    named = {each.name for each in components_of(made.implementation.code, made.folder)}

    assert len(bundled) > 5
    assert {f"pkg:npm/{each.replace('@', '%40')}" for each in bundled} <= named


# ---- the licences ----


def test_the_file_is_read_as_it_was_written() -> None:
    text = write(GOOD)
    assert read(text).stated == GOOD.stated
    assert sorted(read(text).texts) == [(B, "NOTICE", "text\n"), (A, "LICENSE", "text\n")]
    assert text.count("text\n") == 1  # equal texts stand once


@pytest.mark.parametrize(
    ("licences", "expected"),
    [
        (GOOD, []),
        (None, [f"{FILE} is not there: 2 components need it"]),
        (Licences({A: "MIT"}, GOOD.texts), [f"{FILE} has no licence of {B} 2.0"]),
        (Licences(GOOD.stated, GOOD.texts[:1]), [f"{FILE} has no licence of {B} 2.0"]),
        (
            Licences({**GOOD.stated, "pkg:npm/c": "MIT"}, GOOD.texts),
            [f"{FILE} names pkg:npm/c, which is not in the package"],
        ),
        (
            Licences({**GOOD.stated, A: "MIT OR (GPL-3.0-only AND MIT)"}, GOOD.texts),
            [f"{A}: the licence GPL-3.0-only is not in"],
        ),
        (
            Licences({**GOOD.stated, A: "see LICENSE"}, GOOD.texts),
            [f"{A}: the licence see LICENSE is not in"],
        ),
    ],
)
def test_a_package_s_licences(
    tmp_path: Path, licences: Licences | None, expected: list[str]
) -> None:
    if licences:
        (tmp_path / FILE).write_text(write(licences))
    found = list(problems_of_licences(code(tmp_path), tmp_path))
    assert [each[: len(start)] for each, start in zip(found, expected, strict=True)] == expected


def test_a_component_without_a_licence_or_a_text_is_named(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    def found(_code: Path, _work: Path) -> list[Found]:
        return [Found(A, None, {"LICENSE": "text"}), Found(B, "MIT", {})]

    monkeypatch.setattr("harness.build.third_party.collect._READERS", {"package-lock.json": found})
    with pytest.raises(HarnessError) as error:
        collect(code(tmp_path))
    assert [line.split(":")[1] for line in str(error.value).splitlines()] == [
        "npm/%40of/b has no text",
        "npm/a states no licence",
    ]


@pytest.mark.slow
@pytest.mark.timeout(600)
@pytest.mark.parametrize("language", LANGUAGES)
def test_the_file_among_the_sources_is_that_of_the_lock(language: str) -> None:
    file = file_in(language, IMPLEMENTATIONS[language].code)

    assert write(collect(IMPLEMENTATIONS[language].code)) == file.read_text(), (
        "run make third-party and look at the difference"
    )


@pytest.mark.parametrize("language", LANGUAGES)
def test_each_licence_is_allowed(language: str) -> None:
    licences = read(file_in(language, IMPLEMENTATIONS[language].code).read_text())
    assert licences.stated
    assert list(not_allowed(licences, rules().allowed)) == []


def test_each_rule_has_its_use_and_its_reason() -> None:
    stated = {
        name: words
        for language, each in IMPLEMENTATIONS.items()
        for name, words in read(file_in(language, each.code).read_text()).stated.items()
    }
    used = {each for words in stated.values() for each in words.split(" AND ")}

    assert used == rules().allowed.keys()
    assert all(len(reason) > 10 for reason in rules().allowed.values())
    for pattern in [*rules().stated, *rules().texts]:
        assert any(for_name({pattern: "fits"}, name) for name in stated), pattern
    files = {value for value in rules().texts.values() if not value.startswith("pkg:")}
    assert files == {path.name for path in TEXTS.iterdir()}
