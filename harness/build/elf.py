"""Reads the architecture and the linking of an ELF file."""

from __future__ import annotations

from dataclasses import dataclass
from pathlib import Path

from elftools.common.exceptions import ELFError
from elftools.elf.elffile import ELFFile

_ARCHITECTURES = {"EM_X86_64": "x86_64", "EM_AARCH64": "arm64"}


@dataclass(frozen=True, slots=True)
class Elf:
    """``architecture`` is the template's name of the machine, or else its ELF name."""

    architecture: str
    is_static: bool
    is_stripped: bool


def read_elf(path: Path) -> Elf | None:
    """``None`` if the file is not ELF. Raises ``ValueError`` for a damaged ELF file."""
    with path.open("rb") as file:
        if file.read(4) != b"\x7fELF":
            return None
        try:
            elf = ELFFile(file)
            machine = str(elf["e_machine"])
            return Elf(
                _ARCHITECTURES.get(machine, machine),
                is_static=all(each["p_type"] != "PT_INTERP" for each in elf.iter_segments()),
                is_stripped=elf.get_section_by_name(".symtab") is None,
            )
        except ELFError as error:
            raise ValueError(f"damaged ELF: {error}") from error
