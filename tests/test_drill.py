"""A sample of the nights of ``drill``, and proof that a drill tells what nobody noticed."""

from __future__ import annotations

import http.client
import json
from collections import Counter
from collections.abc import Iterator, Mapping
from contextlib import contextmanager
from dataclasses import replace
from datetime import UTC, datetime, timedelta
from http.server import BaseHTTPRequestHandler, HTTPServer
from threading import Thread
from types import SimpleNamespace
from typing import Any

import pytest
from conftest import built

from harness.build.transform import deployed
from harness.cli import main
from harness.drill import drill as drills
from harness.drill.alarm_settings import template_alarms
from harness.drill.alarms import Alarm, State
from harness.drill.deployment import DESTINATION
from harness.drill.destination import Destination, Look, Saw
from harness.drill.drill import Drill, Ground, Readers, Told, ground, make_buckets, play
from harness.drill.faults import FAULTS, Killed
from harness.drill.front import Asked, front_of, refuses
from harness.drill.metrics import SQS, Gauge, LogFilter, Recorder
from harness.drill.night import REACTION, Night
from harness.drill.side import LETTERS
from harness.drill.table import broken, render, to_json
from harness.drill.timeline import LogLine, Metric
from harness.drill.trail import Trail
from harness.model import Artefact
from harness.targets.ministack.local_aws import LocalAws
from harness.toolchain.paths import ROOT

#: One that Lambda tells, one that the rights tell, one that silence tells.
SAMPLE = ("killed", "rights", "schedule-off")
BY_NAME = {fault.name: (number, fault) for number, fault in enumerate(FAULTS)}
NOON = datetime(2024, 2, 9, 12, tzinfo=UTC)
MINUTE = timedelta(minutes=1)


@pytest.fixture(scope="module")
def place() -> Iterator[Ground]:
    made = built("go")
    assert isinstance(made, Artefact), made
    with LocalAws(auth=True) as aws:
        make_buckets(aws)
        keep_all_versions(aws)
        with ground(aws, made) as place:
            yield place


def keep_all_versions(aws: LocalAws) -> None:
    """Object Lock refuses no request of a run: what it deletes or replaces is an old version."""
    s3 = aws.client("s3")
    s3.put_bucket_versioning(Bucket=DESTINATION, VersioningConfiguration={"Status": "Enabled"})
    rule = {"DefaultRetention": {"Mode": "GOVERNANCE", "Days": 1}}
    lock = {"ObjectLockEnabled": "Enabled", "Rule": rule}
    s3.put_object_lock_configuration(Bucket=DESTINATION, ObjectLockConfiguration=lock)


def count(number: int) -> int:
    """The number of a night of this file: each has days of its own."""
    return len(FAULTS) + number


@pytest.mark.slow
@pytest.mark.parametrize("name", SAMPLE)
def test_an_alarm_tells_of_the_fault_and_nothing_is_lost(place: Ground, name: str) -> None:
    number, fault = BY_NAME[name]
    drill = play(fault(), place, number)
    assert drill.problems == ()
    assert drill.lost == 0
    assert drill.readers.missing == 0
    assert drill.readers.lasting[-1][0] is Saw.NEW
    assert drill.receipts[-1][2] == "ok"
    versions = place.aws.client("s3").list_object_versions(Bucket=DESTINATION)
    assert versions["DeleteMarkers"]


@pytest.mark.slow
def test_a_fault_without_an_alarm_is_never_mended(
    place: Ground, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr(drills, "_PATIENCE", timedelta(hours=6))
    deaf = replace(place, deployment=replace(place.deployment, alarms=()))
    drill = play(Killed(), deaf, count(0))
    assert drill.problems == ("no alarm has told of it", "it was not repaired in three days")


class Thief(Killed):
    """A chunk vanishes after the last run."""

    def mends(self, night: Night, trail: Trail, answer: int) -> bool:
        def steal() -> None:
            key = f"{night.destination.prefix}000001.ndjson.gz"
            night.destination.s3.delete_object(Bucket=night.destination.bucket, Key=key)

        night.at(night.fires + timedelta(hours=2), steal)
        return False


@pytest.mark.slow
def test_records_that_vanish_are_counted(place: Ground, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(drills, "_PATIENCE", timedelta(hours=6))
    drill = play(Thief(), place, count(1))
    assert drill.lost > 0
    assert drill.readers.missing > 0
    words = " ".join(drill.problems)
    assert all(
        each in words for each in ("not repaired", "are lost", "missed", "destination differs")
    )


def test_every_alarm_of_the_template_tells_of_a_fault_and_every_fault_has_one() -> None:
    names = {each.name for each in template_alarms(deployed(ActiveLanguage="go"))}
    told = {name for fault in FAULTS for name in (fault.alarm, fault.answered) if name}
    assert {name for name in names if not name.startswith(tuple(told))} == set()
    assert {each for each in told if not any(name.startswith(each) for name in names)} == set()


# ---- without a local AWS ----


def test_queues_are_sampled_each_minute_while_they_are_active() -> None:
    recorder = Recorder(NOON)
    recorder.gauges = {
        "days": Gauge("days", polled=True, active=NOON, visible=1, oldest=NOON - MINUTE),
        "letters": Gauge("letters", polled=False, active=NOON - timedelta(hours=5, minutes=59)),
    }
    recorder.advance(NOON + 2 * MINUTE)
    ages = recorder.samples[Metric.of(SQS, "ApproximateAgeOfOldestMessage", QueueName="days")]
    assert [(each.at - NOON, each.value) for each in ages] == [(MINUTE, 120), (2 * MINUTE, 180)]
    visible = Metric.of(SQS, "ApproximateNumberOfMessagesVisible", QueueName="letters")
    assert [each.at for each in recorder.samples[visible]] == [NOON + MINUTE]
    deleted = recorder.samples[Metric.of(SQS, "NumberOfMessagesDeleted", QueueName="days")]
    assert [each.value for each in deleted] == [0, 0]


def sent_minutes(gauge: Gauge, minutes: range) -> list[int]:
    return [each for each in minutes if gauge.sends(NOON + each * MINUTE)]


def test_a_queue_that_was_at_rest_sends_metrics_15_minutes_after_its_first_message() -> None:
    gauge = Gauge("letters", polled=False, active=NOON - timedelta(hours=7))
    gauge.touch(NOON)
    gauge.visible = 1
    assert sent_minutes(gauge, range(20)) == [15, 16, 17, 18, 19]
    gauge.touch(NOON + timedelta(hours=7))  # it has a message: it is not at rest
    gauge.visible = 0
    assert len(sent_minutes(gauge, range(420, 900))) == 361
    gauge.touch(NOON + timedelta(hours=14))
    assert sent_minutes(gauge, range(840, 860)) == [855, 856, 857, 858, 859]


def test_a_queue_that_was_polled_is_active_when_the_mapping_is_disabled() -> None:
    gauge = Gauge("days", polled=True, active=NOON - timedelta(hours=20))
    gauge.touch(NOON)
    gauge.polled = False
    gauge.touch(NOON + 30 * MINUTE)
    assert sent_minutes(gauge, range(28, 33)) == [28, 29, 30, 31, 32]


def test_a_sample_bears_the_beginning_and_is_seen_after_the_end() -> None:
    recorder = Recorder(NOON)
    metric = Metric.of("AWS/Lambda", "Errors")
    recorder.count(metric, NOON + timedelta(seconds=7), 1, NOON + 10 * MINUTE)
    (sample,) = recorder.between(metric, NOON, NOON + MINUTE)
    assert (sample.at, sample.seen) == (NOON, NOON + 11 * MINUTE)
    assert recorder.between(metric, NOON + MINUTE, NOON + 2 * MINUTE) == []


@pytest.mark.parametrize(
    ("pattern", "value", "entry", "counted"),
    [
        ('{ $.event = "end" && $.result.sources >= 0 }', "$.result.sources", {"sources": 7}, 7),
        ('{ $.event = "end" && $.result.sources >= 0 }', "$.result.sources", None, None),
        ('{ $.event = "retry" }', "1", {}, None),
        ('{ $.event != "retry" }', "1", {}, 1),
    ],
)
def test_a_metric_filter_counts_the_lines_that_fit(
    pattern: str, value: str, entry: Mapping[str, int] | None, counted: float | None
) -> None:
    made = {"metricNamespace": "n", "metricName": "m", "metricValue": value}
    described = {"logGroupName": "g", "filterPattern": pattern, "metricTransformations": [made]}
    read = LogFilter.read(described)
    line = {"event": "end", "result": entry}
    assert read.counted(LogLine("g", NOON, line)) == counted
    assert read.counted(LogLine("other", NOON, line)) is None


def test_an_unknown_term_of_a_metric_filter_is_an_error() -> None:
    read = LogFilter("g", '{ $.event = "end" || $.n = 1 }', Metric.of("n", "m"), "1")
    with pytest.raises(ValueError, match="does not know"):
        read.counted(LogLine("g", NOON, {"event": "end"}))


def test_an_operator_answers_the_first_of_two_alarms_in_a_look() -> None:
    late, early = (
        Alarm(name, Metric.of("m", name), "Sum", "GreaterThanThreshold", 0, MINUTE, 1, 1)
        for name in ("late", "early")
    )
    recorder = Recorder(NOON)
    for name, minutes in (("late", 5), ("early", 2)):
        recorder.count(Metric.of("m", name), NOON + minutes * MINUTE, 1)
    side: Any = SimpleNamespace(deployment=SimpleNamespace(alarms=[late, early]))
    other: Any = SimpleNamespace()
    night = Night([side], other, other, recorder, NOON.date(), NOON, lambda: True)
    night._pass_to(NOON + 10 * MINUTE)
    gone_off = [each for each in night.changes if each.after is State.ALARM]
    assert [each.alarm for each in gone_off] == ["early", "late"]
    assert [when for when, *_ in night._agenda] == [gone_off[0].at + REACTION]


OLD, NEW = Counter({b"a\n": 1, b"b\n": 1}), Counter({b"a\n": 1, b"b\n": 1, b"c\n": 2})


@pytest.mark.parametrize(
    ("seen", "look"),
    [
        (OLD, Look(NOON, Saw.OLD)),
        (NEW, Look(NOON, Saw.NEW)),
        (OLD + Counter([b"c\n"]), Look(NOON, Saw.PART)),
        (NEW + Counter([b"a\n"]), Look(NOON, Saw.DOUBLED, 0, 1)),
        (NEW - Counter([b"a\n"]), Look(NOON, Saw.LESS, 1, 0)),
    ],
)
def test_a_look_tells_the_old_day_from_the_new_one(seen: Counter[bytes], look: Look) -> None:
    destination = Destination(None, "bucket", "2024/02/08/", OLD, NEW)
    assert destination._judged(seen, NOON) == look


class Names:
    """An S3 client that has nothing but names."""

    def __init__(self, names: list[str]) -> None:
        self.names = names

    def list_objects_v2(self, **_: str) -> dict[str, Any]:
        return {"Contents": [{"Key": each, "ETag": "x"} for each in self.names]}

    def delete_object(self, **asked: str) -> None:
        self.names.remove(asked["Key"])


def test_an_operator_deletes_hidden_chunks_alone() -> None:
    names = ["000001.ndjson.gz", "_claim.json", "_manifest.json"]
    s3 = Names(
        [f"d/{each}" for each in (*names, "_a-b-000001.ndjson.gz", "_a-b-1000000.ndjson.gz")]
    )
    Destination(s3, "bucket", "d/").delete_hidden()
    assert s3.names == [f"d/{each}" for each in names]


class Letters:
    """An SQS client with dead letters, by receipt."""

    def __init__(self, bodies: Mapping[str, str]) -> None:
        self.bodies = dict(bodies)

    def receive_message(self, **_: object) -> dict[str, Any]:
        return {
            "Messages": [
                {"MessageId": receipt, "Body": body, "ReceiptHandle": receipt}
                for receipt, body in self.bodies.items()
            ]
        }

    def delete_message(self, **asked: str) -> None:
        del self.bodies[asked["ReceiptHandle"]]


def test_an_operator_deletes_the_dead_letters_of_the_day_alone() -> None:
    sqs = Letters(
        {
            "fired": '{"source": "aws.scheduler", "time": "2024-02-10T02:30:00Z"}',
            "sent": '{"year": 2024, "month": 2, "day": 9}',
            "of another day": '{"year": 2024, "month": 2, "day": 8}',
            "of no day": "hello",
        }
    )
    deployment = SimpleNamespace(
        clients=SimpleNamespace(sqs=sqs), queues={LETTERS: SimpleNamespace(url="letters")}
    )
    side: Any = SimpleNamespace(deployment=deployment)
    other: Any = SimpleNamespace()
    Night([side], other, other, Recorder(NOON), NOON.date(), NOON, lambda: True).drop_letters()
    assert sqs.bodies.keys() == {"of another day", "of no day"}


class Behind(BaseHTTPRequestHandler):
    protocol_version = "HTTP/1.1"

    def do_PUT(self) -> None:
        body = self.rfile.read(int(self.headers["Content-Length"]))
        self.send_response(200)
        self.send_header("X-Host", self.headers["Host"])
        self.send_header("Content-Length", str(len(body)))
        self.end_headers()
        self.wfile.write(body)

    def log_message(self, format: str, *args: object) -> None:
        pass


@contextmanager
def behind() -> Iterator[int]:
    with HTTPServer(("127.0.0.1", 0), Behind) as server:
        thread = Thread(target=server.serve_forever)
        thread.start()
        try:
            yield server.server_port
        finally:
            server.shutdown()
            thread.join()


def put(endpoint: str, path: str, **headers: str) -> tuple[int, bytes, str | None]:
    connection = http.client.HTTPConnection(endpoint.removeprefix("http://"), timeout=10)
    try:
        connection.request("PUT", path, b"body", {"Host": "as.signed", **headers})
        answer = connection.getresponse()
        return answer.status, answer.read(), answer.headers["X-Host"]
    finally:
        connection.close()


def test_a_request_passes_the_front_as_it_was_signed() -> None:
    changed: list[Asked] = []
    with behind() as port, front_of(port) as front:
        front.changed = changed.append
        front.rules.append(refuses("copy", "locked.*", 503, "SlowDown"))
        assert put(front.endpoint, "/b/a%2Fb") == (200, b"body", "as.signed")
        assert put(front.endpoint, "/b/open", **{"x-amz-copy-source": "b/x"})[0] == 200
        status, body, _ = put(front.endpoint, "/b/locked", **{"x-amz-copy-source": "b/x"})
    assert (status, b"<Code>SlowDown</Code>" in body) == (503, True)
    assert changed == [Asked("put", "b", "a/b"), Asked("copy", "b", "open")]


def outcome(**changed: Any) -> Drill:
    drill = Drill(
        fault="killed",
        about="the process is killed",
        language="go",
        alarms=(Told("ErrorsAlarm", 120.0),),
        repaired_s=5400.4,
        receipts=((0.0, "go", "died"), (5400.0, "go", "ok")),
        operator=((3720.0, "waited"),),
        readers=Readers(9, ((Saw.OLD, 1800.0), (Saw.DOUBLED, 5400.0), (Saw.NEW, 60.0)), 0, 14),
        records=129,
        lost=0,
        lake="x",
        still_in_alarm=(),
        problems=(),
    )
    return replace(drill, **changed)


@pytest.mark.parametrize(
    ("changed", "problems"),
    [
        ({}, []),
        ({"alarms": (Told("ErrorsAlarm", 5401.0),)}, ["no alarm has told of it"]),
        (
            {"alarms": (Told("DurationAlarm", 60.0), Told("ErrorsAlarm", 5401.0))},
            ["ErrorsAlarm has not told of it, but DurationAlarm"],
        ),
        ({"still_in_alarm": ("ErrorsAlarm",)}, ["ErrorsAlarm has not ended"]),
        (
            {"still_in_alarm": ("ErrorsAlarm",), "repaired_s": None},
            ["it was not repaired in three days"],
        ),
    ],
)
def test_an_alarm_tells_before_the_repair_and_ends(
    changed: dict[str, Any], problems: list[str]
) -> None:
    assert list(drills._problems(Killed(), outcome(**changed), None)) == problems


def test_the_published_nights_have_no_alarm_that_came_late_or_did_not_end() -> None:
    exported = json.loads((ROOT / "docs/drill.json").read_text())["drills"]
    faults = {fault.name: fault for fault in FAULTS}
    assert len(exported) == 4 * len(FAULTS)
    for each in exported:
        fault = faults[each["fault"]]
        assert set(each["still_in_alarm"]) <= set(fault.lasting), each["fault"]
        assert any(
            told["alarm"].startswith(fault.alarm) and told["after_s"] < each["repaired_s"]
            for told in each["alarms"]
        ), each["fault"]


def test_the_table_has_a_row_for_each_drill() -> None:
    head, _, row, *_ = render([outcome()], "simple").splitlines()
    assert head.split("  ")[0] == "fault"
    words = ("killed", "died, ok", "ErrorsAlarm", "0:02", "1:30", "old 0:30, doubled 1:30, new")
    assert all(each in row for each in words)
    assert "0 of 129" in row
    never = render([outcome(alarms=(), repaired_s=None)], "simple").splitlines()[2]
    assert "none" in never
    assert never.count("never") == 2


def test_a_lake_that_differs_in_one_language_is_broken() -> None:
    same = [outcome(), outcome(language="java"), outcome(fault="rights", lake="y")]
    assert broken(same) == []
    assert broken([*same, outcome(language="python", lake="z")]) == [
        "killed: the destinations of go, java, python differ"
    ]
    assert broken([outcome(problems=("1 records are lost",))]) == ["killed, go: 1 records are lost"]


def test_the_export_has_every_drill() -> None:
    exported = to_json([outcome()], {"cpu": "x"})
    assert exported["reaction_s"] == 3600
    drill: Any = exported["drills"]
    assert drill[0]["alarms"] == ({"alarm": "ErrorsAlarm", "after_s": 120.0},)


def test_an_unknown_fault_is_a_wrong_argument(capsys: pytest.CaptureFixture[str]) -> None:
    assert main(["drill", "--fault", "earthquake"]) == 2
    assert "known are slow-down, killed" in capsys.readouterr().err
