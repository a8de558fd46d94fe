"""``python -m harness.build.third_party [LANGUAGE...]`` writes the licences of the components.

Each language's file is among its sources, from where ``sam build`` takes it into the package.
"""

from __future__ import annotations

from collections.abc import Sequence
from pathlib import Path

from harness.build.choice import choose
from harness.build.template import load_implementations
from harness.build.third_party.collect import collect
from harness.build.third_party.licences import FILE, not_allowed, rules, write
from harness.terminal import end_with, to_stderr

# the folder of the file below that of the code, where a build tool does not take it from there
_FOLDERS = {"java": "src/main/resources", "javascript": "src"}


def file_in(language: str, code: Path) -> Path:
    return code / _FOLDERS.get(language, "") / FILE


def main(languages: Sequence[str]) -> int:
    good = True
    for implementation in choose(load_implementations(), languages):
        language, code = implementation.language, implementation.code
        licences = collect(code)
        for problem in not_allowed(licences, rules().allowed):
            good = False
            to_stderr(f"{language}: {problem}")
        file = file_in(language, code)
        file.parent.mkdir(exist_ok=True)
        file.write_text(write(licences))
        print(f"{language}: {file} ({len(licences.stated)} components)")
    return 0 if good else 1


if __name__ == "__main__":
    end_with(main)
