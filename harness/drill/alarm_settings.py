"""Reads alarms: of the template, or of a deployed stack.

CloudFormation and the service name an alarm's properties alike. A property that changes the
evaluation and that ``harness.drill.alarms`` does not know is an error, and never ignored.
"""

from __future__ import annotations

import json
from collections.abc import Iterable, Mapping
from datetime import timedelta
from typing import Any

from harness.drill.alarms import COMPARISONS, STATISTICS, Alarm, Missing, State
from harness.drill.timeline import Metric
from harness.model import HarnessError

STACK = "rosetta"
_ACTIONS = {
    State.ALARM: "AlarmActions",
    State.OK: "OKActions",
    State.INSUFFICIENT_DATA: "InsufficientDataActions",
}
_UNKNOWN = (
    "Metrics",  # metric math
    "ExtendedStatistic",
    "EvaluateLowSampleCountPercentile",
    "EvaluationWindow",
    "EvaluationCriteria",
    "ThresholdMetricId",
    "Unit",
)


def template_alarms(resources: Mapping[str, Any]) -> list[Alarm]:
    """The alarms among the resources that a template deploys, by their logical ids.

    Names that CloudFormation makes are the stack's and the logical id: ``rosetta-DayQueue``.
    """
    kept = {
        name: _named(each)
        for name, each in resources.items()
        if each["Type"] == "AWS::CloudWatch::Alarm"
    }
    named = json.loads(json.dumps(kept).replace("${AWS::StackName}", STACK))
    return [read_alarm(name, properties) for name, properties in named.items()]


def _named(node: Any) -> Any:
    """References to resources as names."""
    match node:
        case {"Fn::GetAtt": [name, _]} | {"Ref": name}:
            return f"{STACK}-{name}"
        case dict():
            return {key: _named(value) for key, value in node.items()}
        case list():
            return [_named(each) for each in node]
    return node


def deployed_alarms(described: Iterable[Mapping[str, Any]], stack: str) -> list[Alarm]:
    """The alarms of an answer of DescribeAlarms, by their logical ids.

    The names that CloudFormation makes have the form ``rosetta-NoDayAlarm-1ABC``.
    """
    found = []
    for each in described:
        parts = str(each["AlarmName"]).removeprefix(f"{stack}-").rsplit("-", 1)
        found.append(read_alarm(parts[0], each))
    return found


def read_alarm(name: str, properties: Mapping[str, Any]) -> Alarm:
    """One alarm. Raises ``HarnessError`` for what its evaluation does not know."""
    if unknown := [each for each in _UNKNOWN if properties.get(each)]:
        raise HarnessError(f"{name}: the drill can't evaluate {', '.join(unknown)}")
    periods = int(properties["EvaluationPeriods"])
    period = timedelta(seconds=int(properties["Period"]))
    if period % timedelta(minutes=1):
        raise HarnessError(f"{name}: the drill can't evaluate a period of {period.seconds} s")
    try:
        dimensions = {each["Name"]: each["Value"] for each in properties.get("Dimensions", ())}
        return Alarm(
            name=name,
            metric=Metric.of(properties["Namespace"], properties["MetricName"], **dimensions),
            statistic=_known(properties["Statistic"], STATISTICS),
            comparison=_known(properties["ComparisonOperator"], COMPARISONS),
            threshold=float(properties["Threshold"]),
            period=period,
            periods=periods,
            datapoints=int(properties.get("DatapointsToAlarm", periods)),
            missing=Missing(properties.get("TreatMissingData", Missing.MISSING)),
            description=properties.get("AlarmDescription", ""),
            actions=_actions(properties),
        )
    except (KeyError, ValueError) as error:
        raise HarnessError(f"{name}: the drill can't evaluate {error}") from error


def _known(value: str, known: Iterable[str]) -> str:
    if value not in known:
        raise ValueError(value)
    return value


def _actions(properties: Mapping[str, Any]) -> dict[State, tuple[str, ...]]:
    if str(properties.get("ActionsEnabled", True)).lower() == "false":
        return {}
    found = {state: tuple(properties.get(key) or ()) for state, key in _ACTIONS.items()}
    return {state: each for state, each in found.items() if each}
