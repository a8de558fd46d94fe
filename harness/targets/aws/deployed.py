"""The stack's functions as they are deployed. They may differ from the template."""

from __future__ import annotations

from collections.abc import Iterator, Mapping, Sequence
from dataclasses import dataclass, replace
from typing import Any

from harness.model import HarnessError, Implementation
from harness.targets.aws.session import Clients, explained
from harness.targets.aws.stack import Stack

ALIAS = "live"
#: A variable of the versions of a comparison; the template has no such variable.
MARK = "COMPARE_SANDBOX"
#: Settings on which a function's speed depends; the alias must have the same as ``$LATEST``.
_COMPARED = ("MemorySize", "Timeout", "Runtime", "CodeSha256", "Architectures", "Environment")
_PLACES = frozenset({"SRC_BUCKET", "SRC_PREFIX", "DST_BUCKET", "DST_PREFIX"})


@dataclass(frozen=True, slots=True)
class Deployed:
    """One function. ``implementation.function`` is its name at AWS.

    ``code_bytes`` is the size of the zip. ``variables`` is the whole environment of ``$LATEST``.
    """

    implementation: Implementation
    code_bytes: int
    variables: Mapping[str, str]
    snap_start: bool


def read_deployed(
    clients: Clients, stack: Stack, template: Sequence[Implementation]
) -> list[Deployed]:
    """Each function of the template as it is deployed in the stack.

    Raises ``HarnessError`` if the alias differs from ``$LATEST``: then the comparison would measure
    another function than the one that does the daily work. The next deployment would publish the
    settings of ``$LATEST``, and they may be those of a killed comparison.
    """
    return [_read(clients, stack, each) for each in template]


def _read(clients: Clients, stack: Stack, each: Implementation) -> Deployed:
    name = stack.output(f"{each.function}Name")
    latest = configuration(clients, name)
    live = configuration(clients, name, ALIAS)
    if MARK in variables_of(live):
        raise HarnessError(
            f"{name}: the alias {ALIAS} (version {live.get('Version', '?')}) has the settings of a "
            "killed comparison, so the daily work reads and writes its fixtures: deploy with "
            "another LogLevel and another MemorySize, which replaces the settings"
        )
    if MARK in variables_of(latest):
        raise HarnessError(
            f"{name}: $LATEST has the settings of a comparison that runs, or was killed: before "
            "you deploy, run `python -m harness compare --target aws "
            f"--stack {stack.name}`, which restores the settings first. Do not publish a version"
        )
    if behind := list(_differences(live, latest)):
        raise HarnessError(
            f"{name}: the alias {ALIAS} (version {live.get('Version', '?')}) is behind $LATEST: "
            f"{'; '.join(behind)}. Deploy the stack again so that a version is published, or "
            "publish one and move the alias to it"
        )
    variables = variables_of(latest)
    return Deployed(
        replace(
            each,
            function=name,
            runtime=latest.get("Runtime", each.runtime),
            memory_mb=int(latest["MemorySize"]),
            timeout_s=int(latest["Timeout"]),
            environment={
                key: value
                for key, value in variables.items()
                if key not in _PLACES and key not in each.with_snap_start
            },
        ),
        int(latest["CodeSize"]),
        variables,
        has_snap_start(latest),
    )


def variables_of(found: Mapping[str, Any]) -> dict[str, str]:
    return dict(found.get("Environment", {}).get("Variables", {}))


def has_snap_start(found: Mapping[str, Any]) -> bool:
    return bool(found.get("SnapStart", {}).get("ApplyOn") == "PublishedVersions")


def configuration(clients: Clients, name: str, qualifier: str | None = None) -> Mapping[str, Any]:
    """The settings of a function as AWS reports them, by default those of ``$LATEST``."""
    more = {} if qualifier is None else {"Qualifier": qualifier}
    with explained("lambda:GetFunctionConfiguration", f"function {name}"):
        found: Mapping[str, Any] = clients.functions.get_function_configuration(
            FunctionName=name, **more
        )
    return found


def _differences(live: Mapping[str, Any], latest: Mapping[str, Any]) -> Iterator[str]:
    for field in _COMPARED:
        ours, theirs = live.get(field), latest.get(field)
        if ours == theirs:
            continue
        if field == "Environment":
            a, b = (each.get("Variables", {}) for each in (ours or {}, theirs or {}))
            names = sorted(key for key in a.keys() | b.keys() if a.get(key) != b.get(key))
            yield f"variables {', '.join(names)}"
        elif field == "CodeSha256":
            yield "other code"
        else:
            yield f"{field} {ours} against {theirs}"
