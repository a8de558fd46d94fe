"""Resuming an earlier run: which of its samples count, and whether both runs are the same."""

from __future__ import annotations

from collections.abc import Iterable, Iterator, Mapping, Sequence

from harness.compare.schedule import COUNTED, EarlierSamples, Plan
from harness.model import Comparison, Row, Sample, SampleKind, UsageError, transport

#: Other facts may change between two parts of a run, for example the load.
_SAME_ENVIRONMENT = ("cpu", "cores", "kernel", "architecture", "emulator", "commit")
_MORE_OF = frozenset({*map(str, COUNTED), "seconds"})


def samples_to_go_on_from(earlier: Comparison, plan: Plan) -> EarlierSamples:
    """All samples except those of unfinished warm rounds.

    Rows are compared within a round, so every row needs all rounds. Rows without samples are left
    out and stay unmeasured.
    """
    measured = {row.name: row.samples for row in earlier.rows if row.samples}
    again = earlier.again
    sets = [*measured.values(), *([] if again is None else [again.samples])]
    warm = [_rounds(samples, SampleKind.WARM) for samples in sets]
    halves = [_rounds(measured[name], SampleKind.HALF) for name in measured if name in plan.halved]
    whole = set.intersection(*warm, *halves) if warm else set()
    return EarlierSamples(
        {name: _of(samples, whole) for name, samples in measured.items()},
        None if again is None else (again.name, _of(again.samples, whole)),
    )


def _rounds(samples: Iterable[Sample], kind: SampleKind) -> set[int]:
    return {each.round for each in samples if each.kind is kind}


def _of(samples: Sequence[Sample], rounds: set[int]) -> list[Sample]:
    return [each for each in samples if each.kind is SampleKind.COLD or each.round in rounds]


def require_same(earlier: Comparison, now: Comparison) -> None:
    """Raise ``UsageError`` with all differences of the runs, except the number of samples."""
    if found := list(_differences(earlier, now)):
        raise UsageError(
            f"the run to resume differs from this one: {'; '.join(found)}; resume it with its own "
            "flags, in its checkout"
        )


def _differences(earlier: Comparison, now: Comparison) -> Iterator[str]:
    yield from _unequal(
        *(
            {name: each.environment.get(name) for name in _SAME_ENVIRONMENT}
            for each in (earlier, now)
        )
    )
    yield from _unequal(_kept(earlier.settings), _kept(now.settings))
    yield from _unequal(earlier.fixture, now.fixture)
    before, after = [row.name for row in earlier.rows], [row.name for row in now.rows]
    if before != after:
        yield f"rows were {', '.join(before)}, are {', '.join(after)}"
        return
    for old, new in zip(earlier.rows, now.rows, strict=True):
        if old.tls != new.tls:
            was, now_is = transport(tls=old.tls), transport(tls=new.tls)
            yield f"transport of {old.name} was {was}, is {now_is}"
        if old.samples and (was := _package(old)) != (now_is := _package(new)):
            yield f"package of {old.name} was {was}, is {now_is}"


def _unequal(before: Mapping[str, object], after: Mapping[str, object]) -> Iterator[str]:
    for name in {**before, **after}:
        if before.get(name) != after.get(name):
            yield f"{name} was {before.get(name)}, is {after.get(name)}"


def _kept(settings: Mapping[str, object]) -> dict[str, object]:
    return {name: value for name, value in settings.items() if name not in _MORE_OF}


def _package(row: Row) -> str:
    return f"{row.zip_bytes} bytes zipped, {row.unzipped_bytes} unzipped on {row.runtime_version}"
