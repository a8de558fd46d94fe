"""The comparison's doors that lead to a deployed stack instead of this machine."""

from __future__ import annotations

import sys
from collections.abc import Callable, Iterator, Mapping, Sequence
from contextlib import AbstractContextManager, contextmanager, nullcontext
from datetime import UTC, datetime
from pathlib import Path

from harness.aws.deployed import Deployed, read_deployed
from harness.aws.estimate import Estimate, estimate
from harness.aws.fixture_store import FixtureStore, fixture_store
from harness.aws.sandbox import AwsSandbox
from harness.aws.session import Clients
from harness.aws.settings import SettingsKeeper, kept_settings
from harness.aws.stack import Stack
from harness.bench import Doors, Store
from harness.compare import Request, choose, choose_clients, make_plan
from harness.local.limits import Limits
from harness.local.placement import Placement
from harness.machine import describe
from harness.measure import Progress, RunningSandbox
from harness.model import LAMBDA, Artefact, Implementation, NotReady, UsageError
from harness.toolchain import ROOT

_RECORDS = ROOT / ".build/aws"
Agree = Callable[[Estimate], None]


@contextmanager
def aws_doors(
    request: Request,
    clients: Clients,
    stack: Stack,
    template: Sequence[Implementation],
    agree: Agree,
    progress: Progress,
    records: Path = _RECORDS,
) -> Iterator[Doors]:
    """Doors to the stack's functions; leaving the context undoes and removes everything.

    ``agree`` is asked before anything costs money and raises where the answer is no. Raises
    ``UsageError`` for what only the emulator can do.
    """
    if request.s3_latency or request.limits is None or request.limits.throttle_init:
        raise UsageError("--s3-latency, --no-limits and --throttle-init are of the local target")
    record = records / f"{stack.region}-{stack.name}.json"
    # first of all: what a killed comparison has left would look like somebody's settings
    with kept_settings(clients, record, progress) as keeper:
        deployed = {
            each.implementation.language: each for each in read_deployed(clients, stack, template)
        }
        functions = [each.implementation for each in deployed.values()]
        agree(_estimate(request, functions, stack))
        run = datetime.now(UTC).strftime("%Y%m%dT%H%M%SZ")
        with fixture_store(clients, stack, run, progress) as store:
            yield _doors(functions, deployed, keeper, store, stack)


def ask(yes: bool) -> Agree:
    """Show the estimate and wait for a yes; raises ``UsageError`` where nobody can say it."""

    def agree(found: Estimate) -> None:
        print(found, file=sys.stderr)
        if yes:
            return
        if not sys.stdin.isatty():
            raise UsageError("nobody is there to agree to the cost: --yes")
        if input("Go on? [y/N] ").strip().lower() not in ("y", "yes"):
            raise UsageError("not started")

    return agree


def _estimate(request: Request, functions: Sequence[Implementation], stack: Stack) -> Estimate:
    each_client = choose_clients(choose(functions, request.languages), request.clients)
    sizes = [
        variant.memory_mb or each.memory_mb
        for variant, _ in request.variants()
        for each in each_client
    ]
    if request.source is None:
        sources = request.recipe.objects
    else:  # no day has more than all
        sources = sum(1 for each in request.source.rglob("*") if each.is_file())
    timeout_s = max(each.timeout_s for each in each_client)
    return estimate(make_plan(request, each_client), sizes, timeout_s, sources, stack.architecture)


def _doors(
    functions: Sequence[Implementation],
    deployed: Mapping[str, Deployed],
    keeper: SettingsKeeper,
    store: FixtureStore,
    stack: Stack,
) -> Doors:
    def build(chosen: Sequence[Implementation], _: Progress) -> Mapping[str, Artefact | NotReady]:
        return {
            each.language: Artefact(each, Path(), deployed[each.language].code_bytes, None)
            for each in chosen
        }

    def sandbox(
        artefact: Artefact,
        env: Mapping[str, str],
        memory_mb: int | None = None,
        *,
        limits: Limits | None = None,
        cores: frozenset[int] | None = None,
        reset_peak: bool = False,
        snap_start: bool | None = None,
    ) -> AbstractContextManager[RunningSandbox]:
        each = deployed[artefact.implementation.language]
        size = memory_mb or each.implementation.memory_mb
        return AwsSandbox(keeper, each, env, size, snap_start)

    def serve(_: frozenset[int] | None) -> AbstractContextManager[Store]:
        return nullcontext(store)

    return Doors(
        load=lambda: functions,
        check=lambda _: (),
        build=build,
        serve=serve,
        sandbox=sandbox,
        describe=lambda: _environment(stack),
        place=lambda: Placement(None, None),
    )


def _environment(stack: Stack) -> dict[str, object]:
    here = describe()
    return {
        "target": LAMBDA,
        "region": stack.region,
        "stack": stack.name,
        "architecture": stack.architecture,
        "commit": here["commit"],
        "clean": here["clean"],
    }
