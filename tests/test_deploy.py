"""``sam deploy`` to a local AWS: a stack is created, changed, run and deleted.

This proves the commands, the connections in the template, the uploaded packages, and the way of a
message from the queue. ministack's FIFO queue keeps groups and deduplication ids as AWS documents
them. The test does not prove rights, quotas, SnapStart or the firing of the schedule.
"""

from __future__ import annotations

import json
from collections.abc import Iterator
from datetime import date
from pathlib import Path
from typing import Any

import pytest
from botocore.exceptions import ClientError
from conftest import IMPLEMENTATIONS, built
from deployment import Deployment
from relay import Relay

from harness.build.transform import parameters
from harness.drill.message_event import scheduled_message
from harness.model import Artefact
from harness.operate.ledger import Task
from harness.operate.messages import message
from harness.operate.redrive import list_all, look, redrive
from harness.targets.local.sandbox import LocalSandbox
from harness.targets.ministack.local_aws import LocalAws
from harness.toolchain.programs import host_architecture
from harness.verify.scripted_s3.scene import Fault, Stored
from harness.verify.scripted_s3.server import ScriptedS3
from harness.verify.vectors.cases import DESTINATION_BUCKET, SOURCE_BUCKET, load_cases
from harness.verify.vectors.judge import judge
from harness.verify.vectors.sandbox_pool import SandboxPool

pytestmark = [pytest.mark.slow, pytest.mark.timeout(1200)]

FIRST, SECOND = "java", "go"
LANGUAGES = list(IMPLEMENTATIONS)
FOLDER = "AWSLogs/111122223333/CloudTrail/eu-central-1"
GOOD, BAD = f"{FOLDER}/2024/02/07/good.json", f"{FOLDER}/2024/02/09/bad.json"


@pytest.fixture(scope="module")
def stack(tmp_path_factory: pytest.TempPathFactory) -> Iterator[Deployment]:
    artefacts = {}
    for language in LANGUAGES:
        made = built(language)
        assert isinstance(made, Artefact), made
        artefacts[language] = made
    with LocalAws() as aws:
        assert aws.addresses == {"127.0.0.1"}
        deployment = Deployment(aws, tmp_path_factory.mktemp("checkout"), artefacts)
        deployment.deploy(ActiveLanguage=FIRST)
        # ministack would take the messages itself
        (mapping,) = deployment.mappings()
        aws.client("lambda").update_event_source_mapping(UUID=mapping["UUID"], Enabled=False)
        yield deployment


@pytest.fixture(scope="module")
def unpacked(
    stack: Deployment, tmp_path_factory: pytest.TempPathFactory
) -> Iterator[dict[str, Artefact]]:
    yield {each: stack.downloaded(each, tmp_path_factory.mktemp(each)) for each in LANGUAGES}


def variables(stack: Deployment, language: str) -> dict[str, str]:
    deployed: dict[str, str] = stack.live(language)["Environment"]["Variables"]
    return deployed


@pytest.mark.parametrize("language", LANGUAGES)
def test_a_function_is_deployed_as_the_template_says(stack: Deployment, language: str) -> None:
    function, live = IMPLEMENTATIONS[language], stack.live(language)
    assert (live["Runtime"], live["Handler"]) == (function.runtime, function.handler)
    assert (live["MemorySize"], live["Timeout"]) == (function.memory_mb, function.timeout_s)
    assert live["Architectures"] == [host_architecture()]
    assert live["Version"] == "1"
    assert variables(stack, language) == {
        **function.environment,
        "SRC_BUCKET": SOURCE_BUCKET,
        "SRC_PREFIX": "",
        "DST_BUCKET": DESTINATION_BUCKET,
        "DST_PREFIX": "",
    }


def test_the_stack_has_the_tag_that_cloudformation_hands_on(stack: Deployment) -> None:
    assert stack.tags() == [{"Key": "app", "Value": "lambda-rosetta-stone"}]


def test_the_queues_are_deployed_as_the_template_says(stack: Deployment) -> None:
    queue, dead = stack.queue("QueueUrl"), stack.queue("DeadLetterQueueUrl")
    assert queue["FifoQueue"] == dead["FifoQueue"] == "true"
    assert "FifoQueue" not in stack.queue("ScheduleDeadLetterQueueUrl")
    assert queue["VisibilityTimeout"] == str(6 * int(parameters()["Timeout"]))
    assert queue["MessageRetentionPeriod"] == dead["MessageRetentionPeriod"] == "1209600"
    policy = json.loads(queue["RedrivePolicy"])
    assert (policy["deadLetterTargetArn"], int(policy["maxReceiveCount"])) == (dead["QueueArn"], 5)


def test_the_queue_leads_to_the_active_language(stack: Deployment) -> None:
    (mapping,) = stack.mappings()
    assert mapping["EventSourceArn"] == stack.queue("QueueUrl")["QueueArn"]
    assert mapping["FunctionArn"].endswith(f":{stack.function_name(FIRST)}:live")
    assert mapping["BatchSize"] == 1
    assert int(mapping["ScalingConfig"]["MaximumConcurrency"]) == 5
    request = scheduled_message(stack.schedule(), "2024-02-08T02:30:00Z")
    assert request["QueueUrl"] == stack.outputs()["QueueUrl"]


@pytest.mark.parametrize("language", LANGUAGES)
def test_the_uploaded_package_is_the_built_one(
    stack: Deployment, unpacked: dict[str, Artefact], language: str
) -> None:
    def contents(folder: Path) -> dict[str, tuple[bytes, int]]:
        files = (path for path in folder.rglob("*") if path.is_file())
        return {
            path.relative_to(folder).as_posix(): (path.read_bytes(), path.stat().st_mode & 0o111)
            for path in files
        }

    assert contents(unpacked[language].folder) == contents(stack.artefacts[language].folder)


@pytest.mark.parametrize("language", LANGUAGES)
@pytest.mark.parametrize("case", ["chunks-across-sources", "trigger-sqs-scheduler"])
def test_the_uploaded_package_passes_a_vector(
    stack: Deployment, unpacked: dict[str, Artefact], s3: ScriptedS3, language: str, case: str
) -> None:
    settings = variables(stack, language)
    with SandboxPool(unpacked[language]) as pool:
        (vector,) = load_cases(glob=case)
        assert not judge(vector, s3, lambda env, timeout: pool({**settings, **env}, timeout))


@pytest.fixture
def relay(stack: Deployment, unpacked: dict[str, Artefact], s3: ScriptedS3) -> Iterator[Relay]:
    """A relay from the deployed queue to the function that the mapping names."""
    (mapping,) = stack.mappings()
    names = {stack.function_name(each): each for each in LANGUAGES}
    language = names[mapping["FunctionArn"].split(":")[-2]]
    with LocalSandbox(unpacked[language], {**variables(stack, language), **s3.env()}) as sandbox:
        queue = stack.queue("QueueUrl")["QueueArn"]
        sqs = stack.aws.client("sqs")
        yield Relay(sqs, stack.outputs()["QueueUrl"], queue, sandbox)


def begin(s3: ScriptedS3, *faults: Fault) -> None:
    sources = {GOOD: Stored(b'{"Records":[{"n":1},{"n":2}]}'), BAD: Stored(b'{"Records":[')}
    s3.begin({SOURCE_BUCKET: sources, DESTINATION_BUCKET: {}}, faults)


def left(stack: Deployment, output: str) -> int:
    """Messages in a queue, visible or not."""
    attributes = stack.queue(output)
    names = ("ApproximateNumberOfMessages", "ApproximateNumberOfMessagesNotVisible")
    return sum(int(attributes[name]) for name in names)


def send(stack: Deployment, relay: Relay, day: date) -> None:
    relay.sqs.send_message(QueueUrl=relay.queue_url, **message(Task(day)))
    assert left(stack, "QueueUrl") == 1


def test_the_schedules_message_aggregates_the_day_before(
    stack: Deployment, relay: Relay, s3: ScriptedS3
) -> None:
    """ministack fires no schedule whose target is a request of AWS's API, so the test makes it.
    tests/test_rights.py makes it with the rights of the schedule's role.
    """
    begin(s3)
    for _ in range(2):  # the scheduler may send twice: SQS drops the second
        relay.sqs.send_message(**scheduled_message(stack.schedule(), "2024-02-08T02:30:00Z"))
    (invocation,) = relay.drain()
    assert invocation.error is None
    assert set(s3.objects(DESTINATION_BUCKET)) == {
        "2024/02/07/000001.ndjson.gz",
        "2024/02/07/_manifest.json",
    }
    assert (left(stack, "QueueUrl"), left(stack, "DeadLetterQueueUrl")) == (0, 0)


def test_a_day_that_failed_is_tried_again(stack: Deployment, relay: Relay, s3: ScriptedS3) -> None:
    begin(s3, Fault("get", GOOD, status=503, code="ServiceUnavailable", times=5))
    send(stack, relay, date(2024, 2, 7))
    failure = f"S3_ERROR: get {GOOD} (ServiceUnavailable)"
    assert [each.error for each in relay.drain()] == [failure, None]
    assert (left(stack, "QueueUrl"), left(stack, "DeadLetterQueueUrl")) == (0, 0)


def test_a_day_that_keeps_failing_ends_among_the_dead_letters_and_can_be_put_back(
    stack: Deployment, relay: Relay, s3: ScriptedS3
) -> None:
    begin(s3)
    send(stack, relay, date(2024, 2, 9))
    errors = [each.error for each in relay.drain()]
    assert errors == [f"BAD_SOURCES: 1 of 1: {BAD} (BAD_JSON)"] * 5
    assert (left(stack, "QueueUrl"), left(stack, "DeadLetterQueueUrl")) == (0, 1)
    clients, url = stack.aws.clients(), stack.outputs()["DeadLetterQueueUrl"]
    assert [str(each) for each in list_all(clients, url)] == ["2024-02-09"]
    # at once: SQS still drops an id that it has seen in these five minutes
    for letter in look(clients, url):
        redrive(clients, letter, relay.queue_url, force=True)
    assert [each.error for each in relay.drain()] == [None]
    assert (left(stack, "QueueUrl"), left(stack, "DeadLetterQueueUrl")) == (0, 0)


def test_no_day_is_handed_out_twice_at_a_time(stack: Deployment) -> None:
    sqs, url = stack.aws.client("sqs"), stack.outputs()["QueueUrl"]

    def receive() -> list[dict[str, Any]]:
        answer = sqs.receive_message(QueueUrl=url, AttributeNames=["All"])
        return list(answer.get("Messages", []))

    day, account = Task(date(2024, 2, 7)), Task(date(2024, 2, 7), "111122223333")
    for task in (day, day, account):
        sqs.send_message(QueueUrl=url, **message(task))
    first, second = receive() + receive()
    groups = [each["Attributes"]["MessageGroupId"] for each in (first, second)]
    assert groups == ["2024-02-07", "2024-02-07/111122223333"]
    assert receive() == []
    sqs.delete_message(QueueUrl=url, ReceiptHandle=first["ReceiptHandle"])
    (third,) = receive()
    assert third["Attributes"]["MessageGroupId"] == "2024-02-07"
    for each in (second, third):
        sqs.delete_message(QueueUrl=url, ReceiptHandle=each["ReceiptHandle"])
    assert left(stack, "QueueUrl") == 0


@pytest.mark.parametrize("forgotten", ["MessageGroupId", "MessageDeduplicationId"])
def test_a_message_without_its_ids_is_refused(stack: Deployment, forgotten: str) -> None:
    request = message(Task(date(2024, 2, 7)))
    del request[forgotten]
    with pytest.raises(ClientError, match=r"MissingParameter|InvalidParameterValue"):
        stack.aws.client("sqs").send_message(QueueUrl=stack.outputs()["QueueUrl"], **request)


def settings_of(live: dict[str, Any]) -> tuple[object, ...]:
    return live["MemorySize"], live["Environment"]["Variables"]["CONCURRENCY"]


def test_another_language_takes_over_and_the_stack_goes_away(stack: Deployment) -> None:
    stack.deploy(ActiveLanguage=SECOND)
    (mapping,) = stack.mappings()
    assert mapping["FunctionArn"].endswith(f":{stack.function_name(SECOND)}:live")
    assert stack.outputs()["ActiveLanguage"] == SECOND

    # a parameter's new value reaches the alias; SnapStart changes two of the four functions
    stack.deploy(ActiveLanguage="none", MemorySize=512, Concurrency=4)
    stack.deploy(ActiveLanguage="none", MemorySize=512, Concurrency=4, SnapStart="On")
    assert {settings_of(stack.live(each)) for each in LANGUAGES} == {(512, "4")}
    snapshots = {each: stack.live(each).get("SnapStart", {}).get("ApplyOn") for each in LANGUAGES}
    assert {each for each, on in snapshots.items() if on == "PublishedVersions"} == {
        "java",
        "python",
    }
    options = {each: stack.live(each)["Environment"]["Variables"] for each in LANGUAGES}
    assert [each for each in options if "JAVA_TOOL_OPTIONS" in options[each]] == ["java"]
    assert stack.mappings() == []
    assert stack.aws.client("scheduler").list_schedules()["Schedules"] == []

    stack.delete()
    assert stack.aws.client("lambda").list_functions()["Functions"] == []
    assert stack.aws.client("sqs").list_queues().get("QueueUrls", []) == []
