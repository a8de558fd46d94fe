"""Where the repository, the locks of the pinned tools and the tools made from them are."""

from __future__ import annotations

from pathlib import Path

ROOT = Path(__file__).resolve().parent.parent.parent
SOURCES = ROOT / "tools"
MADE = ROOT / ".tools"
