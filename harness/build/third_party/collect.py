"""Collects the licences of a language's components from the packages that its lock names."""

from __future__ import annotations

import json
import os
import re
import shutil
import zipfile
from collections.abc import Callable, Iterator, Mapping
from email.parser import HeaderParser
from pathlib import Path
from typing import NamedTuple
from xml.etree import ElementTree

from harness.build.third_party.components import name_of
from harness.build.third_party.licences import TEXTS, Licences, for_name, rules
from harness.model import HarnessError
from harness.scratch import scratch
from harness.toolchain import programs, tools

_TEXT = re.compile(r"(^|[/-])(licen[cs]e|notice|copying|patents|copyrightnotice)[^/]*$", re.I)
_CODE = re.compile(r"\.(class|pyc?|js|go)$")
_POM = {"m": "http://maven.apache.org/POM/4.0.0"}


class Found(NamedTuple):
    """A component, the licence that its metadata states, and its texts by file name."""

    name: str
    metadata: str | None
    texts: Mapping[str, str]


def collect(code: Path) -> Licences:
    """The licences of the components that the lock in ``code`` names.

    Raises ``HarnessError`` with the names of the components that lack a licence or its text.
    """
    (read,) = (read for lock, read in _READERS.items() if (code / lock).is_file())
    with scratch("licences") as work:
        found = sorted(read(code, work))
    own = {each.name: dict(each.texts) for each in found}
    stated: dict[str, str] = {}
    texts: list[tuple[str, str, str]] = []
    lacking = []
    for name, metadata, _ in found:
        licence = for_name(rules().stated, name) or metadata
        given = own[name] or _given_text(name, own)
        if licence is None:
            lacking.append(f"{name} states no licence: add it to [stated] in licences.toml")
        elif not given:
            lacking.append(f"{name} has no text: add it to [texts] in licences.toml")
        else:
            stated[name] = rules().spelled.get(licence, licence)
            texts += ((name, file, text) for file, text in given.items())
    if lacking:
        raise HarnessError("\n".join(lacking))
    return Licences(stated, texts)


def _given_text(name: str, own: Mapping[str, Mapping[str, str]]) -> Mapping[str, str]:
    source = for_name(rules().texts, name)
    if source is None:
        return {}
    return own[source] if source in own else {source: (TEXTS / source).read_text()}


def _texts_in(folder: Path) -> dict[str, str]:
    """The licences and notices directly in ``folder``."""
    return {
        path.name: path.read_text(errors="replace")
        for path in sorted(folder.iterdir())
        if path.is_file() and _TEXT.search(path.name) and not _CODE.search(path.name)
    }


def _python(code: Path, work: Path) -> Iterator[Found]:
    programs.run(
        [
            *(programs.find_uv(), "pip", "install", "--only-binary", ":all:", "--no-deps"),
            *("--python-version", "3.13"),
            *("--python-platform", "aarch64-unknown-linux-gnu"),  # as in the Makefile
            *("--require-hashes", "--requirements", code / "requirements.txt", "--target", work),
        ],
        "uv pip install",
    )
    for folder in sorted(work.glob("*.dist-info")):
        metadata = HeaderParser().parsestr((folder / "METADATA").read_text())
        texts = _texts_in(folder)
        if (folder / "licenses").is_dir():
            texts |= _texts_in(folder / "licenses")
        licence = metadata["License-Expression"] or metadata["License"]
        name = re.sub(r"[-_.]+", "-", metadata["Name"]).lower()
        yield Found(name_of("pypi", name), licence, texts)


def _javascript(code: Path, work: Path) -> Iterator[Found]:
    for file in ("package.json", "package-lock.json"):
        shutil.copy(code / file, work)
    quiet = ("--omit=dev", "--ignore-scripts", "--no-audit", "--no-fund")
    programs.run([programs.find_npm(), "ci", *quiet], "npm ci", cwd=work)
    packages = json.loads((code / "package-lock.json").read_text())["packages"]
    for path, package in packages.items():
        if path and not package.get("dev"):
            name = name_of("npm", path.rpartition("node_modules/")[2])
            yield Found(name, package.get("license"), _texts_in(work / path))


def _go(code: Path, _work: Path) -> Iterator[Found]:
    """The texts of each package that is linked, and of the folders above it in its module."""
    go = programs.find_go()
    form = "{{with .Module}}{{if not .Main}}{{.Path}}\t{{.Dir}}\t{{$.Dir}}{{end}}{{end}}"
    tags = "-tags=lambda.norpc"
    environment = {**os.environ, "CGO_ENABLED": "0", "GOOS": "linux"}
    said = programs.run(
        [go, "list", "-deps", tags, "-f", form, "."], "go list", cwd=code, env=environment
    )
    modules: dict[str, dict[str, str]] = {}
    for line in sorted({*said.splitlines()}):
        match line.split("\t"):
            case [module, root, package]:
                texts = modules.setdefault(module, {})
                below = Path(package).relative_to(root)
                for part in (below, *below.parents):
                    in_part = _texts_in(Path(root) / part)
                    texts |= {(part / name).as_posix(): text for name, text in in_part.items()}
    for module, texts in modules.items():
        yield Found(name_of("golang", module), None, texts)
    goroot = Path(programs.run([go, "env", "GOROOT"], "go env").strip())
    yield Found(name_of("golang", "std"), None, _texts_in(goroot))


def _java(code: Path, work: Path) -> Iterator[Found]:
    layout = ("useRepositoryLayout", "copyPom", "addParentPoms")
    programs.run(
        [
            tools.maven(),
            *("--batch-mode", "--no-transfer-progress", "--quiet", "--file", code / "pom.xml"),
            "dependency:copy-dependencies@copy-licences",
            *("-DincludeScope=runtime", f"-DoutputDirectory={work}"),
            *(f"-Dmdep.{each}=true" for each in layout),
        ],
        "Maven",
    )
    for jar in sorted(work.rglob("*.jar")):
        *group, artifact, _ = jar.parent.relative_to(work).parts
        with zipfile.ZipFile(jar) as archive:
            texts = {
                name: archive.read(name).decode(errors="replace")
                for name in archive.namelist()
                if _TEXT.search(name) and not _CODE.search(name)
            }
        name = name_of("maven", f"{'.'.join(group)}/{artifact}")
        yield Found(name, _licence_of_pom(jar.with_suffix(".pom"), work), texts)


def _licence_of_pom(pom: Path, repository: Path) -> str | None:
    """The first licence of a POM or of its nearest parent that states one."""
    project = ElementTree.parse(pom).getroot()
    if licence := project.findtext("m:licenses/m:license/m:name", None, _POM):
        return licence.strip()
    parent = [project.findtext(f"m:parent/m:{each}", None, _POM) for each in _COORDINATES]
    if None in parent:
        return None
    group, artifact, version = map(str, parent)
    file = f"{artifact}-{version}.pom"
    return _licence_of_pom(
        repository / group.replace(".", "/") / artifact / version / file, repository
    )


_COORDINATES = ("groupId", "artifactId", "version")
_READERS: Mapping[str, Callable[[Path, Path], Iterator[Found]]] = {
    "requirements.txt": _python,
    "package-lock.json": _javascript,
    "pom.xml": _java,
    "go.mod": _go,
}
