"""An AWS in memory behind boto3's own clients.

botocore checks each request as usual. Each answer is checked against the service's model, so that
no field is invented. The content of the answers is defined here.
"""

from __future__ import annotations

import base64
import io
import json
import threading
from collections.abc import Callable, Mapping, Sequence
from dataclasses import dataclass, field
from typing import Any

import boto3
from botocore.awsrequest import AWSResponse
from botocore.compat import HTTPHeaders
from botocore.config import Config
from botocore.response import StreamingBody
from botocore.validate import ParamValidator

from harness.targets.aws.session import Clients

REGION = "eu-central-1"
QUEUE, DEAD_LETTERS, NOT_SENT = (
    f"https://sqs.{REGION}.amazonaws.com/1/{name}"
    for name in ("days.fifo", "dead.fifo", "schedule-dead")
)
#: A function's answer: result or error, and the REPORT line of Lambda's documentation.
Answer = tuple[object, str | None, str]
_NAMES = {"python": "Python", "java": "Java", "javascript": "JavaScript", "go": "Go"}


class Refused(Exception):
    """The service answers with an error."""

    def __init__(self, code: str, message: str = "so it is", status: int = 400) -> None:
        super().__init__(code)
        self.code, self.message, self.status = code, message, status


@dataclass
class FakeFunction:
    latest: dict[str, Any]
    versions: dict[str, dict[str, Any]] = field(default_factory=dict)
    aliases: dict[str, str] = field(default_factory=dict)
    newest: int = 1  # a number is never given again

    def at(self, qualifier: str | None) -> dict[str, Any]:
        if qualifier in (None, "$LATEST"):
            return self.latest
        number = self.aliases.get(str(qualifier), str(qualifier))
        if number not in self.versions:
            raise Refused("ResourceNotFoundException", status=404)
        return self.versions[number]


@dataclass
class FakeQuery:
    """Athena's end of a statement; the first of ``rows`` has the columns' names.

    It is in each of ``states`` once before the end. With ``reason`` it fails.
    """

    rows: Sequence[Sequence[str | None]] = ()
    written: int | None = None
    reason: str | None = None
    retryable: bool = False
    states: list[str] = field(default_factory=lambda: ["QUEUED", "RUNNING"])
    stopped: bool = False

    @property
    def state(self) -> str:
        if self.stopped:
            return "CANCELLED"
        if self.states:
            return self.states.pop(0)
        return "SUCCEEDED" if self.reason is None else "FAILED"


@dataclass
class FakeAws:
    """``refuse`` maps an operation to its error code; ``done`` has all requests."""

    run: Callable[[Mapping[str, str], Mapping[str, Any], bool], Answer] | None = None
    query: Callable[[str], FakeQuery] = field(default=lambda _: FakeQuery())
    queries: list[FakeQuery] = field(default_factory=list)
    objects: dict[tuple[str, str], bytes] = field(default_factory=dict)
    #: what a listing tells of an object besides
    listed: dict[tuple[str, str], dict[str, Any]] = field(default_factory=dict)
    functions: dict[str, FakeFunction] = field(default_factory=dict)
    queues: dict[str, list[dict[str, Any]]] = field(
        default_factory=lambda: {QUEUE: [], DEAD_LETTERS: [], NOT_SENT: []}
    )
    sent_ids: set[str] = field(default_factory=set)  # as if five minutes never ended
    hidden: set[str] = field(default_factory=set)  # messages that were received
    outputs: dict[str, str] = field(default_factory=dict)
    parameters: dict[str, str] = field(
        default_factory=lambda: {"Architecture": "arm64", "MaximumConcurrency": "2"}
    )
    status: str = "UPDATE_COMPLETE"
    versioning: dict[str, Any] = field(default_factory=dict)
    lifecycle: dict[str, Any] = field(default_factory=dict)
    object_lock: dict[str, Any] = field(default_factory=dict)
    unreserved: int = 1000
    refuse: dict[str, Refused] = field(default_factory=dict)
    done: list[tuple[str, Mapping[str, Any]]] = field(default_factory=list)
    used: set[str] = field(default_factory=set)  # versions that were invoked
    _clients: Clients | None = None

    def __post_init__(self) -> None:
        self.outputs |= {
            **{f"{name}FunctionName": f"rosetta-{name}" for name in _NAMES.values()},
            "QueueUrl": QUEUE,
            "DeadLetterQueueUrl": DEAD_LETTERS,
            "ScheduleDeadLetterQueueUrl": NOT_SENT,
            "ActiveLanguage": "go",
            "SourceBucket": "trails",
            "SourcePrefix": "log/",
            "DestinationBucket": "chunks",
            "DestinationPrefix": "day/",
            "FixtureBucket": "chunks",
            "FixturePrefix": "day/_compare/",
        }
        for language, name in _NAMES.items():
            self.functions[f"rosetta-{name}"] = self._function(language)

    def become_tasks(self) -> None:
        """The stack is one of container.yaml."""
        for name in ("QueueUrl", "DeadLetterQueueUrl", "ActiveLanguage", "FixturePrefix"):
            del self.outputs[name]
        for name in _NAMES.values():
            del self.outputs[f"{name}FunctionName"]
        self.outputs["StateMachineArn"] = f"arn:aws:states:{REGION}:1:stateMachine:days"

    def clients(self) -> Clients:
        if self._clients is None:  # boto3 takes a tenth of a second for them
            services = ("athena", "cloudformation", "lambda", "lambda", "s3", "sqs", "sts")
            self._clients = Clients(REGION, *(self._client(each) for each in services))
        return self._clients

    def add_dead_letter(self, body: str, queue: str = DEAD_LETTERS, fired: str = "") -> None:
        """``fired``: the attribute that EventBridge Scheduler gives to its dead letters."""
        attribute = {"SCHEDULED_TIME": {"DataType": "String", "StringValue": fired}}
        self.queues[queue].append(
            {
                "MessageId": f"{queue}-{len(self.queues[queue])}",
                "Body": body,
                "MessageAttributes": attribute if fired else {},
            }
        )

    def asked(self, operation: str) -> list[Mapping[str, Any]]:
        return [parameters for name, parameters in self.done if name == operation]

    def _function(self, language: str) -> FakeFunction:
        runtimes = {"python": "python3.13", "java": "java25", "javascript": "nodejs24.x"}
        latest = {
            "FunctionName": f"rosetta-{_NAMES[language]}",
            "Runtime": runtimes.get(language, "provided.al2023"),
            "MemorySize": 1769,
            "Timeout": 900,
            "CodeSize": 1_500_000,
            "CodeSha256": "abc",
            "Architectures": ["arm64"],
            "State": "Active",
            "LastUpdateStatus": "Successful",
            "Environment": {
                "Variables": {
                    "SRC_BUCKET": "trails",
                    "SRC_PREFIX": "log/",
                    "DST_BUCKET": "chunks",
                    "DST_PREFIX": "day/",
                    "CHUNK_BYTES": "50000",
                    "MAX_SOURCE_BYTES": "1000000",
                    "S3_CLIENT": "sdk",
                }
            },
            "SnapStart": {"ApplyOn": "None"},
            "Version": "$LATEST",
        }
        return FakeFunction(latest, {"1": {**latest, "Version": "1"}}, {"live": "1"})

    def _client(self, service: str) -> Any:
        client = boto3.client(
            service,  # type: ignore[call-overload]
            region_name=REGION,
            aws_access_key_id="test",
            aws_secret_access_key="test",
            config=Config(retries={"total_max_attempts": 1}),
        )
        asked = threading.local()  # requests come from several threads

        def remember(params: Any, **_: Any) -> None:
            asked.parameters = dict(params)

        def answer(model: Any, **_: Any) -> tuple[AWSResponse, dict[str, Any]]:
            return self._answer(service, model, asked.parameters)

        client.meta.events.register("before-parameter-build", remember)
        client.meta.events.register("before-call", answer)
        return client

    def _answer(
        self, service: str, model: Any, parameters: Mapping[str, Any]
    ) -> tuple[AWSResponse, dict[str, Any]]:
        self.done.append((model.name, parameters))
        status = 200
        found: dict[str, Any] = {}
        try:
            if model.name in self.refuse:
                raise self.refuse[model.name]
            found = getattr(self, f"_{service}_{model.name}")(**parameters) or {}
        except Refused as refused:
            status = refused.status
            found = {"Error": {"Code": refused.code, "Message": refused.message}}
        else:
            _check(found, model.output_shape)
        found["ResponseMetadata"] = {"HTTPStatusCode": status}
        return AWSResponse("https://aws.invalid", status, HTTPHeaders(), io.BytesIO()), found

    # ---- CloudFormation, STS ----

    def _cloudformation_DescribeStacks(self, StackName: str) -> dict[str, Any]:  # noqa: N802, N803
        if StackName != "rosetta":
            raise Refused("ValidationError", f"Stack with id {StackName} does not exist")
        return {
            "Stacks": [
                {
                    "StackName": StackName,
                    "CreationTime": "2026-11-25",
                    "StackStatus": self.status,
                    "Outputs": [
                        {"OutputKey": key, "OutputValue": value}
                        for key, value in self.outputs.items()
                    ],
                    "Parameters": [
                        {"ParameterKey": key, "ParameterValue": value}
                        for key, value in self.parameters.items()
                    ],
                }
            ]
        }

    def _sts_GetCallerIdentity(self) -> dict[str, Any]:  # noqa: N802
        return {"Arn": "arn:aws:iam::111122223333:user/me"}

    # ---- Athena ----

    def _athena_StartQueryExecution(  # noqa: N802
        self,
        QueryString: str,  # noqa: N803
        **_: Any,
    ) -> dict[str, Any]:
        self.queries.append(self.query(QueryString))
        return {"QueryExecutionId": str(len(self.queries))}

    def _athena_GetQueryExecution(  # noqa: N802
        self,
        QueryExecutionId: str,  # noqa: N803
    ) -> dict[str, Any]:
        query = self.queries[int(QueryExecutionId) - 1]
        status: dict[str, Any] = {"State": query.state}
        if status["State"] == "FAILED":
            error = {"ErrorMessage": query.reason, "Retryable": query.retryable}
            status |= {"StateChangeReason": query.reason, "AthenaError": error}
        statistics = {"DataScannedInBytes": 1234, "TotalExecutionTimeInMillis": 1500}
        return {"QueryExecution": {"Status": status, "Statistics": statistics}}

    def _athena_GetQueryResults(  # noqa: N802
        self,
        QueryExecutionId: str,  # noqa: N803
        NextToken: str = "0",  # noqa: N803
        **_: Any,
    ) -> dict[str, Any]:
        """Pages of two rows."""
        query = self.queries[int(QueryExecutionId) - 1]
        begin = int(NextToken)
        shown = query.rows[begin : begin + 2]
        names = query.rows[0] if query.rows else ()
        more = {"NextToken": str(begin + 2)} if begin + 2 < len(query.rows) else {}
        written = {} if query.written is None else {"UpdateCount": query.written}
        return {
            "ResultSet": {
                "Rows": [
                    {"Data": [{} if each is None else {"VarCharValue": each} for each in row]}
                    for row in shown
                ],
                "ResultSetMetadata": {
                    "ColumnInfo": [{"Name": str(each), "Type": "varchar"} for each in names]
                },
            },
            **written,
            **more,
        }

    def _athena_StopQueryExecution(self, QueryExecutionId: str) -> None:  # noqa: N802, N803
        self.queries[int(QueryExecutionId) - 1].stopped = True

    # ---- Lambda ----

    def _lambda_GetFunctionConfiguration(  # noqa: N802
        self,
        FunctionName: str,  # noqa: N803
        Qualifier: str | None = None,  # noqa: N803
    ) -> dict[str, Any]:
        return dict(self.functions[FunctionName].at(Qualifier))

    def _lambda_GetFunction(self, FunctionName: str) -> dict[str, Any]:  # noqa: N802, N803
        return {"Configuration": dict(self.functions[FunctionName].latest)}

    def _lambda_GetAccountSettings(self) -> dict[str, Any]:  # noqa: N802
        return {"AccountLimit": {"UnreservedConcurrentExecutions": self.unreserved}}

    def _lambda_UpdateFunctionConfiguration(  # noqa: N802
        self,
        FunctionName: str,  # noqa: N803
        **settings: Any,
    ) -> dict[str, Any]:
        self.functions[FunctionName].latest |= settings
        return dict(self.functions[FunctionName].latest)

    def _lambda_PublishVersion(self, FunctionName: str) -> dict[str, Any]:  # noqa: N802, N803
        function = self.functions[FunctionName]
        version = str(function.newest)
        same = {**function.latest, "Version": version} == function.versions.get(version)
        if not same:  # nothing new without a change
            function.newest += 1
            version = str(function.newest)
        function.versions[version] = {**function.latest, "Version": version}
        return dict(function.versions[version])

    def _lambda_CreateAlias(  # noqa: N802
        self,
        FunctionName: str,  # noqa: N803
        Name: str,  # noqa: N803
        FunctionVersion: str,  # noqa: N803
    ) -> dict[str, Any]:
        self.functions[FunctionName].aliases[Name] = FunctionVersion
        return {"Name": Name, "FunctionVersion": FunctionVersion}

    def _lambda_DeleteAlias(self, FunctionName: str, Name: str) -> None:  # noqa: N802, N803
        if self.functions[FunctionName].aliases.pop(Name, None) is None:
            raise Refused("ResourceNotFoundException", status=404)

    def _lambda_DeleteFunction(self, FunctionName: str, Qualifier: str) -> None:  # noqa: N802, N803
        if self.functions[FunctionName].versions.pop(Qualifier, None) is None:
            raise Refused("ResourceNotFoundException", status=404)

    def _lambda_Invoke(  # noqa: N802
        self,
        FunctionName: str,  # noqa: N803
        Qualifier: str,  # noqa: N803
        Payload: bytes,  # noqa: N803
        LogType: str,  # noqa: N803
    ) -> dict[str, Any]:
        assert LogType == "Tail"
        assert self.run is not None
        version = self.functions[FunctionName].at(Qualifier)
        place = f"{FunctionName}:{version['Version']}"
        cold = place not in self.used
        self.used.add(place)
        variables = version["Environment"]["Variables"]
        result, error, log = self.run(variables, json.loads(Payload), cold)
        body = json.dumps(result if error is None else {"errorMessage": error}).encode()
        return {
            "StatusCode": 200,
            **({} if error is None else {"FunctionError": "Unhandled"}),
            "LogResult": base64.b64encode(log.encode()[-4096:]).decode(),
            "Payload": StreamingBody(io.BytesIO(body), len(body)),
        }

    # ---- S3 ----

    def _s3_PutObject(self, Bucket: str, Key: str, Body: Any, **_: Any) -> None:  # noqa: N802, N803
        self.objects[Bucket, Key] = Body if isinstance(Body, bytes) else Body.read()

    def _s3_GetObject(self, Bucket: str, Key: str, **_: Any) -> dict[str, Any]:  # noqa: N802, N803
        if (Bucket, Key) not in self.objects:
            raise Refused("NoSuchKey", status=404)
        body = self.objects[Bucket, Key]
        return {"Body": StreamingBody(io.BytesIO(body), len(body)), "ContentLength": len(body)}

    def _s3_HeadBucket(self, Bucket: str) -> dict[str, Any]:  # noqa: N802, N803
        return {"BucketRegion": REGION}

    def _s3_GetBucketVersioning(self, Bucket: str) -> dict[str, Any]:  # noqa: N802, N803
        return dict(self.versioning)

    def _s3_GetBucketLifecycleConfiguration(  # noqa: N802
        self,
        Bucket: str,  # noqa: N803
    ) -> dict[str, Any]:
        if not self.lifecycle:
            raise Refused("NoSuchLifecycleConfiguration", status=404)
        return dict(self.lifecycle)

    def _s3_GetObjectLockConfiguration(self, Bucket: str) -> dict[str, Any]:  # noqa: N802, N803
        if not self.object_lock:
            raise Refused("ObjectLockConfigurationNotFoundError", status=404)
        return {"ObjectLockConfiguration": self.object_lock}

    def _s3_ListObjectsV2(  # noqa: N802
        self,
        Bucket: str,  # noqa: N803
        Prefix: str = "",  # noqa: N803
        Delimiter: str | None = None,  # noqa: N803
        **_: Any,
    ) -> dict[str, Any]:
        keys = sorted(key for bucket, key in self.objects if bucket == Bucket)
        keys = [key for key in keys if key.startswith(Prefix)]
        if Delimiter is None:
            told = [
                {"Key": each, "Size": 1, **self.listed.get((Bucket, each), {})} for each in keys
            ]
            return {"Contents": told, "IsTruncated": False}
        heads = {Prefix + key.removeprefix(Prefix).split("/")[0] + "/" for key in keys}
        return {"CommonPrefixes": [{"Prefix": each} for each in sorted(heads)]}

    def _s3_DeleteObjects(self, Bucket: str, Delete: Mapping[str, Any]) -> None:  # noqa: N802, N803
        for each in Delete["Objects"]:
            del self.objects[Bucket, each["Key"]]

    # ---- SQS ----

    def _sqs_GetQueueAttributes(  # noqa: N802
        self,
        QueueUrl: str,  # noqa: N803
        **_: Any,
    ) -> dict[str, Any]:
        waiting = str(len(self.queues[QueueUrl]))
        return {
            "Attributes": {
                "ApproximateNumberOfMessages": waiting,
                "ApproximateNumberOfMessagesNotVisible": "0",
            }
        }

    def _sqs_SendMessageBatch(  # noqa: N802
        self,
        QueueUrl: str,  # noqa: N803
        Entries: list[dict[str, str]],  # noqa: N803
    ) -> dict[str, Any]:
        assert len(Entries) <= 10
        for each in Entries:
            message: dict[str, Any] = {k: value for k, value in each.items() if k != "Id"}
            self._sqs_SendMessage(QueueUrl, **message)
        return {
            "Successful": [
                {"Id": each["Id"], "MessageId": "m", "MD5OfMessageBody": "0"} for each in Entries
            ],
            "Failed": [],
        }

    def _sqs_SendMessage(  # noqa: N802
        self,
        QueueUrl: str,  # noqa: N803
        MessageBody: str,  # noqa: N803
        MessageGroupId: str | None = None,  # noqa: N803
        MessageDeduplicationId: str | None = None,  # noqa: N803
        MessageAttributes: Mapping[str, Any] | None = None,  # noqa: N803
    ) -> dict[str, Any]:
        if QueueUrl.endswith(".fifo"):
            if not MessageGroupId or not MessageDeduplicationId:
                raise Refused("InvalidParameterValue", "no message group or no deduplication id")
            if MessageDeduplicationId in self.sent_ids:
                return {"MessageId": "dropped"}
            self.sent_ids.add(MessageDeduplicationId)
        number = f"{sum(map(len, self.queues.values()))}-{len(self.done)}-{MessageBody}"
        self.queues[QueueUrl].append(
            {
                "MessageId": number,
                "Body": MessageBody,
                "Attributes": {"MessageGroupId": MessageGroupId or ""},
                "MessageAttributes": MessageAttributes or {},
            }
        )
        return {"MessageId": number}

    def _sqs_ReceiveMessage(  # noqa: N802
        self,
        QueueUrl: str,  # noqa: N803
        MessageAttributeNames: list[str],  # noqa: N803
        **_: Any,
    ) -> dict[str, Any]:
        """SQS gives no message attribute that was not asked for."""
        shown = [each for each in self.queues[QueueUrl] if each["MessageId"] not in self.hidden]
        self.hidden |= {each["MessageId"] for each in shown[:10]}
        return {
            "Messages": [
                {
                    "MessageId": each["MessageId"],
                    "Body": each["Body"],
                    "ReceiptHandle": each["MessageId"],
                    "MessageAttributes": {
                        name: value
                        for name, value in each["MessageAttributes"].items()
                        if name in MessageAttributeNames
                    },
                }
                for each in shown[:10]
            ]
        }

    def _sqs_ChangeMessageVisibilityBatch(  # noqa: N802
        self,
        QueueUrl: str,  # noqa: N803
        Entries: list[dict[str, Any]],  # noqa: N803
    ) -> dict[str, Any]:
        assert QueueUrl in self.queues
        assert len(Entries) <= 10
        assert all(each["VisibilityTimeout"] == 0 for each in Entries)
        self.hidden -= {each["ReceiptHandle"] for each in Entries}
        return {"Successful": [{"Id": each["Id"]} for each in Entries], "Failed": []}

    def _sqs_DeleteMessage(self, QueueUrl: str, ReceiptHandle: str) -> None:  # noqa: N802, N803
        queue = self.queues[QueueUrl]
        queue[:] = [each for each in queue if each["MessageId"] != ReceiptHandle]


def _check(found: Mapping[str, Any], shape: Any) -> None:
    """Every field is one of the service's model, of the right type."""
    if shape is None:
        assert not found
        return
    unknown = found.keys() - shape.members.keys()
    assert not unknown, f"{shape.name} has no {unknown}"
    plain = {key: each for key, each in found.items() if not isinstance(each, StreamingBody)}
    report = ParamValidator().validate(plain, shape)
    assert not report.has_errors(), report.generate_report()


def report_line(**fields: float) -> str:
    """https://docs.aws.amazon.com/lambda/latest/dg/python-logging.html: separated by tabs, and a
    tab at the end of the line.
    """
    words = {
        "duration": "Duration: {:.2f} ms",
        "billed": "Billed Duration: {:.0f} ms",
        "size": "Memory Size: {:.0f} MB",
        "used": "Max Memory Used: {:.0f} MB",
        "init": "Init Duration: {:.2f} ms",
        "restore": "Restore Duration: {:.2f} ms",
        "billed_restore": "Billed Restore Duration: {:.0f} ms",
    }
    told = (words[name].format(value) for name, value in fields.items())
    return "\t".join(("REPORT RequestId: 6f747a63-bbcf-4b8e-aa5c-0d2c5bf7d5c8", *told, "\n"))
