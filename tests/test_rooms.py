"""The structure of the harness: its rooms stand on floors, and imports lead down only."""

from __future__ import annotations

import ast
import sys
from collections.abc import Iterable, Iterator, Mapping, Sequence
from graphlib import CycleError, TopologicalSorter
from pathlib import Path

import pytest

HARNESS = Path(__file__).parent.parent / "harness"
#: From the ground up: a room imports from rooms on lower floors only.
FLOORS: Sequence[Sequence[str]] = (
    ("model",),
    ("reservation", "scratch", "terminal"),
    ("toolchain",),
    ("fixtures",),
    ("targets",),
    ("analysis", "build", "verify"),
    ("images",),
    ("operate", "preflight"),
    ("compact", "compare", "drill", "feed", "query"),
    ("report",),
    ("teaching",),
    ("exercise",),
    ("commands",),
    ("cli",),
    ("__main__",),
)

type Imports = Sequence[tuple[str, str]]


def imports(package: Path) -> Iterator[tuple[str, str]]:
    """(importing module, imported module) for each import inside the package."""
    for path in sorted(package.rglob("*.py")):
        module = ".".join(path.relative_to(package.parent).with_suffix("").parts)
        for node in ast.walk(ast.parse(path.read_text())):
            if isinstance(node, ast.Import):
                named = [each.name for each in node.names]
            elif isinstance(node, ast.ImportFrom):
                assert node.module is not None and not node.level, f"{module}: relative import"
                named = [f"{node.module}.{each.name}" for each in node.names]
            else:
                continue
            yield from ((module, name) for name in named if name.startswith(f"{package.name}."))


def inside(found: Imports, prefix: str) -> Mapping[str, set[str]]:
    """room -> the rooms that it imports from, for the rooms directly below ``prefix``."""
    rooms: dict[str, set[str]] = {}
    for pair in found:
        if all(each.startswith(f"{prefix}.") for each in pair):
            here, there = (each.removeprefix(f"{prefix}.").split(".")[0] for each in pair)
            if here != there:
                rooms.setdefault(here, set()).add(there)
    return rooms


def upward(rooms: Mapping[str, set[str]], floors: Sequence[Sequence[str]]) -> list[str]:
    height = {room: number for number, floor in enumerate(floors) for room in floor}
    return [
        f"{here} imports from {there}"
        for here, imported in rooms.items()
        for there in sorted(imported)
        if height[here] <= height[there]
    ]


def circles(found: Imports, prefixes: Iterable[str]) -> Iterator[str]:
    for prefix in prefixes:
        try:
            TopologicalSorter(inside(found, prefix)).prepare()
        except CycleError as error:
            yield f"{prefix}: {' <- '.join(error.args[1])}"


def packages(package: Path) -> list[str]:
    return [
        ".".join(each.parent.relative_to(package.parent).parts)
        for each in package.rglob("__init__.py")
    ]


def test_imports_lead_to_lower_floors_only() -> None:
    assert upward(inside(list(imports(HARNESS)), "harness"), FLOORS) == []


def test_no_room_has_a_circle_of_imports_inside() -> None:
    assert list(circles(list(imports(HARNESS)), packages(HARNESS))) == []


def test_every_room_stands_on_a_floor() -> None:
    found = {
        each.stem
        for each in HARNESS.iterdir()
        if each.suffix == ".py" or (each / "__init__.py").exists()
    }
    assert found - {"__init__"} == {room for floor in FLOORS for room in floor}


def test_no_module_has_the_name_of_one_of_the_standard_library() -> None:
    names = {each.stem for each in HARNESS.rglob("*.py")} | {
        each.rpartition(".")[2] for each in packages(HARNESS)
    }
    assert names & sys.stdlib_module_names == set()


@pytest.mark.parametrize(
    ("text", "wrong"),
    [
        ("from house.roof import tiles", ["cellar imports from roof"]),
        ("def late():\n    from house import roof", ["cellar imports from roof"]),
        ("import house.roof", ["cellar imports from roof"]),
        ("import json", []),
    ],
)
def test_an_upward_import_and_a_circle_are_found(
    text: str, wrong: Sequence[str], tmp_path: Path
) -> None:
    house = tmp_path / "house"
    house.mkdir()
    (house / "__init__.py").touch()
    (house / "cellar.py").write_text(text)
    (house / "roof.py").write_text("from house.cellar import wine")
    found = list(imports(house))
    assert upward(inside(found, "house"), (("cellar",), ("roof",))) == wrong
    assert len(list(circles(found, packages(house)))) == len(wrong)
