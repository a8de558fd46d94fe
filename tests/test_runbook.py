"""The runbook reaches every alarm, every code and every fault of a drill, and its commands run.

ministack takes the place of AWS, so this shows that the commands are right, and not what AWS
answers.
"""

from __future__ import annotations

import json
import re
from collections.abc import Callable, Iterator, Sequence
from dataclasses import replace
from pathlib import Path
from typing import Any

import pytest
from aws_cli import WORD, Call, commands_of, filled_in, named, removed, without_name

from harness.build.transform import BUCKETS, deployed, small_body
from harness.cli import main
from harness.drill.alarm_settings import deployed_alarms, template_alarms
from harness.drill.faults import FAULTS
from harness.fixtures.chunks import HIDDEN_CHUNK_GLOB
from harness.targets.ministack.local_aws import LocalAws
from harness.toolchain.paths import ROOT

RUNBOOK = (ROOT / "docs/runbook.md").read_text()
ALARMS = {
    name: each["AlarmDescription"]
    for language in ("none", "python", "go")
    for name, each in deployed(ActiveLanguage=language).items()
    if each["Type"] == "AWS::CloudWatch::Alarm"
}
SECTIONS = {
    part.partition("\n")[0]: part.partition("\n")[2]
    for part in re.split(r"^## ", RUNBOOK, flags=re.MULTILINE)[1:]
}
STACK = "rosetta"
PARAMETERS = {**BUCKETS, "ActiveLanguage": "go"}
KINDS = {
    *("IAM::Role", "SQS::Queue", "Logs::LogGroup", "CloudWatch::Alarm"),
    *(f"Lambda::{each}" for each in ("Function", "Version", "Alias", "EventSourceMapping")),
    *("Scheduler::ScheduleGroup", "Scheduler::Schedule"),
}
#: Commands that ministack can't answer: they are held to the model of the service.
NO_ANSWER = {("cloudtrail", "get_trail_status"), ("cloudtrail", "start_logging")}
ELSEWHERE = {"python -m harness backfill": "test_aws_backfill.py"}


def anchor(heading: str) -> str:
    return re.sub(r"[^\w\- ]", "", heading.lower()).replace(" ", "-")


def section_of(alarm: str) -> str:
    """The heading of an alarm's section. The alarms of idle functions share one."""
    return "Idle alarms" if alarm.startswith("Idle") else alarm


@pytest.mark.parametrize("alarm", sorted(ALARMS))
def test_every_alarm_has_a_section_and_its_description_names_it(alarm: str) -> None:
    text = SECTIONS[section_of(alarm)]
    for part in ("Seen", "Means", "Do", "Dataset", "Over"):
        assert f"- **{part}**: " in text
    assert alarm in f"{section_of(alarm)} {text}"
    assert re.findall(r"docs/runbook\.md#([\w-]+)", ALARMS[alarm]) == [anchor(section_of(alarm))]


def test_the_sections_of_alarms_are_in_the_order_of_their_names() -> None:
    headings = list(dict.fromkeys(section_of(each) for each in sorted(ALARMS)))
    assert [each for each in SECTIONS if each in headings] == headings
    assert all(each in headings for each in SECTIONS if each.endswith("Alarm"))


def test_every_code_of_the_contract_is_explained_and_no_other() -> None:
    (clause,) = re.findall(
        r"^- \*\*E1\*\* (.*?)^- \*\*E2", (ROOT / "SPEC.md").read_text(), re.M | re.S
    )
    codes = set(re.findall(r"`([A-Z0-9_]+)`", clause))
    assert len(codes) == 17
    entries = re.findall(r"^- (\*\*`.*?):", SECTIONS["Codes"], re.M)
    assert sorted(re.findall(r"`(\w+)`", " ".join(entries))) == sorted(codes)


def test_every_fault_of_a_drill_has_a_line_with_its_alarm() -> None:
    text = SECTIONS["Faults of a drill"]
    rows = dict(re.findall(r"^\| `([a-z-]+)` \| ([\w ]+) \| .+ \|$", text, re.M))
    assert rows.keys() == {fault.name for fault in FAULTS}
    for fault in FAULTS:
        assert rows[fault.name] in SECTIONS
        assert rows[fault.name].startswith(fault.alarm)


# ---- the commands ----

COMMANDS = list(commands_of(RUNBOOK))
#: Words whose values an operator reads in an answer that has several.
READ = {"FOREIGN_ID", "REQUEST_ID", "RECEIPT_HANDLE"}
DAY_PREFIX = "2024/02/08/"


def test_every_word_is_shown_by_a_command_of_first_look_or_of_its_section() -> None:
    shown = {named(each) for each in commands_of(SECTIONS["First look"])} - {""}
    for name, text in SECTIONS.items():
        commands = list(commands_of(text))
        own = {named(each) for each in commands} - {""}
        for command in commands:
            used = set(WORD.findall(" ".join(without_name(command)))) - READ
            assert used <= shown | own, (name, command)


def test_a_value_does_not_hang_on_the_operators_output_format() -> None:
    """With json a word has quotation marks, and with text or table a file is no JSON."""
    for command in COMMANDS:
        output = command[command.index("--output") + 1] if "--output" in command else ""
        assert output == ("text" if named(command) else "json" if ">" in command else ""), command


def test_a_search_of_the_log_begins_a_day_ago() -> None:
    searches = [each for each in COMMANDS if "filter-log-events" in each]
    assert len(searches) == 3
    for each in searches:
        assert each[each.index("--start-time") + 1] == "$(($(date +%s) - 86400))000"


def test_hidden_chunks_are_deleted_and_no_other_object_of_the_day() -> None:
    """The names are those of SPEC W1, W6, W8 and W11. The drill's operator has this pattern."""
    spec = (ROOT / "SPEC.md").read_text()
    kept = [f"{DAY_PREFIX}{name}" for name in ("000001.ndjson.gz", "1000000.ndjson.gz")]
    for name in ("_manifest.json", "_claim.json"):
        assert f"`{name}` under the day prefix" in spec
        kept.append(DAY_PREFIX + name)
    assert "`{day prefix}_{request id}-{n:06d}.ndjson.gz`" in spec
    hidden = [f"{DAY_PREFIX}_3f2a-77{number}.ndjson.gz" for number in ("-000001", "-1000000")]
    other = "2024/02/09/_3f2a-77-000001.ndjson.gz"
    (command,) = (each for each in COMMANDS if each[:3] == ["aws", "s3", "rm"])
    assert removed(command[1:], [*kept, *hidden, other]) == hidden
    assert command[-1] == HIDDEN_CHUNK_GLOB


def test_no_command_purges_a_queue() -> None:
    assert "purge-queue" not in RUNBOOK


@pytest.fixture(scope="module")
def aws() -> Iterator[LocalAws]:
    with LocalAws() as aws:
        for bucket in BUCKETS.values():
            aws.create_bucket(bucket)
        aws.create_stack(STACK, small_body(KINDS), PARAMETERS)
        mapping = aws.client("lambda").list_event_source_mappings()["EventSourceMappings"][0]
        aws.client("lambda").update_event_source_mapping(UUID=mapping["UUID"], Enabled=False)
        prefix = DAY_PREFIX
        result = dict.fromkeys(("sources", "bad", "records", "bytes", "chunks"), 0)
        body = json.dumps({"result": result, "chunks": []}).encode()
        bucket = BUCKETS["DestinationBucket"]
        aws.client("s3").put_object(Bucket=bucket, Key=f"{prefix}_manifest.json", Body=body)
        deny = {"Effect": "Deny", "Principal": "*", "Action": "s3:DeleteBucket"}
        statement = {**deny, "Resource": f"arn:aws:s3:::{bucket}"}
        policy = json.dumps({"Version": "2012-10-17", "Statement": [statement]})
        aws.client("s3").put_bucket_policy(Bucket=bucket, Policy=policy)
        key = f"AWSLogs/111122223333/CloudTrail/eu-central-1/{prefix}a.json"
        aws.client("s3").put_object(Bucket=BUCKETS["SourceBucket"], Key=key, Body=b"{}")
        yield aws


@pytest.fixture(scope="module")
def words(aws: LocalAws) -> dict[str, str]:
    """The values of the words, and of what stands for a name in the document."""
    words = {
        "my-trails": BUCKETS["SourceBucket"],
        "my-chunks": BUCKETS["DestinationBucket"],
        "$(date +%s%N)": "1707445800000000000",
        "$(($(date +%s) - 86400))": "1707445800",
        "REQUEST_ID": "3f2a",
    }
    for command in COMMANDS:
        if named(command):
            words[named(command)] = ask(aws, command, words)
    second = aws.client("lambda").create_event_source_mapping(
        FunctionName="rosetta-java", EventSourceArn=words["QUEUE_ARN"], Enabled=False
    )
    return {**words, "FOREIGN_ID": second["UUID"]}


def dead_letter(aws: LocalAws, words: dict[str, str]) -> str:
    """The receipt of a letter that names no day."""
    put_letter(aws, words, "{}")
    (letter,) = aws.client("sqs").receive_message(QueueUrl=words["DEAD_URL"])["Messages"]
    return str(letter["ReceiptHandle"])


def put_letter(aws: LocalAws, words: dict[str, str], body: str) -> None:
    aws.client("sqs").send_message(
        QueueUrl=words["DEAD_URL"],
        MessageBody=body,
        MessageGroupId=body,
        MessageDeduplicationId=body,
    )


@pytest.mark.slow
def test_a_word_does_not_hang_on_the_order_of_an_answer(
    aws: LocalAws, words: dict[str, str]
) -> None:
    """So the mapping is the stack's, though somebody has made another one."""
    for command in COMMANDS:
        if word := named(command):
            call = Call([filled_in(each, words) for each in without_name(command)][1:])
            assert call.answer(Reversed(aws.client(call.service))) == words[word], word


class Reversed:
    """A client whose answers have their lists in the reverse order."""

    def __init__(self, client: Any) -> None:
        self._client = client
        self.meta = client.meta

    def __getattr__(self, name: str) -> Callable[..., Any]:
        def ask(**parameters: Any) -> dict[str, Any]:
            found = getattr(self._client, name)(**parameters)
            return {
                key: list(reversed(value)) if isinstance(value, list) else value
                for key, value in found.items()
            }

        return ask


@pytest.mark.slow
def test_one_dead_letter_is_deleted_and_a_day_stays(aws: LocalAws, words: dict[str, str]) -> None:
    day = '{"year": 2024, "month": 2, "day": 8}'
    for body in ('{"no": "day"}', day):
        put_letter(aws, words, body)
    commands = [each for each in commands_of(SECTIONS["DeadLetterAlarm"]) if each[0] == "aws"]
    answer = ask(aws, commands[0], words)
    receipts = dict(json.loads(answer))
    assert receipts.keys() == {'{"no": "day"}', day}
    for command in commands[1:]:
        ask(aws, command, {**words, "RECEIPT_HANDLE": receipts['{"no": "day"}']})
    sqs, url = aws.client("sqs"), words["DEAD_URL"]
    sqs.change_message_visibility(QueueUrl=url, ReceiptHandle=receipts[day], VisibilityTimeout=0)
    found = sqs.receive_message(QueueUrl=url, MaxNumberOfMessages=10)["Messages"]
    assert [each["Body"] for each in found] == [day]
    sqs.delete_message(QueueUrl=url, ReceiptHandle=found[0]["ReceiptHandle"])


@pytest.mark.slow
@pytest.mark.parametrize("section", [name for name, text in SECTIONS.items() if "\n    " in text])
def test_the_commands_of_a_section_run(
    aws: LocalAws,
    words: dict[str, str],
    section: str,
    monkeypatch: pytest.MonkeyPatch,
    tmp_path: Path,
) -> None:
    monkeypatch.chdir(tmp_path)
    for module in ("harness.targets.aws.session", "harness.operate.health"):
        monkeypatch.setattr(f"{module}.open_clients", lambda _region: aws.clients())
    commands = list(commands_of(SECTIONS[section]))
    assert commands
    own = {}
    if any("RECEIPT_HANDLE" in each for each in commands):
        own["RECEIPT_HANDLE"] = dead_letter(aws, words)
    for command in commands:
        ask(aws, command, {**words, **own})


@pytest.mark.slow
def test_a_disabled_schedule_is_enabled_by_its_section(
    aws: LocalAws, words: dict[str, str], monkeypatch: pytest.MonkeyPatch, tmp_path: Path
) -> None:
    monkeypatch.chdir(tmp_path)
    scheduler = aws.client("scheduler")
    name = {"GroupName": words["GROUP_NAME"], "Name": words["SCHEDULE_NAME"]}
    before = scheduler.get_schedule(**name)
    members = ("ScheduleExpression", "FlexibleTimeWindow", "Target")
    kept = {each: before[each] for each in members}
    scheduler.update_schedule(**name, **kept, State="DISABLED")
    assert scheduler.get_schedule(**name)["State"] == "DISABLED"
    for command in commands_of(SECTIONS["ScheduleSilentAlarm"]):
        ask(aws, command, words)
    after = scheduler.get_schedule(**name)
    assert after["State"] == "ENABLED"
    assert {each: after[each] for each in members} == kept


@pytest.mark.slow
def test_the_alarms_of_the_deployed_stack_are_read_as_those_of_the_template(aws: LocalAws) -> None:
    described = aws.client("cloudwatch").describe_alarms(AlarmNamePrefix=f"{STACK}-")
    found = {each.name: each for each in deployed_alarms(described["MetricAlarms"], STACK)}
    expected = {each.name: each for each in template_alarms(deployed(**PARAMETERS))}
    assert found.keys() == expected.keys()
    for name, each in found.items():
        # the queues and the schedule's group have longer names
        assert replace(each, metric=expected[name].metric) == expected[name]
        assert each.metric.name == expected[name].metric.name


def ask(aws: LocalAws, command: Sequence[str], words: dict[str, str]) -> str:
    """Run a command, and demand an answer without an error."""
    asked = [filled_in(each, words) for each in without_name(command)]
    if any(" ".join(asked).startswith(each) for each in ELSEWHERE):
        return ""
    if asked[:3] == ["python", "-m", "harness"]:
        assert main(asked[3:]) == 0
        return ""
    assert asked[0] == "aws", asked
    if asked[1:3] == ["s3", "rm"]:
        s3, bucket = aws.client("s3"), asked[3].removeprefix("s3://").partition("/")[0]
        keys = [each["Key"] for each in s3.list_objects_v2(Bucket=bucket)["Contents"]]
        for key in removed(asked[1:], keys):
            s3.delete_object(Bucket=bucket, Key=key)
        return ""
    target = asked[-1] if asked[-2] == ">" else None
    call = Call(asked[1:-2] if target else asked[1:])
    client = aws.client(call.service)
    if (call.service, call.method) in NO_ANSWER:
        call.parameters(client)
        return ""
    answer = call.answer(client)
    if not call.is_text:
        json.loads(answer)  # the code of an error is no JSON
    if target:
        Path(target).write_text(answer)
    return answer
