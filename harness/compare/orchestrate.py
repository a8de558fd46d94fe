"""The comparison: choose, build, stage, verify and measure, in this order.

An impossible request is refused before the work begins.
"""

from __future__ import annotations

import time
from collections.abc import Callable, Iterable, Iterator, Mapping, Sequence
from contextlib import ExitStack, contextmanager
from dataclasses import asdict, dataclass
from datetime import date

from harness.build.choice import choose, choose_clients
from harness.compare.request import Request, half_day, make_plan
from harness.compare.resume import require_same, samples_to_go_on_from
from harness.compare.schedule import (
    COUNTED,
    EarlierSamples,
    Measured,
    Outcome,
    Plan,
    run_plan,
)
from harness.compare.staged_day import ArtefactCandidate, StagedDay, staged
from harness.compare.starts import SNAP_START_RUNTIMES, has_start, require_starts
from harness.fixtures.recipe import make_day
from harness.fixtures.sources import source_day
from harness.fixtures.staging import ExpectedDay, StagedObject, half_of
from harness.model import (
    Artefact,
    Comparison,
    HarnessError,
    Implementation,
    NotReady,
    RepeatedRow,
    Role,
    Row,
    Start,
    UsageError,
    Variant,
    Verdict,
    VerdictKind,
)
from harness.targets.interface import Latency, Placement, Target
from harness.terminal import Progress


def compare(
    request: Request,
    target: Target,
    progress: Progress,
    keep: Callable[[Comparison], None] = lambda _: None,
    earlier: Comparison | None = None,
    check: Callable[[Comparison], None] = lambda _: None,
) -> Comparison:
    """Measure one row for each requested language and client, in the template's order, and one
    for each companion.

    After each round ``keep`` gets the comparison so far. ``earlier`` is a run to continue. Before
    the first sample ``check`` gets the comparison without samples, and may refuse it by an error.

    Before the build this raises ``UsageError`` for an impossible request, and ``NotReady`` if a
    required language can't run. Before the first sample it raises ``UsageError`` if ``earlier``
    differs from this run.
    """
    chosen = choose(target.load(), request.languages)
    require_starts(request.starts, request.languages, chosen)
    settings = _common_settings(chosen)
    each_client = choose_clients(chosen, request.clients)
    days = _days(request, int(settings["MAX_SOURCE_BYTES"]))
    verdicts = dict(_not_ready(chosen, target))
    if verdicts and (request.languages or request.require_all):
        raise NotReady("\n".join(f"{name}: {v.reason}" for name, v in verdicts.items()))

    environment = target.describe()  # before the build, which would count as load
    artefacts = _build(chosen, target, progress, verdicts)
    plan = make_plan(request, each_client)
    earlier_samples = None if earlier is None else samples_to_go_on_from(earlier, plan)
    if Start.AOT in request.starts:
        _train(each_client, target, progress, verdicts, artefacts)
    if artefacts:
        companions = [each.beside(chosen[0]) for each in request.companions]
        each_client += _prepare(companions, target, progress, verdicts, artefacts)
    run = _Run(request, environment, settings, each_client, plan, verdicts, artefacts, earlier)
    if not artefacts:
        return run.comparison(Measured(), {})
    placement = target.place()
    transports = request.transports
    with staged(target, days, settings, placement, progress, transports) as staged_day:
        check(run.comparison(Measured(), _describe_fixture(request, staged_day.expected)))
        return _measure(run, target, staged_day, placement, earlier_samples, progress, keep)


def _build(
    chosen: Sequence[Implementation],
    target: Target,
    progress: Progress,
    verdicts: dict[str, Verdict],
) -> dict[str, Artefact]:
    """language -> its artefact. A failed build becomes a verdict in ``verdicts``."""
    ready = [each for each in chosen if each.language not in verdicts]
    artefacts: dict[str, Artefact] = {}
    for language, built in target.build(ready, progress).items() if ready else ():
        if isinstance(built, Artefact):
            artefacts[language] = built
        else:
            # all tools are there, so this is a fault of the build
            verdicts[language] = Verdict(VerdictKind.FAILED, str(built))
    return artefacts


def _prepare(
    companions: Sequence[Implementation],
    target: Target,
    progress: Progress,
    verdicts: dict[str, Verdict],
    artefacts: dict[str, Artefact],
) -> Sequence[Implementation]:
    """Give each companion an artefact or a verdict. A target may support no companions."""
    if target.prepare is None:
        return ()
    for companion in companions:
        prepared = target.prepare(companion, progress)
        if isinstance(prepared, Artefact):
            artefacts[_built_as(companion)] = prepared
        else:
            verdicts[_built_as(companion)] = Verdict(VerdictKind.SKIPPED, str(prepared))
    return companions


def _train(
    implementations: Sequence[Implementation],
    target: Target,
    progress: Progress,
    verdicts: dict[str, Verdict],
    artefacts: dict[str, Artefact],
) -> None:
    """Give each function that has an AOT cache an artefact with one, or a verdict."""
    for each in implementations:
        if target.train is None or each.language not in artefacts or not has_start(each, Start.AOT):
            continue
        trained = target.train(artefacts[each.language].with_client(each.client), progress)
        if isinstance(trained, Artefact):
            artefacts[_built_as(each, Start.AOT)] = trained
        else:
            verdicts[_built_as(each, Start.AOT)] = Verdict(VerdictKind.FAILED, str(trained))


def _built_as(implementation: Implementation, start: Start | None = None) -> str:
    """Its name among the artefacts: one package serves all clients of a language, but each has an
    AOT cache of its own.
    """
    if implementation.role is not Role.LANGUAGE:
        return implementation.name
    if start is Start.AOT:
        return f"{implementation.name} {start}"
    return implementation.language


@dataclass(frozen=True, slots=True)
class _Run:
    """The facts that are known before the measurement."""

    request: Request
    environment: Mapping[str, object]
    settings: Mapping[str, str]
    implementations: Sequence[Implementation]
    plan: Plan
    verdicts: Mapping[str, Verdict]
    artefacts: Mapping[str, Artefact]
    earlier: Comparison | None

    def comparison(self, measured: Measured, fixture: Mapping[str, object]) -> Comparison:
        rows = [
            _row(each, variant, self.verdicts, self.artefacts, measured)
            for variant, _ in self.request.variants()
            for each in self.implementations
            if _is_for(self.request, variant, each)
        ]
        # a row without samples in the earlier run keeps its old verdict
        old = {} if self.earlier is None else {row.name: row for row in self.earlier.rows}
        settings = _describe_settings(self.request, self.plan, self.settings, self.implementations)
        return Comparison(
            self.environment,
            settings,
            fixture,
            tuple(
                old[row.name] if row.name in old and not old[row.name].samples else row
                for row in rows
            ),
            _again(measured),
            measured.interrupted,
        )


def _measure(
    run: _Run,
    target: Target,
    staged_day: StagedDay,
    placement: Placement,
    earlier_samples: EarlierSamples | None,
    progress: Progress,
    keep: Callable[[Comparison], None],
) -> Comparison:
    fixture = _describe_fixture(run.request, staged_day.expected)
    if run.earlier is not None:
        require_same(run.earlier, run.comparison(Measured(), fixture))
    with _candidates(run, staged_day, target, placement) as candidates:
        measured = run_plan(
            run.plan,
            [
                each
                for each in candidates
                if earlier_samples is None or each.name in earlier_samples.samples
            ],
            staged_day,
            progress,
            time.monotonic,
            earlier_samples,
            lambda so_far: keep(run.comparison(so_far, fixture)),
            target.wait,
        )
    return run.comparison(measured, fixture)


@contextmanager
def _candidates(
    run: _Run,
    staged_day: StagedDay,
    target: Target,
    placement: Placement,
) -> Iterator[list[ArtefactCandidate]]:
    request = run.request
    with ExitStack() as proxies:
        candidates = []
        envs: dict[tuple[Latency, bool], Mapping[str, str]] = {}
        for variant, latency in request.variants():
            tls = _is_over_tls(variant)
            env = staged_day.envs[tls]
            if latency is not None and latency.latency_ms:
                if (latency, tls) not in envs:
                    later = staged_day.later(target, latency, tls=tls)
                    envs[latency, tls] = proxies.enter_context(later)
                env = envs[latency, tls]
            candidates += [
                ArtefactCandidate(
                    run.artefacts[built].with_client(each.client),
                    env,
                    target,
                    variant,
                    request.limits,
                    placement,
                )
                for each in run.implementations
                if _is_for(request, variant, each)
                and (built := _built_as(each, variant.start)) in run.artefacts
            ]
        yield candidates


def _is_for(request: Request, variant: Variant, implementation: Implementation) -> bool:
    """Whether the variant suits the implementation: not all have snapshots or an AOT cache.

    A companion is measured once, beside the first of the starts.
    """
    if variant.start is not None and implementation.role is not Role.LANGUAGE:
        return variant.start is request.starts[0]
    if variant.start is not None and not has_start(implementation, variant.start):
        return False
    return not variant.snap_start or implementation.runtime.startswith(SNAP_START_RUNTIMES)


def _is_over_tls(variant: Variant) -> bool:
    return variant.tls is not False


def _common_settings(chosen: Sequence[Implementation]) -> Mapping[str, str]:
    """The settings of all functions. They must be equal, so that all do the same work."""
    first = chosen[0]
    for each in chosen[1:]:
        one = (each.memory_mb, each.timeout_s, dict(each.environment))
        if one != (first.memory_mb, first.timeout_s, dict(first.environment)):
            raise HarnessError(
                f"template.yaml gives {each.language} other settings than {first.language}: "
                "give all functions the same memory, time-out and variables"
            )
    for name in ("CHUNK_BYTES", "MAX_SOURCE_BYTES"):
        if not first.environment.get(name, "").isdecimal():
            raise UsageError(
                f"{first.function} has no numeric variable {name}, on which the expected output "
                "depends: set it in the template"
            )
    return first.environment


def _days(request: Request, max_source_bytes: int) -> dict[date, Iterable[StagedObject]]:
    """date -> objects: the day, and for the cost model the half of it under another date."""
    day = request.recipe.day
    days = {day: _objects(request, max_source_bytes)}
    if request.models_cost:
        far = half_day(day)
        days[far] = half_of(_objects(request, max_source_bytes), day, far)
    return days


def _objects(request: Request, max_source_bytes: int) -> Iterable[StagedObject]:
    if request.source is not None:
        return source_day(request.source, request.recipe.day, max_source_bytes)
    return make_day(request.recipe)


def _not_ready(chosen: Sequence[Implementation], target: Target) -> Iterator[tuple[str, Verdict]]:
    for each in chosen:
        missing = [finding for finding in target.check(each) if not finding.ok]
        if missing:
            reason = "; ".join(f"{finding.detail}: {finding.remedy}" for finding in missing)
            yield each.language, Verdict(VerdictKind.SKIPPED, reason)


def _row(
    implementation: Implementation,
    variant: Variant,
    verdicts: Mapping[str, Verdict],
    artefacts: Mapping[str, Artefact],
    measured: Measured,
) -> Row:
    language, client = implementation.language, implementation.client
    built = _built_as(implementation, variant.start)
    failed = verdicts.get(built, verdicts.get(_built_as(implementation)))
    if failed is not None:
        return Row(
            language,
            client,
            failed,
            variant=variant,
            runtime=implementation.runtime,
            tls=_is_over_tls(variant),
        )
    artefact = artefacts[built]
    not_asked = Outcome(Verdict(VerdictKind.SKIPPED, "not invoked"))
    outcome = measured.outcomes.get(f"{language} {client} {variant}".rstrip(), not_asked)
    return Row(
        language,
        client,
        outcome.verdict,
        artefact.zip_bytes,
        artefact.unzipped_bytes,
        outcome.output,
        outcome.output_zip_bytes,
        tuple(outcome.samples),
        variant,
        outcome.enforcement,
        artefact.own,
        implementation.runtime,
        artefact.runtime_version,
        outcome.discarded,
        _is_over_tls(variant),
    )


def _again(measured: Measured) -> RepeatedRow | None:
    if measured.again is None:
        return None
    name, outcome = measured.again
    return RepeatedRow(name, tuple(outcome.samples))


def _describe_settings(
    request: Request,
    plan: Plan,
    settings: Mapping[str, str],
    implementations: Sequence[Implementation],
) -> dict[str, object]:
    numbers = {
        name: int(value) if value.isdigit() else value
        for name, value in settings.items()
        if name != "S3_CLIENT"  # each row has its own
    }
    most = {str(kind): plan.most(kind) for kind in COUNTED}
    return {
        "memory_mb": implementations[0].memory_mb,
        "timeout_s": implementations[0].timeout_s,
        "limits": None if request.limits is None else asdict(request.limits),
        **{kind: None if count == float("inf") else int(count) for kind, count in most.items()},
        "seconds": plan.seconds,
        "order_seed": plan.seed,
        **numbers,
    }


def _describe_fixture(request: Request, expected: ExpectedDay) -> dict[str, object]:
    made: dict[str, object] = {"kind": "source"}
    if request.source is None:
        made = {"kind": "generated", "seed": request.recipe.seed}
    return {
        **made,
        "day": expected.day.isoformat(),
        "sources": expected.sources,
        "bad": len(expected.bad),
        "source_bytes": expected.source_bytes,
        "small_share": round(expected.small_sources / expected.sources, 3),
        "records": expected.records,
        "record_bytes": expected.size_bytes,
        "chunks": len(expected.chunks),
    }
