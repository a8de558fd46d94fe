"""The folders of the repository, of the tools' locks, and of the tools themselves."""

from __future__ import annotations

from pathlib import Path

ROOT = Path(__file__).resolve().parent.parent.parent
SOURCES = ROOT / "tools"
MADE = ROOT / ".tools"
