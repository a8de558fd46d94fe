"""Runs artefacts as tasks for one day, in a network of their own, and judges their output."""

from __future__ import annotations

import json
from collections.abc import Mapping, Sequence
from concurrent.futures import ProcessPoolExecutor
from dataclasses import dataclass
from datetime import date
from multiprocessing import get_context
from pathlib import Path
from typing import Any

from harness.fixtures.recipe import Recipe, make_day
from harness.fixtures.staging import ExpectedDay, StagedObject, stage
from harness.model import Artefact
from harness.scratch import dies_with_parent, scratch
from harness.targets.local.own_network import enter_own_network
from harness.targets.local.runtimes import task_command
from harness.targets.local.s3server import S3Server
from harness.targets.local.task_bundle import (
    ECS_ADDRESS,
    Root,
    TaskRun,
    TaskSize,
    bubblewrap,
    credentials,
    run_bundle,
)
from harness.verify.outputs import same_json, verify_destination

_BUCKETS = {"SRC_BUCKET": "source-bucket", "DST_BUCKET": "destination-bucket"}
_KEYS = ("AWS_ACCESS_KEY_ID", "AWS_SECRET_ACCESS_KEY")
_OUT_OF_TIME = 18


@dataclass(frozen=True, slots=True)
class JudgedRun:
    """A task's end, and what is wrong with its output; ``None`` if nothing is."""

    name: str
    run: TaskRun
    problem: str | None


@dataclass(frozen=True, slots=True)
class Order:
    """The work of each task, the size of its machine, and when it is stopped."""

    day: date
    objects: int
    size: TaskSize
    stop_after_s: float | None = None


@dataclass(frozen=True, slots=True)
class Unpacked:
    """An image whose files are in ``root``, and what its configuration says."""

    root: Root
    entry: Sequence[str]
    folder: Path
    env: Mapping[str, str]


def run_tasks(
    artefacts: Sequence[Artefact], order: Order, images: Mapping[str, Unpacked] | None = None
) -> list[JudgedRun]:
    """Each artefact's run of the day; with ``images``, language -> image, the image's.

    Raises ``NotReady`` where no bundle can be made here.
    """
    bubblewrap()
    spawn = get_context("spawn")  # a process with threads may not leave its network
    with ProcessPoolExecutor(1, spawn) as apart:
        apart.submit(enter_own_network, [ECS_ADDRESS]).result()
        apart.submit(dies_with_parent()).result()
        return apart.submit(_run_all, artefacts, order, images).result()


def _run_all(
    artefacts: Sequence[Artefact], order: Order, images: Mapping[str, Unpacked] | None
) -> list[JudgedRun]:
    with S3Server() as s3, scratch("expected") as folder:
        env = s3.env()
        for bucket in _BUCKETS.values():
            s3.bucket_path(bucket)

        def put(each: StagedObject) -> None:
            s3.put_file(_BUCKETS["SRC_BUCKET"], each.key, each.body, each.content_encoding)

        chunk_bytes = int(artefacts[0].implementation.environment["CHUNK_BYTES"])
        day = make_day(Recipe(objects=order.objects, day=order.day))
        expected = stage(day, put, folder, order.day, chunk_bytes)
        keys = [env.pop(name) for name in _KEYS]
        with credentials(*keys) as where:
            given = {**env, **where, **_BUCKETS, "TZ": "UTC"}
            judged = []
            for each in artefacts:
                image = None if images is None else images[each.implementation.language]
                judged.append(_run(each, order, s3, given, expected, image))
            return judged


def _run(
    artefact: Artefact,
    order: Order,
    s3: S3Server,
    given: Mapping[str, str],
    expected: ExpectedDay,
    image: Unpacked | None,
) -> JudgedRun:
    bucket = _BUCKETS["DST_BUCKET"]
    s3.clear(bucket)
    made = artefact.implementation
    event = json.dumps({name: getattr(order.day, name) for name in ("year", "month", "day")})
    if image is None:
        folder = artefact.folder.resolve()
        command = task_command(made, folder, order.size.memory_mb, event)
        env: Mapping[str, str] = {"PATH": "/usr/bin:/bin"}
        root = None
    else:
        folder, command, env, root = image.folder, [*image.entry, event], image.env, image.root
    run = run_bundle(
        command,
        folder,
        {**env, **made.environment, **given},
        order.size,
        order.stop_after_s,
        root=root,
    )
    return JudgedRun(made.name, run, _problem(run, expected, s3.read_tree(bucket), order))


def _problem(
    run: TaskRun, expected: ExpectedDay, objects: Mapping[str, bytes], order: Order
) -> str | None:
    if order.stop_after_s is not None and run.exit_code == _OUT_OF_TIME:  # K4
        left = [key for key in objects if not _is_hidden_chunk(key, expected)]
        return f"a stopped task has left {', '.join(left)}" if left else None
    if run.exit_code:
        return f"exit code {run.exit_code}: {run.output[-500:].strip()}"
    difference = verify_destination(expected, objects)
    if difference is not None:
        return str(difference)
    told = _last_line(run.output).get("result")
    return None if same_json(told, expected.result()) else f"the log tells {told}"


def _is_hidden_chunk(key: str, expected: ExpectedDay) -> bool:
    return key.startswith(f"{expected.day_prefix}_") and key.endswith(".ndjson.gz")


def _last_line(output: str) -> Mapping[str, Any]:
    line: Mapping[str, Any] = json.loads(output.splitlines()[-1])
    return line


def describe(runs: Sequence[JudgedRun]) -> list[str]:
    """A line for each task, and below it what is wrong."""
    lines = [f"{'task':<18}{'exit':>5}{'seconds':>9}{'CPU s':>8}{'peak MiB':>10}  output"]
    for each in runs:
        run = each.run
        lines.append(
            f"{each.name:<18}{run.exit_code:>5}{run.duration_s:>9.2f}{run.cpu_s:>8.2f}"
            f"{run.peak_rss_bytes / 2**20:>10,.0f}  {'differs' if each.problem else _verdict(run)}"
        )
        lines += [f"  {line}" for line in (each.problem or "").splitlines()]
    held = runs[0].run.enforcement
    words = held.mechanism or f"none: {held.reason}"
    return [*lines, f"limits: {held.vcpus:g} vCPU, {held.memory_mb:,} MiB, by {words}"]


def _verdict(run: TaskRun) -> str:
    if run.exit_code:
        return "stopped, nothing published"
    return "went on to its end" if run.was_told_to_stop else "as expected"
