"""The starts that ``compare --start`` measures: which language has which, and the AOT caches."""

from __future__ import annotations

from collections.abc import Sequence
from functools import partial

from harness.fixtures.recipe import Recipe, make_day
from harness.fixtures.staging import stage
from harness.model import Artefact, HarnessError, Implementation, NotReady, Start, UsageError
from harness.scratch import scratch
from harness.targets.local.s3server import S3Server
from harness.targets.local.starts.aot_cache import AotSandbox, has_aot, with_cache
from harness.terminal import Progress

#: Beginnings of the names of runtimes for which Lambda has snapshots:
#: https://docs.aws.amazon.com/lambda/latest/dg/snapstart.html
SNAP_START_RUNTIMES = ("java", "python")
#: The day of a training run, and the number of its invocations. The second finds a published day.
_TRAINING = Recipe(seed=2, objects=300)
_INVOCATIONS = 2


def has_start(implementation: Implementation, start: Start) -> bool:
    match start:
        case Start.ZIP:
            return True
        case Start.AOT:
            return has_aot(implementation.runtime)
        case Start.PRIMED:
            return implementation.runtime.startswith(SNAP_START_RUNTIMES)


def require_starts(
    starts: Sequence[Start], languages: Sequence[str], chosen: Sequence[Implementation]
) -> None:
    """Raise ``UsageError`` for a start that none of the chosen has, and for a language of
    ``languages`` that has none of the starts.
    """
    for start in starts:
        if not any(has_start(each, start) for each in chosen):
            raise UsageError(
                f"--start {start.lower()}: {_names(chosen)} can't start so; "
                + (
                    "only Java 25 and later has an AOT cache"
                    if start is Start.AOT
                    else "SnapStart is for Java and Python"
                )
            )
    without = [
        each
        for each in chosen
        if starts
        and each.language in languages
        and not any(has_start(each, start) for start in starts)
    ]
    if without:
        raise UsageError(
            f"{_names(without)} has none of these starts: leave it out, or add --start zip"
        )


def train(artefact: Artefact, progress: Progress) -> Artefact | NotReady:
    """The artefact with an AOT cache, which is kept until the artefact or the JDK changes."""
    try:
        words = f"{_TRAINING}, {_INVOCATIONS} times over TLS"
        return with_cache(artefact, partial(_train, progress=progress), words)
    except NotReady as error:
        return error


def _train(artefact: Artefact, progress: Progress) -> None:
    """Aggregate a small day of its own, and let the JVM make the cache."""
    implementation = artefact.implementation
    progress(f"training the AOT cache of {implementation.name}")
    day = _TRAINING.day
    event = {"year": day.year, "month": day.month, "day": day.day}
    settings = implementation.environment
    with S3Server(tls=True) as store, scratch("training") as folder:
        store.bucket_path("training-chunks")
        expected = stage(
            make_day(_TRAINING),
            lambda each: store.put_file(
                "training-sources", each.key, each.body, each.content_encoding
            ),
            folder,
            day,
            int(settings["CHUNK_BYTES"]),
        )
        env = {
            **settings,
            **store.env(),
            "SRC_BUCKET": "training-sources",
            "DST_BUCKET": "training-chunks",
        }
        with AotSandbox(artefact, env, training=True) as sandbox:
            for _ in range(_INVOCATIONS):
                invocation = sandbox.invoke(event)
                if invocation.error is not None:
                    raise HarnessError(f"the training run failed: {invocation.error}")
                got = invocation.result
                if not isinstance(got, dict) or got.get("records") != expected.records:
                    raise HarnessError(f"the training run gave {got}")
            progress(f"making the AOT cache of {implementation.name}")
            sandbox.finish()


def _names(implementations: Sequence[Implementation]) -> str:
    return ", ".join(dict.fromkeys(each.language for each in implementations))
