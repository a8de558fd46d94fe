"""An AOT cache of the JVM for an artefact and one of its clients, made by a training run.

The cache knows the classes that the training run has loaded, already parsed and linked. It belongs
to one build of the JDK and to the exact files of a class path of jars. So the folder of a cache
holds all its jars, as a container image would: the classes of the package in one jar, the package's
own jars, and those of the runtime client. The folder's name is a digest of all that the cache
depends on. A zip should hold no such cache: Lambda changes the JVM of its managed runtimes without
notice (https://docs.aws.amazon.com/lambda/latest/dg/java-customization.html).
"""

from __future__ import annotations

import fcntl
import hashlib
import json
import os
import shutil
import signal
import time
import zipfile
import zlib
from collections.abc import Callable, Iterator, Mapping, Sequence
from contextlib import contextmanager, suppress
from dataclasses import replace
from pathlib import Path

import psutil

from harness.model import Artefact, HarnessError, Implementation, NotReady
from harness.targets.interface import Limits
from harness.targets.local import runtime_flags
from harness.targets.local.runtimes import java_command, java_major
from harness.targets.local.sandbox import LocalSandbox
from harness.toolchain import programs, tools
from harness.toolchain.paths import ROOT

CACHES = ROOT / ".build/aot"
_CACHE, _FACTS, _FUNCTION, _LOCK = "cache.aot", "facts.json", "function.jar", "lock"
_FIRST_JDK = 25  # the first that makes a cache in one step
_FINISH_S = 180.0
_PIECE = 1 << 20
_used: list[int] = []  # descriptors with a lock on each cache that this process uses


def has_aot(runtime: str) -> bool:
    """Whether the JVM of a runtime such as ``java25`` makes AOT caches."""
    major = java_major(runtime)
    return major is not None and major >= _FIRST_JDK


class AotSandbox(LocalSandbox):
    """A sandbox whose JVM has the cache of ``artefact.aot``; it ends if it can't use the cache.

    With ``training`` it records what the cache needs, and :meth:`finish` makes the cache.
    """

    def __init__(
        self,
        artefact: Artefact,
        env: Mapping[str, str],
        memory_mb: int | None = None,
        timeout_s: int | None = None,
        *,
        limits: Limits | None = None,
        cores: frozenset[int] | None = None,
        reset_peak: bool = False,
        training: bool = False,
    ) -> None:
        super().__init__(
            artefact, env, memory_mb, timeout_s, limits=limits, cores=cores, reset_peak=reset_peak
        )
        if artefact.aot is None:
            raise HarnessError(f"{artefact.implementation.name} has no AOT cache")
        self._aot = artefact.aot
        self._training = training

    def _command(self) -> Sequence[str | Path]:
        cache = self._aot / _CACHE
        options = (
            [f"-XX:AOTCacheOutput={cache}"]
            if self._training
            else [f"-XX:AOTCache={cache}", "-XX:AOTMode=on"]
        )
        jars = ":".join(map(str, _class_path(self._aot)))
        return java_command(self._implementation, jars, self._memory_mb, more=options)

    def finish(self) -> None:
        """End the JVM, which makes the cache then. Raises ``NotReady`` if there is none."""
        (pid, *_) = self.runtime_pids()
        process = psutil.Process(pid)
        process.send_signal(signal.SIGTERM)
        end = time.monotonic() + _FINISH_S
        while process.is_running() and process.status() != psutil.STATUS_ZOMBIE:
            if time.monotonic() > end:  # its file is no whole cache
                raise NotReady(f"the JVM made no AOT cache in {_FINISH_S:.0f} s")
            time.sleep(0.05)
        if not (self._aot / _CACHE).exists():
            raise NotReady(f"the JVM made no AOT cache:\n{self.output_tail()}")


def with_cache(artefact: Artefact, train: Callable[[Artefact], None], training: str) -> Artefact:
    """The artefact with its cache, and with the sizes of both.

    A missing cache is made: ``train`` invokes an ``AotSandbox`` of the artefact that it gets and
    finishes it. ``training`` describes what it does: another training makes another cache. Caches
    of other builds of the same language and client are removed, unless a process uses them. This
    process uses its cache until it ends.
    """
    implementation = artefact.implementation
    if not has_aot(implementation.runtime):
        raise NotReady(f"{implementation.runtime} makes no AOT cache: Java 25 and later does")
    name = f"{implementation.language}-{implementation.client}"
    with _locked(name):
        folder = CACHES / name / _digest(artefact, training)
        if not (folder / _FACTS).exists():
            _remove_unused(folder.parent)
            _fill(folder, artefact)
            train(replace(artefact, aot=folder))
            written = folder / f"{_FACTS}.new"
            written.write_text(json.dumps(_sizes(folder / _CACHE)))
            written.replace(folder / _FACTS)
        _use(folder)
        facts = json.loads((folder / _FACTS).read_text())
    return replace(
        artefact,
        aot=folder,
        zip_bytes=_sum(artefact.zip_bytes, facts["zip_bytes"]),
        unzipped_bytes=_sum(artefact.unzipped_bytes, facts["unzipped_bytes"]),
    )


@contextmanager
def _locked(name: str) -> Iterator[None]:
    CACHES.mkdir(parents=True, exist_ok=True)
    with (CACHES / f"{name}.lock").open("w") as lock:
        fcntl.flock(lock, fcntl.LOCK_EX)
        yield


def _use(folder: Path) -> None:
    lock = os.open(folder / _LOCK, os.O_RDWR | os.O_CREAT)
    fcntl.flock(lock, fcntl.LOCK_SH)
    _used.append(lock)


def _remove_unused(caches: Path) -> None:
    """Remove the caches of a client that no process uses, and those that were never finished."""
    for folder in caches.glob("*/"):
        with (folder / _LOCK).open("w") as lock, suppress(BlockingIOError):
            fcntl.flock(lock, fcntl.LOCK_EX | fcntl.LOCK_NB)
            shutil.rmtree(folder)


def _digest(artefact: Artefact, training: str) -> str:
    """Of all that the cache depends on."""
    implementation = artefact.implementation
    runtime, memory_mb = implementation.runtime, implementation.memory_mb
    digest = hashlib.sha256(f"{_release(implementation)}\n{training}\n".encode())
    for flag in runtime_flags.flags(runtime, memory_mb):
        digest.update(flag.text.encode())
    for file in _files(artefact.folder):
        digest.update(f"\n{file.relative_to(artefact.folder)} {file.stat().st_size}\n".encode())
        digest.update(file.read_bytes())
    for jar in sorted(tools.java_ric_jars().glob("*.jar")):
        digest.update(f"\n{jar.name}\n".encode())
        digest.update(jar.read_bytes())
    return digest.hexdigest()[:16]


def _release(implementation: Implementation) -> str:
    """The JDK's own words about its build."""
    major = java_major(implementation.runtime)
    assert major is not None
    return (programs.find_jdk(major) / "release").read_text()


def _fill(folder: Path, artefact: Artefact) -> None:
    """Put the jars of the class path into the folder."""
    libraries = sorted((artefact.folder / "lib").glob("*.jar"))
    client = sorted(tools.java_ric_jars().glob("*.jar"))
    for name, jars in (("lib", libraries), ("client", client)):
        (folder / name).mkdir(parents=True)
        for each in jars:
            shutil.copyfile(each, folder / name / each.name)
    with zipfile.ZipFile(folder / _FUNCTION, "w") as packed:
        for file in _files(artefact.folder):
            if file not in libraries:
                packed.write(file, file.relative_to(artefact.folder))


def _class_path(folder: Path) -> list[Path]:
    of_folders = (sorted((folder / name).glob("*.jar")) for name in ("lib", "client"))
    return [folder / _FUNCTION, *(jar for jars in of_folders for jar in jars)]


def _files(folder: Path) -> list[Path]:
    return sorted(path for path in folder.rglob("*") if path.is_file())


def _sizes(cache: Path) -> dict[str, int]:
    """The size of the cache, and its size as a gzipped layer has it."""
    packer, packed = zlib.compressobj(6), 0
    with cache.open("rb") as file:
        while piece := file.read(_PIECE):
            packed += len(packer.compress(piece))
    return {
        "zip_bytes": packed + len(packer.flush()),
        "unzipped_bytes": cache.stat().st_size,
    }


def _sum(first: int | None, second: int) -> int | None:
    return None if first is None else first + second
