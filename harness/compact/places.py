"""The places of a day: its chunks, the Parquet files made of them, and the list for readers.

Below the folder ``parquet/`` are two folders. ``files/`` has the Parquet files of each day, in a
folder of their own for each time that the day was compacted. ``days/`` has one object for each day,
``symlink.txt``: the addresses of the files that count. A reader follows the list, so putting this
one object is the switch from the old files to the new ones.
"""

from __future__ import annotations

import re
import secrets
from collections.abc import Iterable, Sequence
from dataclasses import dataclass
from datetime import UTC, date, datetime

from harness.model import UsageError

FOLDER = "parquet/"
_STAMP = "%Y%m%dt%H%M%S"
_RUN = re.compile(r"(\d{8}t\d{6})[-_][0-9a-f]{6}")
_GENERATION = re.compile(rf"([0-9a-f]{{16}})-{_RUN.pattern}")


@dataclass(frozen=True, slots=True)
class Part:
    """A day, or an account's part of it, in a bucket."""

    bucket: str
    prefix: str
    day: date
    account: str | None = None

    @property
    def _name(self) -> str:
        account = "" if self.account is None else f"{self.account}/"
        return f"{account}{self.day:%Y/%m/%d}/"

    @property
    def chunks(self) -> str:
        """The day prefix of SPEC."""
        return f"{self.prefix}{self._name}"

    @property
    def files(self) -> str:
        return f"{self.prefix}{FOLDER}files/{self._name}"

    @property
    def list_folder(self) -> str:
        return f"{self.prefix}{FOLDER}days/{self._name}"

    @property
    def list_key(self) -> str:
        return f"{self.list_folder}symlink.txt"

    def address(self, key: str) -> str:
        return f"s3://{self.bucket}/{key}"

    def __str__(self) -> str:
        return f"{self.day}" if self.account is None else f"{self.day} {self.account}"


@dataclass(frozen=True, slots=True)
class Run:
    """One call of the command: its name is part of all that it makes."""

    name: str

    @property
    def table(self) -> str:
        return f"{TABLES}{self.name.replace('-', '_')}"


#: The begin of the names of all tables that the command makes and drops.
TABLES = "rosetta_compact_"


def new_run(now: datetime) -> Run:
    return Run(f"{now.astimezone(UTC):{_STAMP}}-{secrets.token_hex(3)}")


def begun(name: str) -> datetime | None:
    """When the run began whose table or folder has this name; ``None`` if it is no such name."""
    found = _RUN.search(name)
    return None if found is None else datetime.strptime(found[1], _STAMP).replace(tzinfo=UTC)


def generation(fingerprint: str, run: Run) -> str:
    """The folder of the files that a run makes of chunks with this fingerprint."""
    return f"{fingerprint}-{run.name}"


def fingerprint_of(generation: str) -> str | None:
    found = _GENERATION.fullmatch(generation)
    return None if found is None else found[1]


def write_list(part: Part, keys: Iterable[str]) -> bytes:
    return "".join(f"{part.address(key)}\n" for key in sorted(keys)).encode()


def read_list(part: Part, body: bytes) -> tuple[str, Sequence[str]] | None:
    """The generation and the keys of a list, or ``None`` if this command has not written it."""
    begin = part.address(part.files)
    lines = body.decode(errors="replace").splitlines()
    if not lines or not all(each.startswith(begin) for each in lines):
        return None
    (folder, *others) = {each.removeprefix(begin).partition("/")[0] for each in lines}
    if others or fingerprint_of(folder) is None:
        return None
    return folder, [each.removeprefix(part.address("")) for each in lines]


def require_plain(prefix: str) -> None:
    """Raises ``UsageError`` for a prefix that can't stand in a statement as it is."""
    if re.search(r"['\\\x00-\x1f]", prefix):
        raise UsageError(f"the prefix {prefix!r} has a quote or a backslash, which SQL can't name")
