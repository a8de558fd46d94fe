"""The commands of docs/first-deploy.md, run against a local AWS, and the answers that it expects.

ministack takes the place of AWS, and the test that of Lambda and of EventBridge Scheduler. So this
shows that the commands are right, and not what AWS answers.
"""

from __future__ import annotations

import json
import re
import time
from collections.abc import Iterator, Mapping, Sequence
from dataclasses import dataclass

import pytest
from aws_cli import WORD, Call, commands_of, filled_in, named, without_name
from fake_aws import report_line

from harness.build.transform import BUCKETS, small_body
from harness.cli import main
from harness.drill.message_event import scheduled_message
from harness.targets.ministack.local_aws import LocalAws
from harness.toolchain.paths import ROOT

pytestmark = [pytest.mark.slow, pytest.mark.timeout(300)]

STACK, FIRED = "rosetta", "2024-02-09T02:30:00Z"
SOURCE, DESTINATION = BUCKETS["SourceBucket"], BUCKETS["DestinationBucket"]
PARAMETERS = {**BUCKETS, "DestinationPrefix": "first/", "ActiveLanguage": "go"}
KINDS = {
    *("IAM::Role", "SQS::Queue", "Logs::LogGroup", "Logs::MetricFilter", "CloudWatch::Alarm"),
    *(f"Lambda::{each}" for each in ("Function", "Version", "Alias", "EventSourceMapping")),
    *("Scheduler::ScheduleGroup", "Scheduler::Schedule"),
}
#: Commands that ministack can't answer: they are held to the model of the service.
NO_ANSWER = {
    ("logs", "test_metric_filter"),
    ("xray", "get_trace_summaries"),
    ("cloudtrail", "get_event_selectors"),
    ("cloudtrail", "put_event_selectors"),
}
#: Commands of other tests.
ELSEWHERE = {
    "python -m harness backfill": "test_aws_backfill.py",
    "python -m harness compare": "test_aws_compare.py",
    "sam build": "test_deploy.py",
    "sam delete": "test_deploy.py",
}
#: Expected words that only AWS can say.
ONLY_AWS = {"rosetta-NoDayAlarm-...", "TLS_CHACHA20_POLY1305_SHA256"}


@dataclass(frozen=True, slots=True)
class Step:
    name: str
    commands: Sequence[Sequence[str]]
    expected: Sequence[str]
    otherwise: str


def steps() -> list[Step]:
    document = (ROOT / "docs/first-deploy.md").read_text()
    found = []
    for part in re.split(r"^(?=#)", document, flags=re.MULTILINE)[1:]:
        head, _, text = part.partition("\n")
        answer = re.search(r"\*\*Expected\*\*: ((?:.+\n)+?)- \*\*If it differs\*\*: (.+)", text)
        assert answer, head
        words = re.findall(r"`([^`]+)`", answer[1])
        found.append(Step(head.strip("# "), list(commands_of(text)), words, answer[2]))
    return found


STEPS = steps()


@pytest.fixture(scope="module")
def aws() -> Iterator[LocalAws]:
    with LocalAws() as aws:
        for bucket in (SOURCE, DESTINATION):
            aws.create_bucket(bucket)
        aws.create_stack(STACK, small_body(KINDS), PARAMETERS)
        # ministack would take the messages itself
        mapping = aws.client("lambda").list_event_source_mappings()["EventSourceMappings"][0]
        aws.client("lambda").update_event_source_mapping(UUID=mapping["UUID"], Enabled=False)
        yield aws


@pytest.fixture(scope="module")
def words(aws: LocalAws) -> dict[str, str]:
    """The values of the words that the document's first commands show."""
    words = {"my-chunks": DESTINATION}
    for command in STEPS[0].commands:
        if named(command):
            ask(aws, command, words)
    return words


# ---- the parts of AWS that ministack does not play ----


def published(aws: LocalAws, _: Mapping[str, str]) -> None:
    result = dict.fromkeys(("sources", "bad", "records", "bytes", "chunks"), 0)
    body = json.dumps({"result": result, "chunks": []}).encode()
    key = "first/2024/02/08/_manifest.json"
    aws.client("s3").put_object(Bucket=DESTINATION, Key=key, Body=body)
    key = "AWSLogs/111122223333/CloudTrail/eu-central-1/2024/02/08/a.json"
    aws.client("s3").put_object(Bucket=SOURCE, Key=key, Body=b"{}")
    aws.client("glue").create_database(DatabaseInput={"Name": "default"})


def logged(aws: LocalAws, _: Mapping[str, str]) -> None:
    place = {"logGroupName": "/aws/lambda/rosetta/go", "logStreamName": "a"}
    logs = aws.client("logs")
    logs.create_log_stream(**place)
    line = report_line(duration=1, billed=2, size=1769, used=20, init=3)
    event = {"timestamp": int(time.time() * 1000), "message": line}
    logs.put_log_events(**place, logEvents=[event])


def fired(aws: LocalAws, words: Mapping[str, str]) -> None:
    scheduler, sqs = aws.client("scheduler"), aws.client("sqs")
    sqs.purge_queue(QueueUrl=words["QUEUE_URL"])
    (each,) = scheduler.list_schedules()["Schedules"]
    schedule = scheduler.get_schedule(Name=each["Name"], GroupName=each["GroupName"])
    sqs.send_message(**scheduled_message(schedule, FIRED))


def refused(aws: LocalAws, words: Mapping[str, str]) -> None:
    attribute = {"SCHEDULED_TIME": {"DataType": "String", "StringValue": FIRED}}
    aws.client("sqs").send_message(
        QueueUrl=words["LETTERS_URL"], MessageBody="{}", MessageAttributes=attribute
    )


def deleted(aws: LocalAws, _: Mapping[str, str]) -> None:
    cloudformation = aws.client("cloudformation")
    cloudformation.delete_stack(StackName=STACK)
    cloudformation.get_waiter("stack_delete_complete").wait(
        StackName=STACK, WaiterConfig={"Delay": 1, "MaxAttempts": 60}
    )


BEFORE = {"3": published, "4": logged, "7": fired, "8": refused, "15": deleted}


# ---- the steps ----


def test_every_step_has_a_command_an_answer_and_a_remedy() -> None:
    assert len(STEPS) == 16
    for each in STEPS:
        assert each.commands, each
        assert each.expected, each
        assert len(each.otherwise) > 20, each


def test_every_word_has_a_command_before_its_use() -> None:
    shown: set[str] = set()
    for command in (command for step in STEPS for command in step.commands):
        used = set(WORD.findall(" ".join(without_name(command))))
        assert used <= shown, command
        shown |= {named(command)} - {""}
    assert {"QUEUE_URL", "MAPPING_ID", "QUERY_ID"} <= shown


@pytest.mark.parametrize("step", STEPS, ids=[each.name.split(".")[0] for each in STEPS])
def test_the_commands_of_a_step_give_the_expected_answer(
    aws: LocalAws,
    words: dict[str, str],
    step: Step,
    monkeypatch: pytest.MonkeyPatch,
    capsys: pytest.CaptureFixture[str],
) -> None:
    """The steps follow one another, as in the document."""
    for module in ("harness.targets.aws.session", "harness.operate.health"):
        monkeypatch.setattr(f"{module}.open_clients", lambda _region: aws.clients())
    if before := BEFORE.get(step.name.split(".")[0]):
        before(aws, words)
    capsys.readouterr()
    said = [ask(aws, each, words) + capsys.readouterr().out for each in step.commands]
    text = "\n".join(said)
    for each in step.expected:
        if each not in ONLY_AWS and text.strip():
            pattern = re.escape(each).replace(re.escape("..."), ".*")
            assert re.search(pattern, text), text


def is_switched_on(command: Sequence[str]) -> bool:
    """Whether it starts the mapping: ministack would run the function, and log beyond the end."""
    return command[2] == "update-event-source-mapping" and "--enabled" in command


def ask(aws: LocalAws, command: Sequence[str], words: dict[str, str]) -> str:
    """Run a command. What it shows of a word goes to ``words``."""
    asked = [filled_in(each, words) for each in without_name(command)]
    if any(" ".join(asked).startswith(each) for each in ELSEWHERE):
        return ""
    if asked[:3] == ["python", "-m", "harness"]:
        assert main(asked[3:]) == 0
        return ""
    assert asked[0] == "aws", asked
    call = Call(asked[1:])
    client = aws.client(call.service)
    if (call.service, call.method) in NO_ANSWER or is_switched_on(command):
        call.parameters(client)
        return ""
    answer = call.answer(client)
    if name := named(command):
        words[name] = json.loads(answer)
        assert words[name], command
    return answer
