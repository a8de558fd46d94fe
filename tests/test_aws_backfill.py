"""The commands ``backfill``, ``redrive`` and ``status``, with a fake AWS."""

from __future__ import annotations

import json
import re
from collections.abc import Mapping, Sequence
from dataclasses import replace
from datetime import UTC, date, datetime
from pathlib import Path
from typing import Any

import pytest
from fake_aws import DEAD_LETTERS, NOT_SENT, QUEUE, FakeAws, Refused

from harness.cli import main
from harness.model import HarnessError, UsageError
from harness.operate.backfill import Backfill, days_between, list_accounts, tasks_for
from harness.operate.backfill_estimate import Estimate, estimate
from harness.operate.ledger import Task, open_ledger
from harness.operate.messages import task_of
from harness.operate.sources import Sources, source_counter
from harness.operate.status import from_bucket, read_status
from harness.targets.aws.stack import read_stack
from harness.toolchain.paths import ROOT

RANGE = ("--from", "2023-12-30", "--to", "2024-01-02")
DAYS = days_between(date(2023, 12, 30), date(2024, 1, 2))


@pytest.fixture
def aws(monkeypatch: pytest.MonkeyPatch) -> FakeAws:
    made = FakeAws()
    monkeypatch.setattr("harness.targets.aws.session.open_clients", lambda _region: made.clients())
    return made


def events(aws: FakeAws, queue: str = QUEUE) -> list[Mapping[str, Any]]:
    return [json.loads(each["Body"]) for each in aws.queues[queue]]


def groups(aws: FakeAws) -> list[str]:
    return [each["Attributes"]["MessageGroupId"] for each in aws.queues[QUEUE]]


def backfill(aws: FakeAws, ledger: Path, most: int = 1000, **more: Any) -> Backfill:
    """A backfill whose queue loses two messages whenever the backfill sleeps."""

    def sleep(_: float) -> None:
        del aws.queues[QUEUE][:2]

    opened = open_ledger(ledger, QUEUE)
    return Backfill(aws.clients(), QUEUE, opened, most, print, sleep, **more)


def test_days_are_the_triggers_of_the_contract(
    aws: FakeAws, tmp_path: Path, capsys: pytest.CaptureFixture[str]
) -> None:
    ledger = tmp_path / "ledger.jsonl"
    asked = ("backfill", "--stack", "rosetta", *RANGE, "--ledger", str(ledger), "--no-wait")
    assert main([*asked, "--dry-run"]) == 0
    assert "2023-12-31" in capsys.readouterr().out
    assert not events(aws)
    assert main(asked) == 0
    assert events(aws) == [{"year": d.year, "month": d.month, "day": d.day} for d in DAYS]
    assert main(asked) == 0  # all of it is in the ledger
    assert len(events(aws)) == 4
    told = capsys.readouterr().out
    assert "4 messages, 4 of them sent before" in told
    assert "nothing is left to send; to send these days again, name another --ledger" in told
    assert main([*asked, "--force"]) == 0  # a task with force is another task
    assert [each["force"] for each in events(aws)[4:]] == [True] * 4
    assert groups(aws) == [str(day) for day in DAYS] * 2  # so SQS gives them one by one


def test_accounts_of_both_layouts_are_found(aws: FakeAws, tmp_path: Path) -> None:
    for folder in ("111122223333", "o-ab/444455556666", "o-ab/x", "1", "o-cd/111122223333"):
        aws.objects["trails", f"log/AWSLogs/{folder}/CloudTrail/eu-west-1/a"] = b""
    for other in ("777788889999/Config", "o-ab/777788889999/elasticloadbalancing"):
        aws.objects["trails", f"log/AWSLogs/{other}/eu-west-1/a"] = b""
    stack = read_stack(aws.clients(), "rosetta")
    assert list_accounts(aws.clients(), stack) == ["111122223333", "444455556666"]
    command = ("backfill", "--stack", "rosetta", "--from", "2024-02-29", "--to", "2024-02-29")
    more = ("--by-account", "--force", "--no-wait", "--ledger", str(tmp_path / "l"))
    assert main([*command, *more]) == 0
    day = {"year": 2024, "month": 2, "day": 29, "force": True}
    assert events(aws) == [day | {"account": each} for each in ("111122223333", "444455556666")]
    assert groups(aws) == ["2024-02-29/111122223333", "2024-02-29/444455556666"]


def test_a_day_that_is_sent_again_at_once_is_not_dropped(aws: FakeAws, tmp_path: Path) -> None:
    for ledger in ("first", "second"):
        backfill(aws, tmp_path / ledger).send(tasks_for(DAYS, None))
    assert len(events(aws)) == 2 * len(DAYS)


def test_a_bucket_without_accounts_is_told(aws: FakeAws) -> None:
    with pytest.raises(HarnessError, match="s3://trails/log/AWSLogs/ has no account with a trail"):
        list_accounts(aws.clients(), read_stack(aws.clients(), "rosetta"))


def test_the_queue_never_holds_more_than_it_may(aws: FakeAws, tmp_path: Path) -> None:
    tasks = tasks_for(days_between(date(2023, 1, 1), date(2023, 3, 31)), None)
    most = 0
    send = aws._sqs_SendMessageBatch

    def watched(**parameters: Any) -> Mapping[str, Any]:
        nonlocal most
        answer = send(**parameters)
        most = max(most, len(aws.queues[QUEUE]))
        return answer

    aws._sqs_SendMessageBatch = watched  # type: ignore[method-assign, assignment]
    run = backfill(aws, tmp_path / "ledger", most=15)
    assert run.send(tasks) == 90
    assert 10 <= most <= 15
    run.wait_until_empty()
    assert not aws.queues[QUEUE]


def test_a_killed_backfill_goes_on_where_it_was(aws: FakeAws, tmp_path: Path) -> None:
    tasks = tasks_for(days_between(date(2023, 1, 1), date(2023, 1, 25)), None)
    send = aws._sqs_SendMessageBatch

    def dying(**parameters: Any) -> Mapping[str, Any]:
        if len(aws.queues[QUEUE]) >= 20:
            raise KeyboardInterrupt
        return send(**parameters)

    aws._sqs_SendMessageBatch = dying  # type: ignore[method-assign, assignment]
    with pytest.raises(KeyboardInterrupt):
        backfill(aws, tmp_path / "ledger").send(tasks)
    with (tmp_path / "ledger").open("a") as file:
        file.write('{"queue": "htt')  # a write that was cut off
    aws._sqs_SendMessageBatch = send  # type: ignore[method-assign]
    assert backfill(aws, tmp_path / "ledger").send(tasks) == 5
    days = [(each["month"], each["day"]) for each in events(aws)]
    assert days == [(1, number) for number in range(1, 26)]


def test_messages_that_sqs_did_not_take_are_sent_again(aws: FakeAws, tmp_path: Path) -> None:
    send, calls = aws._sqs_SendMessageBatch, 0

    def choosy(QueueUrl: str, Entries: list[dict[str, str]]) -> dict[str, Any]:  # noqa: N803
        nonlocal calls
        calls += 1
        answer = send(QueueUrl, Entries[1:] if calls == 1 else Entries)
        if calls == 1:
            failed = {"Id": Entries[0]["Id"], "SenderFault": False, "Code": "InternalError"}
            answer["Failed"] = [failed]
        return answer

    aws._sqs_SendMessageBatch = choosy  # type: ignore[method-assign]
    run = backfill(aws, tmp_path / "ledger")
    run.sleep = lambda _: None
    run.send(tasks_for(DAYS, None))
    assert sorted((e["month"], e["day"]) for e in events(aws)) == [
        (1, 1),
        (1, 2),
        (12, 30),
        (12, 31),
    ]


def test_a_ledger_of_another_queue_is_refused(tmp_path: Path) -> None:
    file = tmp_path / "ledger"
    open_ledger(file, "other").note([Task(DAYS[0])])
    with pytest.raises(UsageError, match="is the ledger of other"):
        open_ledger(file, QUEUE)
    file.write_text("{}\n")
    with pytest.raises(UsageError, match="line 1, is not a ledger's entry"):
        open_ledger(file, QUEUE)


@pytest.mark.parametrize(
    ("change", "words"),
    [
        ({"ActiveLanguage": "none"}, "has no active language"),
        ({"QueueUrl": None}, "has no output QueueUrl"),
        ({"QueueUrl": "https://sqs/1/days"}, "has the queue of an older template"),
    ],
)
def test_what_can_not_be_filled_is_told(
    aws: FakeAws,
    change: Mapping[str, str | None],
    words: str,
    capsys: pytest.CaptureFixture[str],
) -> None:
    for name, value in change.items():
        if value is None:
            del aws.outputs[name]
        else:
            aws.outputs[name] = value
    assert main(["backfill", "--stack", "rosetta", *RANGE]) != 0
    assert words in capsys.readouterr().err


def test_the_costs_are_told_before_a_language_is_chosen(
    aws: FakeAws, tmp_path: Path, capsys: pytest.CaptureFixture[str]
) -> None:
    aws.outputs["ActiveLanguage"] = "none"
    put_sources(aws, DAYS[0], 1, Size=1)
    command = ["backfill", "--stack", "rosetta", *RANGE, "--ledger", str(tmp_path / "ledger")]
    assert main([*command, "--dry-run"]) == 0
    assert "for functions, or up to" in capsys.readouterr().out
    assert not aws.asked("SendMessageBatch")


@pytest.mark.parametrize("command", [("backfill", *RANGE), ("redrive",)])
def test_a_stack_of_tasks_has_no_queue_of_days(
    aws: FakeAws, command: Sequence[str], capsys: pytest.CaptureFixture[str]
) -> None:
    aws.become_tasks()
    assert main([*command, "--stack", "rosetta"]) == 2
    said = capsys.readouterr().err
    assert "stack rosetta is of container.yaml, so it has tasks and no QueueUrl" in said
    assert "docs/tasks.md" in said


def test_dead_letters_are_reported_and_put_back(
    aws: FakeAws, tmp_path: Path, capsys: pytest.CaptureFixture[str]
) -> None:
    for body in ('{"year": 2023, "month": 12, "day": 30, "x": 1}', "no JSON"):
        aws.add_dead_letter(body)
    ledger = ("--ledger", str(tmp_path / "ledger"), "--no-wait")
    assert main(["backfill", "--stack", "rosetta", *RANGE, *ledger]) == 1
    out = capsys.readouterr().out
    assert "2 failed for good:\n2023-12-30\nno JSON\n" in out
    assert "redrive --stack rosetta" in out
    assert len(events(aws)) == 4  # one of them is the day of the dead letter
    assert main(["redrive", "--stack", "rosetta", "--dry-run"]) == 1
    assert capsys.readouterr().out.splitlines() == [
        "2023-12-30",
        "names no day: no JSON",
        "1 can be put back",
        "1 left in place: delete those that name no day by hand",
    ]
    assert len(aws.queues[DEAD_LETTERS]) == 2
    assert main(["redrive", "--stack", "rosetta"]) == 1
    assert [each["Body"] for each in aws.queues[DEAD_LETTERS]] == ["no JSON"]
    assert events(aws)[4:] == [{"year": 2023, "month": 12, "day": 30}]
    assert groups(aws)[4:] == ["2023-12-30"]


def test_days_that_the_schedule_could_not_send_are_put_back(
    aws: FakeAws, capsys: pytest.CaptureFixture[str]
) -> None:
    """The body is the request that failed. Nothing in it is needed, nor believed."""
    for fired in ("2024-03-01T02:30:00Z", "2024-03-02T02:30:00.000Z"):
        request = {"QueueUrl": QUEUE, "MessageBody": "<aws.scheduler.scheduled-time>"}
        aws.add_dead_letter(json.dumps(request), NOT_SENT, fired)
    assert main(["redrive", "--stack", "rosetta"]) == 0
    assert capsys.readouterr().out == "2024-02-29\n2024-03-01\n2 put back\n"
    assert events(aws) == [{"year": 2024, "month": m, "day": d} for m, d in ((2, 29), (3, 1))]
    assert groups(aws) == ["2024-02-29", "2024-03-01"]
    assert not aws.queues[NOT_SENT]


def test_a_redrive_takes_all_messages_and_can_force_them(aws: FakeAws) -> None:
    for number in range(25):
        aws.add_dead_letter(json.dumps({"year": 2024, "month": 1, "day": 1 + number % 20}))
    assert main(["redrive", "--stack", "rosetta", "--force"]) == 0
    assert [each["force"] for each in events(aws)] == [True] * 25
    assert not aws.queues[DEAD_LETTERS]


def test_the_messages_of_another_queue_are_moved(aws: FakeAws) -> None:
    old = "https://sqs.eu-central-1.amazonaws.com/1/old"
    aws.queues[old] = []
    aws.add_dead_letter('{"source": "aws.scheduler", "time": "2024-03-01T02:30:00Z"}', old)
    aws.add_dead_letter('{"year": 2024, "month": 3, "day": 1, "account": "111122223333"}', old)
    assert main(["redrive", "--stack", "rosetta", "--from-queue", old]) == 0
    assert groups(aws) == ["2024-02-29", "2024-03-01/111122223333"]
    assert not aws.queues[old]
    assert main(["redrive", "--stack", "rosetta", "--from-queue", QUEUE]) == 2
    assert len(events(aws)) == 2


def test_a_redrive_that_can_not_send_loses_nothing(
    aws: FakeAws, capsys: pytest.CaptureFixture[str]
) -> None:
    aws.add_dead_letter('{"year": 2024, "month": 3, "day": 1}')
    aws.refuse["SendMessage"] = Refused("AccessDenied")
    assert main(["redrive", "--stack", "rosetta"]) == 1
    assert len(aws.queues[DEAD_LETTERS]) == 1
    assert "give yourself sqs:SendMessage" in capsys.readouterr().err


DAY = date(2024, 2, 29)


@pytest.mark.parametrize(
    ("body", "task"),
    [
        ('{"year": 2024, "month": 2, "day": 29}', Task(DAY)),
        ('{"year": 2024.0, "month": 2e0, "day": 29, "other": []}', Task(DAY)),
        ('{"year": 2024, "month": 2, "day": 29, "force": true}', Task(DAY, force=True)),
        (
            '{"year": 2024, "month": 2, "day": 29, "account": "012345678901"}',
            Task(DAY, "012345678901"),
        ),
        ('{"source": "aws.scheduler", "time": "2024-03-01T00:00:00Z", "account": "1"}', Task(DAY)),
        ('{"source": "aws.scheduler", "time": "<aws.scheduler.scheduled-time>"}', None),
        ('{"source": "aws.scheduler", "time": "2024-03-01T00:00:00"}', None),
        ('{"source": "aws.scheduler", "time": "1000-01-01T00:00:00Z"}', None),
        ('{"source": "aws.scheduler", "time": "0001-01-01T00:00:00Z"}', None),
        ('{"year": 2023, "month": 2, "day": 29}', None),
        ('{"year": 999, "month": 2, "day": 28}', None),
        ('{"year": 2024, "month": 2, "day": 28.5}', None),
        ('{"year": 2024, "month": true, "day": 28}', None),
        ('{"year": "2024", "month": 2, "day": 28}', None),
        ('{"year": 1e400, "month": 2, "day": 28}', None),
        ('{"year": 2024, "month": 2, "day": 28, "force": 1}', None),
        ('{"year": 2024, "month": 2, "day": 28, "account": null}', None),
        ('{"year": 2024, "month": 2, "day": 28, "account": 123456789012}', None),
        ('[{"year": 2024, "month": 2, "day": 28}]', None),
        ("", None),
    ],
)
def test_a_message_names_its_day_as_the_contract_says(body: str, task: Task | None) -> None:
    assert task_of(body) == task


def test_the_policy_of_operators_has_the_rights_of_the_commands(
    aws: FakeAws, tmp_path: Path
) -> None:
    """tests/test_operator_rights.py tries them."""
    aws.objects["trails", "log/AWSLogs/111122223333/CloudTrail/eu-west-1/a"] = b""
    aws.add_dead_letter('{"year": 2024, "month": 3, "day": 1}')
    ledger = ("--ledger", str(tmp_path / "ledger"), "--no-wait", "--by-account")
    main(["backfill", "--stack", "rosetta", *RANGE, *ledger])
    main(["redrive", "--stack", "rosetta"])
    main(["status", "--stack", "rosetta", "--archived", *RANGE])
    services = {"DescribeStacks": "cloudformation", "GetObject": "s3", "ListObjectsV2": "s3"}
    used = {f"{services.get(name, 'sqs')}:{name.removesuffix('Batch')}" for name, _ in aws.done}
    used = used - {"s3:ListObjectsV2"} | {"s3:ListBucket"}  # the right has another name
    assert used < set(re.findall(r'"(\w+:\w+)"', (ROOT / "docs/policies/operate.json").read_text()))


TRAIL = "log/AWSLogs/111122223333/CloudTrail/eu-west-1"


def put_sources(aws: FakeAws, day: date, count: int, **listed: Any) -> None:
    for number in range(count):
        place = ("trails", f"{TRAIL}/{day:%Y/%m/%d}/{number}-{len(aws.objects)}")
        aws.objects[place] = b""
        aws.listed[place] = listed


def test_a_backfill_tells_its_time_and_each_cost_before_it_sends(
    aws: FakeAws, tmp_path: Path, capsys: pytest.CaptureFixture[str]
) -> None:
    million = 1_000_000_000  # bytes of a source here, so that GBs are seen
    put_sources(aws, DAYS[0], 6, Size=million)
    put_sources(aws, DAYS[2], 2, Size=million, StorageClass="GLACIER_IR")
    put_sources(aws, DAYS[3], 1, Size=million, StorageClass="DEEP_ARCHIVE")
    aws.parameters |= {"MemorySize": "1024", "Concurrency": "20", "SourceKmsKeyArn": "arn:x"}
    command = ("backfill", "--stack", "rosetta", *RANGE, "--ledger", str(tmp_path / "l"))
    assert main([*command, "--dry-run"]) == 0
    assert capsys.readouterr().out.splitlines()[1:8] == [
        "4 days, by 3 of them: 12 sources, 12.0 GB",
        "0 min to 0 min at 20 ms per GET",
        "$0.08: $0.00 for functions, or up to $0.00 for the slowest; $0.00 for GETs from "
        "DEEP_ARCHIVE (1); $0.08 for GETs from GLACIER_IR (3); $0.00 for GETs from STANDARD (8); "
        "$0.00 for listings, claims and manifests",
        "perhaps $0.00 for KMS, if the source bucket has no bucket key",
        "perhaps $0.00 for a trail, if it logs reads of the source bucket",
        "(AWS list prices of us-east-1 as of 2026-11-25; GuardDuty's S3 protection is paid for "
        "besides)",
        "archived sources, to restore before: 1",
    ]
    assert not aws.asked("SendMessageBatch")


MILLION = Sources(1_000_000, by_class={"STANDARD": (1_000_000, 10**9)})


@pytest.mark.parametrize(
    ("storage", "figure"), [("STANDARD", 0.40), ("GLACIER_IR", 10.03), ("STANDARD_IA", 1.01)]
)
def test_the_charges_of_a_million_sources_are_those_of_the_document(
    storage: str, figure: float
) -> None:
    day = replace(MILLION, by_class={storage: (1_000_000, 10**9)})
    found = Estimate(1, {DAYS[0]: day}, 1, {"SourceKmsKeyArn": "arn:x"}, 1)
    (get,) = (cost for what, cost in found.costs() if storage in what)
    assert get == pytest.approx(figure)
    assert [cost for _, cost in found.perhaps()] == pytest.approx([3.00, 1.00])
    document = (ROOT / "docs/backfill.md").read_text()
    for text in ("Standard | 0.40 |", "Glacier Instant Retrieval | 10.00 |", "KMS | 3.00 |"):
        assert text in document
    assert "Standard-IA | 1.00 |" in document
    assert "CloudTrail | 1.00 |" in document


def test_a_backfill_takes_as_long_as_its_largest_day_or_its_share_of_all() -> None:
    parameters = {"Concurrency": "16", "MaximumConcurrency": "5"}
    one = Estimate(1, {DAYS[0]: MILLION}, 1, parameters, 1)
    assert [*one.hours()] == pytest.approx([1250 / 3600, 4000 / 3600])
    assert "a day of 1,000,000 sources may end with OUT_OF_TIME: see --by-account" in one.lines()
    fits = replace(one, sampled={DAYS[0]: Sources(200_000, by_class={"STANDARD": (200_000, 1)})})
    assert not [line for line in fits.lines() if "OUT_OF_TIME" in line]
    short = replace(fits, parameters={**parameters, "Timeout": "600"})
    assert [line for line in short.lines() if "OUT_OF_TIME" in line]
    ten = Estimate(10, {DAYS[0]: MILLION}, 1, parameters, 10)
    assert ten.hours()[0] == pytest.approx(2 * one.hours()[0])
    gigabyte_seconds = 1769 / 1024 * 10_000_000 * 0.00125
    (functions, *_) = (cost for _, cost in ten.costs())
    assert functions == pytest.approx(gigabyte_seconds * 0.0000133334)


def test_a_backfill_by_account_is_estimated_by_its_messages(aws: FakeAws) -> None:
    parameters = {"Concurrency": "16", "MaximumConcurrency": "5"}
    for account in range(20):
        place = f"log/AWSLogs/1111222233{account:02}/CloudTrail/eu-west-1/{DAYS[0]:%Y/%m/%d}/a"
        aws.objects["trails", place] = b""
    stack = read_stack(aws.clients(), "rosetta")
    counter = source_counter(aws.clients(), stack)
    tasks = tasks_for(DAYS[:1], list_accounts(aws.clients(), stack))
    found = replace(estimate(tasks, counter, parameters), sampled={DAYS[0]: MILLION})
    day = replace(found, messages=1, by_account=False)
    assert (found.messages, found.days) == (20, 1)
    # five messages of one day are in work at a time
    assert found.hours()[0] == pytest.approx(day.hours()[0] / 5)
    assert [line for line in day.lines() if "--by-account" in line]
    assert not [line for line in found.lines() if "--by-account" in line]
    (*_, (_, more)), (*_, (_, less)) = found.costs(), day.costs()
    # each message has its request, its claim and its manifest
    assert more - less == pytest.approx(19 * (2 * 0.000005 + 0.0000002))


def test_a_backfill_that_may_not_list_the_sources_goes_on_without_an_estimate(
    aws: FakeAws, tmp_path: Path, capsys: pytest.CaptureFixture[str]
) -> None:
    aws.refuse["ListObjectsV2"] = Refused("AccessDenied", status=403)
    ledger = ("--ledger", str(tmp_path / "ledger"), "--no-wait")
    assert main(["backfill", "--stack", "rosetta", *RANGE, *ledger]) == 0
    assert "no estimate: bucket trails: not allowed: give yourself s3:ListBucket" in (
        capsys.readouterr().out
    )
    assert len(events(aws)) == 4


MANIFEST = {"sources": 10, "bad": 1, "records": 20, "bytes": 300, "chunks": 1}


def manifests(day: date, bad: int = 0, account: str = "") -> tuple[str, bytes]:
    folder = f"{account}/" if account else ""
    result = {**MANIFEST, "bad": bad, "day": str(day), "deleted": 0}
    return f"day/{folder}{day:%Y/%m/%d}/_manifest.json", json.dumps({"result": result}).encode()


def test_status_tells_of_each_day_by_its_manifest(
    aws: FakeAws, tmp_path: Path, capsys: pytest.CaptureFixture[str]
) -> None:
    for key, body in (manifests(DAYS[0]), manifests(DAYS[3], bad=2)):
        aws.objects["chunks", key] = body
        (tmp_path / key).parent.mkdir(parents=True, exist_ok=True)
        (tmp_path / key).write_bytes(body)
    export = tmp_path / "status.json"
    command = ("status", *RANGE, "--export-json", str(export))
    assert main([*command, "--stack", "rosetta"]) == 1
    on_aws = capsys.readouterr().out
    assert on_aws.splitlines() == [
        "2 of 4 published",
        "20 sources, 2 bad, 40 records, 600 bytes, 2 chunks",
        "bad    2024-01-02: 2 of 10",
        "missing 2023-12-31 to 2024-01-01",
    ]
    days = json.loads(export.read_text())["days"]
    assert [each["counts"] and each["counts"]["records"] for each in days] == [20, None, None, 20]
    assert main([*command, "--destination", str(tmp_path), "--prefix", "day/"]) == 1
    assert capsys.readouterr().out == on_aws


def test_status_tells_the_days_on_which_a_run_works_and_the_archived_ones(
    aws: FakeAws, tmp_path: Path, capsys: pytest.CaptureFixture[str]
) -> None:
    (done, body), (bad, bad_body) = manifests(DAYS[0]), manifests(DAYS[3], bad=2)
    aws.objects |= {("chunks", done): body, ("chunks", bad): bad_body}
    for day, expires in ((DAYS[1], "2999-01-01T00:00:00.000Z"), (DAYS[2], "2023-01-01T00:00:00Z")):
        claim = {"run": "x", "expires": expires}
        aws.objects["chunks", f"day/{day:%Y/%m/%d}/_claim.json"] = json.dumps(claim).encode()
    for day in (DAYS[0], DAYS[2], DAYS[3]):  # the first is published without bad sources
        put_sources(aws, day, 1)
        put_sources(aws, day, 2, StorageClass="GLACIER")
        restore = {"IsRestoreInProgress": True}
        put_sources(aws, day, 1, StorageClass="DEEP_ARCHIVE", RestoreStatus=restore)
        restored = {
            "IsRestoreInProgress": False,
            "RestoreExpiryDate": datetime(2999, 1, 1, tzinfo=UTC),
        }
        put_sources(aws, day, 1, StorageClass="GLACIER", RestoreStatus=restored)
    export = tmp_path / "status.json"
    command = ("status", "--stack", "rosetta", *RANGE)
    assert main([*command, "--archived", "--export-json", str(export)]) == 1
    assert capsys.readouterr().out.splitlines()[2:] == [
        "bad    2024-01-02: 2 of 10",
        "busy   2023-12-31: a run has claimed it until 2999-01-01T00:00:00.000Z",
        "archived 2024-01-01: 3 sources, 1 being restored",
        "archived 2024-01-02: 3 sources, 1 being restored",
        "missing 2024-01-01",
    ]
    days = json.loads(export.read_text())["days"]
    assert [each["archived"] for each in days] == [None, 0, 3, 3]
    assert [each["busy_until"] is not None for each in days] == [False, True, False, False]
    asked = aws.asked("ListObjectsV2")
    assert all(each["OptionalObjectAttributes"] == ["RestoreStatus"] for each in asked[-3:])
    aws.done.clear()
    assert main([*command]) == 1  # without the flag it lists nothing
    assert not aws.asked("ListObjectsV2")
    copy = ("--destination", str(tmp_path), "--archived")
    assert main(["status", *RANGE, *copy]) == 2


@pytest.mark.parametrize(
    "claim", ["", "[]", '{"expires": 1}', '{"expires": "2999-01-01T00:00:00"}']
)
def test_a_claim_that_is_none_makes_no_day_busy(aws: FakeAws, claim: str) -> None:
    aws.objects["chunks", "day/2023/12/30/_claim.json"] = claim.encode()
    (found,) = read_status(from_bucket(aws.clients(), "chunks"), "day/", DAYS[:1], [None])
    assert found.busy_until is None


def test_status_by_account_and_of_a_broken_manifest(
    tmp_path: Path, capsys: pytest.CaptureFixture[str]
) -> None:
    for account, day in (("111122223333", DAYS[0]), ("444455556666", DAYS[1])):
        key, body = manifests(day, account=account)
        file = tmp_path / key
        file.parent.mkdir(parents=True)
        file.write_bytes(body if account[0] == "1" else b"{}")
    command = ("status", "--from", "2023-12-30", "--to", "2023-12-31", "--by-account")
    assert main([*command, "--destination", str(tmp_path), "--prefix", "day/"]) == 1
    out = capsys.readouterr().out.splitlines()
    assert out[0] == "1 of 4 published"
    assert out[2:] == [
        "broken 2023-12-31 444455556666: KeyError: 'result'",
        "missing 2023-12-31 111122223333",
        "missing 2023-12-30 444455556666",
    ]


def test_all_published_is_exit_code_0(aws: FakeAws) -> None:
    for day in DAYS:
        key, body = manifests(day)
        aws.objects["chunks", key] = body
    assert main(["status", "--stack", "rosetta", *RANGE]) == 0
    aws.become_tasks()
    assert main(["status", "--stack", "rosetta", *RANGE]) == 0
    backwards = ("--from", "2024-01-02", "--to", "2024-01-01")
    assert main(["status", "--stack", "rosetta", *backwards]) == 2
    assert main(["status", *RANGE]) == 2
