"""The exercise of lesson 16: alarms for ten nights."""

from __future__ import annotations

import json
from collections.abc import Sequence
from dataclasses import replace
from datetime import timedelta
from pathlib import Path

import pytest

from harness.build.transform import deployed
from harness.drill.alarm_settings import template_alarms
from harness.drill.alarms import Alarm, Missing
from harness.exercise.nights import __main__ as nights
from harness.exercise.nights.check import Verdict, judge_all, read_alarms
from harness.exercise.nights.night import METRICS, load_nights
from harness.model import UsageError
from harness.toolchain.paths import ROOT

NIGHTS = load_nights()


@pytest.fixture(scope="module")
def template() -> dict[str, Alarm]:
    return {each.name: each for each in template_alarms(deployed(ActiveLanguage="go"))}


def wrong(verdicts: Sequence[Verdict]) -> set[str]:
    return {each.night.name for each in verdicts if each.fault}


@pytest.mark.parametrize("beyond", [0, 2])
def test_the_templates_alarms_are_right_in_every_night(
    template: dict[str, Alarm], beyond: int
) -> None:
    assert wrong(judge_all(NIGHTS, list(template.values()), beyond=beyond)) == set()


#: Nights of the exercise, and the faults of a drill that are alike.
ALIKE = {
    "damaged source": "damaged",
    "slow": "slow-day",
    "throttled": "no-room",
    "no sources": "trail-stopped",
    "nobody takes": "nobody-takes",
}


@pytest.mark.parametrize("name", ALIKE)
def test_a_drill_with_real_functions_had_the_same_alarms(
    template: dict[str, Alarm], name: str
) -> None:
    """docs/drill.json: the same alarm is the first, and not more than five minutes apart."""
    drills = json.loads((ROOT / "docs/drill.json").read_text())["drills"]
    (night,) = (each for each in NIGHTS if each.name == name)
    (found,) = judge_all([night], list(template.values()))
    alike = [each for each in drills if each["fault"] == ALIKE[name]]
    assert alike
    for drill in alike:
        first = min(drill["alarms"], key=lambda each: each["after_s"])
        assert first["alarm"] == found.told_by
        assert found.after is not None
        assert abs(first["after_s"] / 60 - found.after) <= 5


def test_a_learner_watches_the_metrics_that_the_template_watches(
    template: dict[str, Alarm],
) -> None:
    assert set(METRICS.values()) <= {each.metric for each in template.values()}


@pytest.mark.parametrize(
    ("name", "nights_without"),
    [
        ("ErrorsAlarm", {"damaged source", "time-out"}),
        ("DurationAlarm", {"slow"}),
        ("ThrottlesAlarm", {"throttled"}),
        ("EmptyDayAlarm", {"no sources"}),
        ("NoDayAlarm", {"schedule disabled", "nobody takes"}),
        ("ScheduleSilentAlarm", {"disabled in a backfill"}),
    ],
)
def test_each_of_these_alarms_is_needed(
    template: dict[str, Alarm], name: str, nights_without: set[str]
) -> None:
    others = [each for each in template.values() if each.name != name]
    assert wrong(judge_all(NIGHTS, others)) == nights_without


@pytest.mark.parametrize(
    ("name", "change", "expected"),
    [
        ("ErrorsAlarm", {"periods": 12}, {"damaged source", "time-out"}),
        ("DurationAlarm", {"periods": 1}, {"slow"}),
        ("NoDayAlarm", {"periods": 24, "datapoints": 24}, {"good", "busy evening"}),
        ("NoDayAlarm", {"periods": 30, "datapoints": 30}, {"schedule disabled", "nobody takes"}),
        (
            "ScheduleSilentAlarm",
            {"missing": Missing.NOT_BREACHING},
            {"disabled in a backfill"},
        ),
        (
            "NoDayAlarm",
            {"period": timedelta(minutes=5), "periods": 12, "datapoints": 12},
            {"good", "busy evening"},
        ),
    ],
)
def test_a_wrong_setting_is_wrong_in_its_nights(
    template: dict[str, Alarm], name: str, change: dict[str, object], expected: set[str]
) -> None:
    changed = {**template, name: replace(template[name], **change)}  # type: ignore[arg-type]
    assert expected <= wrong(judge_all(NIGHTS, list(changed.values())))


def test_the_version_to_begin_with_is_wrong_in_all_nights() -> None:
    verdicts = judge_all(NIGHTS, read_alarms(nights.OBVIOUS))
    assert wrong(verdicts) == {each.name for each in NIGHTS}
    assert all(night.hint.strip() for night in NIGHTS)


def test_the_command_keeps_the_learners_file(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch, capsys: pytest.CaptureFixture[str]
) -> None:
    file = tmp_path / "nights/alarms.toml"
    monkeypatch.setattr(nights, "FILE", file)
    assert nights.main(["--hint"]) == 1
    told = capsys.readouterr().out
    assert str(file) in told
    assert "0 of 10 nights are right" in told
    assert NIGHTS[0].hint in told
    text = file.read_text().replace(
        "periods = 24\ndatapoints = 24", "periods = 26\ndatapoints = 26"
    )
    file.write_text(text)
    assert nights.main([]) == 1
    told = capsys.readouterr().out
    assert "4 of 10 nights are right" in told
    assert "all alarms were off" in told
    assert file.read_text() == text


def test_the_command_checks_the_template(capsys: pytest.CaptureFixture[str]) -> None:
    assert nights.main(["--template"]) == 0
    assert "10 of 10 nights are right" in capsys.readouterr().out


@pytest.mark.parametrize(
    ("old", "new", "message"),
    [
        ('metric = "errors"', 'metric = "faults"', r"\[errors\]: faults is none of errors"),
        ('statistic = "Sum"', 'statistic = "p99"', "p99 is none of Sum"),
        ("datapoints = 1 ", "datapoints = 2 ", "datapoints must be from 1 to periods"),
        ("periods = 24", "periods = 240", "a week by the hour"),
        ("threshold = 0\n", 'threshold = "none"\n', "Expected `float`"),
        ("[slow]", "[slow", "at line"),
    ],
)
def test_a_bad_file_is_named(old: str, new: str, message: str, tmp_path: Path) -> None:
    text = nights.OBVIOUS.read_text()
    assert old in text
    file = tmp_path / "alarms.toml"
    file.write_text(text.replace(old, new, 1))
    with pytest.raises(UsageError, match=message):
        read_alarms(file)
