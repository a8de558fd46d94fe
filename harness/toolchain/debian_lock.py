"""``python -m harness.toolchain.debian_lock`` writes ``tools/debian/packages.sha256`` anew.

apt checks the signature of the archive and chooses the newest version, security updates included.
"""

from __future__ import annotations

import re
from collections.abc import Iterator, Sequence
from pathlib import Path
from urllib.parse import unquote

from harness.model import HarnessError
from harness.scratch import scratch
from harness.terminal import end_with
from harness.toolchain.debian import ARCHITECTURES, LOCK, all_names, mirrors, release
from harness.toolchain.programs import find_program, run

_KEYS = Path("/usr/share/keyrings/debian-archive-keyring.gpg")
_SUITES = {"debian": "{release}", "debian-security": "{release}-security"}
_ANSWER = re.compile(r"^'[^']*?/(debian(?:-security)?)/(?:[^/']+/)??(pool/[^']+)' .* SHA256:(\w+)$")


def main(_: Sequence[str]) -> int:
    lines = {line for architecture in ARCHITECTURES.values() for line in _lines(architecture)}
    LOCK.write_text("".join(sorted(lines, key=lambda line: line.partition("  ")[2])))
    print(f"{LOCK}: {len(lines)} packages")
    return 0


def _lines(architecture: str) -> Iterator[str]:
    apt = find_program("apt-get", "use a machine with Debian or Ubuntu")
    places = mirrors()
    with scratch("apt") as folder:
        sources = folder / "sources.list"
        sources.write_text(
            "".join(
                f"deb [signed-by={_KEYS}] {places[name]} {suite.format(release=release())} main\n"
                for name, suite in _SUITES.items()
            )
        )
        for each in ("lists/partial", "cache/archives/partial"):
            (folder / each).mkdir(parents=True)
        (folder / "status").touch()
        settings = {
            "Dir::Etc::SourceList": sources,
            "Dir::Etc::SourceParts": "/dev/null",
            "Dir::State::Lists": folder / "lists",
            "Dir::State::status": folder / "status",
            "Dir::Cache": folder / "cache",
            "APT::Architecture": architecture,
            "APT::Architectures": architecture,
            "APT::Sandbox::User": "root",
            "Acquire::Languages": "none",
        }
        command: list[str | Path] = [
            apt,
            *(f"-o{name}={value}" for name, value in settings.items()),
        ]
        run([*command, "update"], "apt-get update")
        said = run([*command, "download", "--print-uris", *all_names()], "apt-get download")
    answers = [found for line in said.splitlines() if (found := _ANSWER.match(line))]
    if len(answers) != len(all_names()):
        raise HarnessError(f"apt-get names other packages than {', '.join(all_names())}:\n{said}")
    return (f"{found[3]}  {found[1]}/{unquote(found[2])}\n" for found in answers)


if __name__ == "__main__":
    end_with(main)
