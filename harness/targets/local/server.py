"""A program that answers on a port of this machine, as a context manager."""

from __future__ import annotations

import subprocess
from abc import ABC, abstractmethod
from pathlib import Path
from typing import Self

from harness.scratch import make_folder, remove_folder
from harness.targets.local import processes


class Started(ABC):
    """It starts with its context and stops with it. The thread that enters must outlive it."""

    def __enter__(self) -> Self:
        self.start()
        return self

    def __exit__(self, *_: object) -> None:
        self.stop()

    @abstractmethod
    def start(self) -> None: ...

    @abstractmethod
    def stop(self) -> None: ...


class Server(Started):
    """One process and a temporary folder, which is there while the process runs."""

    def __init__(self, name: str) -> None:
        self._name = name
        self._work: Path | None = None
        self._process: subprocess.Popen[bytes] | None = None
        self._port = 0

    def start(self) -> None:
        """Start the process and wait until it answers. Raises ``NotReady`` if it does not."""
        self._work = make_folder(self._name)
        try:
            self._process = self._launch(self._work)
        except BaseException:
            self.stop()
            raise

    @abstractmethod
    def _launch(self, work: Path) -> subprocess.Popen[bytes]:
        """The process that answers on ``_port``; its temporary files are in ``work``."""

    def stop(self) -> None:
        """End the process and remove its folder. It may be called twice."""
        if self._process is not None:
            processes.stop(self._process)
            self._process = None
        if self._work is not None:
            remove_folder(self._work)
            self._work = None
