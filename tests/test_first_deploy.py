"""The commands of docs/first-deploy.md, run against a local AWS, and the answers that it expects.

ministack takes the place of AWS, and the test that of Lambda and of EventBridge Scheduler. So this
shows that the commands are right, and not what AWS answers.
"""

from __future__ import annotations

import json
import re
import shlex
import time
from collections.abc import Iterator, Mapping, Sequence
from dataclasses import dataclass

import pytest
from aws_cli import Call
from deployment import scheduled_message
from fake_aws import report_line
from local_aws import LocalAws
from sam_transform import BUCKETS, small_body

from harness.cli import main
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
NO_ANSWER = {("logs", "test_metric_filter"), ("xray", "get_trace_summaries")}
#: Commands of other tests.
ELSEWHERE = {
    "python -m harness compare": "test_aws_compare.py",
    "sam delete": "test_deploy.py",
}
#: Expected words that only AWS can say.
ONLY_AWS = {"kmsKeyId", "rosetta-NoDayAlarm-..."}


@dataclass(frozen=True, slots=True)
class Step:
    name: str
    commands: Sequence[Sequence[str]]
    expected: Sequence[str]
    otherwise: str


def commands_of(text: str) -> Iterator[list[str]]:
    """The commands of the indented blocks; one may have several lines."""
    begun = ""
    for line in re.findall(r"^ {4}(.*)$", text, re.MULTILINE):
        begun += line.removesuffix("\\") + ("" if line.endswith("\\") else "\n")
        try:
            words = shlex.split(begun)
        except ValueError:  # a quotation goes on
            continue
        if not line.endswith("\\"):
            yield words
            begun = ""
    assert not begun.strip()


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
def words(aws: LocalAws) -> Mapping[str, str]:
    """The words of the document that stand for something of the stack."""
    resources = aws.client("cloudformation").describe_stack_resources(StackName=STACK)
    ids = {
        each["LogicalResourceId"]: each["PhysicalResourceId"]
        for each in resources["StackResources"]
    }

    def arn(url: str) -> str:
        asked = {"QueueUrl": url, "AttributeNames": ["QueueArn"]}
        found: str = aws.client("sqs").get_queue_attributes(**asked)["Attributes"]["QueueArn"]
        return found

    letters = ids["ScheduleDeadLetterQueue"]
    return {
        "my-chunks": DESTINATION,
        "QUEUE_URL": ids["DayQueue"],
        "QUEUE_ARN": arn(ids["DayQueue"]),
        "LETTERS_URL": letters,
        "LETTERS_ARN": arn(letters),
        "SCHEDULE_ROLE": ids["ScheduleRole"],
        "MAPPING": ids["DayMapping"],
    }


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


BEFORE = {"3": published, "4": logged, "7": fired, "8": refused, "14": deleted}


# ---- the steps ----


def test_every_step_has_a_command_an_answer_and_a_remedy() -> None:
    assert len(STEPS) == 15
    for each in STEPS:
        assert each.commands, each
        assert each.expected, each
        assert len(each.otherwise) > 20, each


@pytest.mark.parametrize("step", STEPS, ids=[each.name.split(".")[0] for each in STEPS])
def test_the_commands_of_a_step_give_the_expected_answer(
    aws: LocalAws,
    words: Mapping[str, str],
    step: Step,
    monkeypatch: pytest.MonkeyPatch,
    capsys: pytest.CaptureFixture[str],
) -> None:
    """The steps follow one another, as in the document."""
    for module in ("harness.targets.aws.session", "harness.operate.health"):
        monkeypatch.setattr(f"{module}.open_clients", lambda _region: aws.clients())
    if before := BEFORE.get(step.name.split(".")[0]):
        before(aws, words)
    said = [
        ask(aws, [filled_in(each, words) for each in command], capsys) for command in step.commands
    ]
    text = "\n".join(said)
    for each in step.expected:
        if each not in ONLY_AWS and said:
            pattern = re.escape(each).replace(re.escape("..."), ".*")
            assert re.search(pattern, text), text


def filled_in(word: str, words: Mapping[str, str]) -> str:
    for name, value in words.items():
        word = word.replace(name, value)
    return word


def ask(aws: LocalAws, command: Sequence[str], capsys: pytest.CaptureFixture[str]) -> str:
    if any(" ".join(command).startswith(each) for each in ELSEWHERE):
        return ""
    if command[:3] == ["python", "-m", "harness"]:
        capsys.readouterr()
        assert main(command[3:]) == 0
        return capsys.readouterr().out
    assert command[0] == "aws", command
    call = Call(command[1:])
    client = aws.client(call.service)
    if (call.service, call.method) in NO_ANSWER:
        call.parameters(client)
        return ""
    return call.answer(client)
