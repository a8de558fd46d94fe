"""`doctor`: each missing need has a remedy, on this machine and in a stack."""

from __future__ import annotations

from collections.abc import Callable, Mapping
from pathlib import Path
from typing import Any

import pytest
from fake_aws import NOT_SENT, FakeAws, Refused
from fake_machine import FakeMachine

from harness.build.doctor import check_machine
from harness.build.template import load_implementations
from harness.cli import main
from harness.model import Finding
from harness.operate.health import check_stack


@pytest.fixture
def aws(monkeypatch: pytest.MonkeyPatch) -> FakeAws:
    made = FakeAws()
    monkeypatch.setattr("harness.operate.health.open_clients", lambda _region: made.clients())
    return made


def test_a_machine_that_has_all(capsys: pytest.CaptureFixture[str]) -> None:
    assert {each.name for each in check_machine()} == {"ports", "limits", "tools", "disk", "TMPDIR"}
    assert main(["doctor"], FakeMachine().target()) == 0
    assert "this machine\n  ok       ports" in capsys.readouterr().out


def test_a_missing_need_of_the_machine_has_a_remedy(monkeypatch: pytest.MonkeyPatch) -> None:
    def refuse(_: int) -> list[int]:
        raise PermissionError("not you")

    monkeypatch.setattr("harness.build.doctor.free_ports", refuse)
    monkeypatch.setattr("harness.build.doctor.find_kind", lambda: (None, "cgroup v1: read-only"))
    monkeypatch.setattr("harness.build.doctor._LEAST_FREE_BYTES", 1 << 60)
    monkeypatch.setattr("harness.build.doctor._LEAST_TEMPORARY_BYTES", 1 << 60)
    monkeypatch.setattr("harness.build.doctor.damaged_folders", lambda: [Path("/.tools/s3-1")])
    found = list(check_machine())
    assert [each.ok for each in found] == [False] * 5
    assert all(each.remedy for each in found)
    assert main(["doctor"], FakeMachine().target()) == 3


def test_a_machine_without_limits_is_still_ready(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr("harness.build.doctor.find_kind", lambda: (None, "cgroup v1: read-only"))
    assert main(["doctor"], FakeMachine().target()) == 0


def test_a_stack_in_order(aws: FakeAws) -> None:
    found = list(check_stack("rosetta", None, load_implementations()))
    assert all(each.ok for each in found), found
    names = [each.name for each in found]
    assert names[:3] == ["credentials", "stack", "functions"]
    queues = ["QueueUrl", "DeadLetterQueueUrl", "ScheduleDeadLetterQueueUrl"]
    assert names[3:] == ["SourceBucket", "DestinationBucket", "concurrency", *queues]
    changing = ("Put", "Delete", "Update", "Publish", "Send", "Invoke")
    assert not [name for name, _ in aws.done if name.startswith(changing)]


def behind(aws: FakeAws) -> None:
    aws.functions["rosetta-Go"].latest["MemorySize"] = 512


def dead(aws: FakeAws) -> None:
    aws.add_dead_letter("{}")


def not_sent(aws: FakeAws) -> None:
    aws.add_dead_letter("{}", NOT_SENT)


def old_queue(aws: FakeAws) -> None:
    aws.outputs["QueueUrl"] = "https://sqs.eu-central-1.amazonaws.com/1/days"


def versioned(aws: FakeAws) -> None:
    aws.versioning = {"Status": "Enabled"}


def locked(aws: FakeAws) -> None:
    retention = {"Mode": "COMPLIANCE", "Days": 30}
    aws.object_lock = {"ObjectLockEnabled": "Enabled", "Rule": {"DefaultRetention": retention}}


def new_account(aws: FakeAws) -> None:
    aws.unreserved, aws.parameters["MaximumConcurrency"] = 10, "12"


def refused(operation: str, code: str) -> Callable[[FakeAws], None]:
    def change(aws: FakeAws) -> None:
        aws.refuse[operation] = Refused(code)

    return change


def test_old_versions_that_a_rule_deletes_and_settings_that_are_secret_are_no_faults(
    aws: FakeAws,
) -> None:
    def versions_with(rule: Mapping[str, Any]) -> Finding:
        aws.lifecycle = {"Rules": [rule]}
        checked = check_stack("rosetta", None, load_implementations())
        return next(each for each in checked if each.name == "versions")

    versioned(aws)
    expiry = {"NoncurrentDays": 7}
    rule = {"Status": "Enabled", "Filter": {}, "NoncurrentVersionExpiration": expiry}
    assert versions_with(rule).ok
    assert all(versions_with({**rule, "Filter": {"Prefix": each}}).ok for each in ("day", "day/"))
    tag = {"Tag": {"Key": "a", "Value": "b"}}
    for part in ({"Prefix": "logs/"}, {"Prefix": "day/2024/"}, tag):
        found = versions_with({**rule, "Filter": part})
        assert not found.ok
        assert str(found.remedy).endswith("for day/")
    assert not versions_with({**rule, "Status": "Disabled"}).ok
    for each in ("Versioning", "LifecycleConfiguration"):
        aws.refuse[f"GetBucket{each}"] = Refused("AccessDenied", status=403)
    assert all(each.ok for each in check_stack("rosetta", None, load_implementations()))


def test_of_a_stack_of_tasks_the_buckets_are_checked(aws: FakeAws) -> None:
    """It has no functions and no queue of days, and that is no fault."""
    aws.become_tasks()
    found = list(check_stack("rosetta", None, load_implementations()))
    names = ["credentials", "stack", "SourceBucket", "DestinationBucket", "tasks"]
    assert [each.name for each in found] == names
    assert all(each.ok for each in found)
    assert "preflight --stack rosetta" in found[-1].detail


@pytest.mark.parametrize(
    ("change", "name", "remedy"),
    [
        (refused("GetCallerIdentity", "ExpiredToken"), "credentials", "log in again"),
        (refused("DescribeStacks", "AccessDenied"), "stack", "cloudformation:DescribeStacks"),
        (behind, "functions", "Deploy the stack again"),
        (refused("HeadBucket", "403"), "SourceBucket", "give yourself s3:ListBucket"),
        (dead, "DeadLetterQueueUrl", "redrive --stack rosetta"),
        (not_sent, "ScheduleDeadLetterQueueUrl", "redrive --stack rosetta"),
        (old_queue, "QueueUrl", "docs/deploy.md, section Update"),
        (versioned, "versions", "NoncurrentVersionExpiration"),
        (locked, "object lock", "'Days': 30"),
        (new_account, "concurrency", "10 functions may run at a time, MaximumConcurrency is 12"),
        (refused("GetAccountSettings", "AccessDenied"), "concurrency", "lambda:GetAccountSettings"),
    ],
)
def test_each_fault_of_a_stack_has_its_remedy(
    aws: FakeAws,
    change: Callable[[FakeAws], None],
    name: str,
    remedy: str,
    capsys: pytest.CaptureFixture[str],
) -> None:
    change(aws)
    found = {each.name: each for each in check_stack("rosetta", None, load_implementations())}
    assert not found[name].ok
    assert remedy in f"{found[name].detail} {found[name].remedy}"
    target = FakeMachine().target()
    assert main(["doctor", "--stack", "rosetta"], target) == 3
    assert f"missing  {name}: " in capsys.readouterr().out
