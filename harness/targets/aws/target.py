"""The target on AWS: a deployed stack in place of this machine."""

from __future__ import annotations

from collections.abc import Callable, Iterator, Mapping, Sequence, Set
from contextlib import AbstractContextManager, contextmanager, nullcontext
from pathlib import Path

from harness.model import LAMBDA, Artefact, Implementation, NotReady, Start, UsageError
from harness.targets.aws.deployed import Deployed, read_deployed
from harness.targets.aws.fixture_store import FixtureStore, fixture_store
from harness.targets.aws.sandbox import AwsSandbox
from harness.targets.aws.session import Clients
from harness.targets.aws.settings import SettingsKeeper, kept_settings
from harness.targets.aws.stack import Stack
from harness.targets.environment import describe
from harness.targets.interface import Latency, Limits, Placement, Sandbox, Store, Target
from harness.terminal import Progress
from harness.toolchain.paths import ROOT

_RECORDS = ROOT / ".build/aws"
#: Gets the deployed functions, and raises an exception if the user does not accept their cost.
Agree = Callable[[Sequence[Implementation]], None]


@contextmanager
def aws_target(
    clients: Clients,
    stack: Stack,
    template: Sequence[Implementation],
    agree: Agree,
    progress: Progress,
    records: Path = _RECORDS,
) -> Iterator[Target]:
    """The stack as a target. Leaving the context undoes and deletes all changes.

    ``agree`` is called before anything costs money.
    """
    record = records / f"{stack.region}-{stack.name}.json"
    # first, because the settings of a killed comparison would look like the user's own
    with kept_settings(clients, record, progress) as keeper:
        for function in template:
            keeper.restore_marked(stack.output(f"{function.function}Name"))
        deployed = {
            each.implementation.language: each for each in read_deployed(clients, stack, template)
        }
        functions = [each.implementation for each in deployed.values()]
        agree(functions)
        with fixture_store(clients, stack, progress) as store:
            yield _target_on(functions, deployed, keeper, store, stack)


def _target_on(
    functions: Sequence[Implementation],
    deployed: Mapping[str, Deployed],
    keeper: SettingsKeeper,
    store: FixtureStore,
    stack: Stack,
) -> Target:
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
        start: Start | None = None,
    ) -> AbstractContextManager[Sandbox]:
        if start is not None:
            raise UsageError(f"a deployed function has no start {start}: use --snap-start")
        each = deployed[artefact.implementation.language]
        size = memory_mb or each.implementation.memory_mb
        return AwsSandbox(keeper, each, env, size, snap_start)

    def serve(_: frozenset[int] | None, _transports: Set[bool]) -> AbstractContextManager[Store]:
        return nullcontext(store)

    return Target(
        load=lambda: functions,
        check=lambda _: (),
        build=build,
        serve=serve,
        sandbox=sandbox,
        describe=lambda: _environment(stack),
        delay=_no_delay,
        place=lambda: Placement(None, None),
        may_limit=lambda: False,
    )


def _no_delay(_port: int, latency: Latency) -> AbstractContextManager[int]:
    raise UsageError(f"no latency of {latency} can be added on AWS")


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
