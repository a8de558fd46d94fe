"""The policies of operators (docs/policies/), tried: each right is used, none is spare.

The commands run against ministack with a role that has one of the policies and nothing else. Every
action is taken away in turn. Then exactly the expected commands fail, and each of them names the
action that was taken away.
"""

from __future__ import annotations

import json
import re
import subprocess
from collections.abc import Callable, Iterator, Mapping
from dataclasses import dataclass
from datetime import date
from itertools import count
from pathlib import Path
from time import sleep
from typing import Any

import pytest
from botocore.exceptions import ClientError
from test_rights import DESTINATION, KEY, PREFIXES, SOURCE

from harness.build.template import load_implementations
from harness.build.transform import BUCKETS, small_body
from harness.cli import main
from harness.compact.places import FOLDER
from harness.compact.store import Store
from harness.model import Artefact, Finding, HarnessError
from harness.operate.health import check_stack
from harness.operate.ledger import Task
from harness.operate.messages import message
from harness.targets.aws.athena import Athena
from harness.targets.aws.session import Clients
from harness.targets.aws.stack import read_stack
from harness.targets.aws.target import aws_target
from harness.targets.ministack.local_aws import REGION, LocalAws
from harness.targets.ministack.roles import Session, granted, lacking, listed, session_of
from harness.toolchain.paths import ROOT

pytestmark = [pytest.mark.slow, pytest.mark.timeout(600)]

STACK, ACCOUNT, RESULTS = "rosetta", "000000000000", "results-bucket"
TEMPLATE = load_implementations()
KINDS = {
    *("IAM::Role", "SQS::Queue", "Logs::LogGroup"),
    *(f"Lambda::{each}" for each in ("Function", "Version", "Alias")),
}
MANIFEST = {"result": dict.fromkeys(("sources", "bad", "records", "bytes", "chunks"), 1)}
DAY = "2024-02-08"
RANGE = ("--from", DAY, "--to", DAY)
PLACEHOLDERS = {
    "PARTITION": "aws",
    "REGION": REGION,
    "ACCOUNT": ACCOUNT,
    "STACK": STACK,
    "SOURCE-BUCKET": SOURCE,
    "SOURCE-PREFIX/": PREFIXES["SourcePrefix"],
    "DESTINATION-BUCKET": DESTINATION,
    "DESTINATION-PREFIX/": PREFIXES["DestinationPrefix"],
    "WORKGROUP": "primary",
    "DATABASE": "default",
    "RESULTS-BUCKET": RESULTS,
    "RESULTS-PREFIX/": "athena/",
}


def policy_of(name: str) -> dict[str, Any]:
    """A policy with its placeholders filled in."""
    text = (ROOT / f"docs/policies/{name}.json").read_text()
    for placeholder, value in PLACEHOLDERS.items():
        text = text.replace(placeholder, value)
    policy: dict[str, Any] = json.loads(text)
    return policy


#: ministack asks for other names than AWS, or for the wrong resource.
ALSO = {
    "sqs:SendMessage": "sqs:SendMessageBatch",
    "sqs:ChangeMessageVisibility": "sqs:ChangeMessageVisibilityBatch",
    "lambda:DeleteAlias": "lambda:ListAliases",
}
WIDER = {
    "RunStatements": "*",  # it forgets the workgroup of a statement that has begun
    "ReadCatalog": f"arn:aws:glue:{REGION}:{ACCOUNT}:table/*",  # it takes a database for a table
}


def for_ministack(policy: Mapping[str, Any]) -> dict[str, Any]:
    statements = []
    for each in policy["Statement"]:
        actions = listed(each["Action"])
        more = [ALSO[action] for action in actions if action in ALSO]
        wider = [WIDER[each["Sid"]]] if each["Sid"] in WIDER else []
        resources = [*listed(each["Resource"]), *wider]
        statements.append({**each, "Action": [*actions, *more], "Resource": resources})
    return {**policy, "Statement": statements}


# ---- the stack and its operator ----


@dataclass(frozen=True, slots=True)
class Operator:
    """A session with the rights of one policy; ``folder`` is for files of the commands."""

    session: Session
    outputs: Mapping[str, str]
    folder: Path
    number: Iterator[int]

    @property
    def root(self) -> LocalAws:
        """It may do everything."""
        return self.session.aws

    def allow(self, policy: Mapping[str, Any]) -> None:
        self.session.allow(for_ministack(policy))

    def clients(self) -> Clients:
        return self.session.clients()


@pytest.fixture(scope="module")
def operator(tmp_path_factory: pytest.TempPathFactory) -> Iterator[Operator]:
    with LocalAws(auth=True) as aws:
        s3, iam = (aws.client(each) for each in ("s3", "iam"))
        for bucket in (SOURCE, RESULTS):
            aws.create_bucket(bucket)
        aws.create_bucket(DESTINATION, ObjectLockEnabledForBucket=True)
        retention = {"Mode": "GOVERNANCE", "Days": 1}
        s3.put_object_lock_configuration(
            Bucket=DESTINATION,
            ObjectLockConfiguration={
                "ObjectLockEnabled": "Enabled",
                "Rule": {"DefaultRetention": retention},
            },
        )
        expiry = {"NoncurrentVersionExpiration": {"NoncurrentDays": 7}, "Filter": {"Prefix": ""}}
        s3.put_bucket_lifecycle_configuration(
            Bucket=DESTINATION,
            LifecycleConfiguration={"Rules": [{"ID": "old", "Status": "Enabled", **expiry}]},
        )
        s3.put_object(Bucket=SOURCE, Key=KEY, Body=b'{"Records":[{"n":1}]}')
        aws.client("glue").create_database(DatabaseInput={"Name": "default"})
        manifest = json.dumps(MANIFEST).encode()
        s3.put_object(Bucket=DESTINATION, Key="day/2024/02/08/_manifest.json", Body=manifest)
        parameters = {**BUCKETS, **PREFIXES, "ActiveLanguage": "go"}
        aws.create_stack(STACK, small_body(KINDS), parameters)
        trust = {"Version": "2012-10-17", "Statement": []}
        iam.create_role(RoleName="operator", AssumeRolePolicyDocument=json.dumps(trust))
        session = session_of(aws, "operator", "policy")
        # redrive waits a second for messages that come late; here none does
        session.client("sqs").meta.events.register(
            "provide-client-params.sqs.ReceiveMessage",
            lambda params, **_: {**params, "WaitTimeSeconds": 0},
        )
        outputs = read_stack(aws.clients(), STACK).outputs
        yield Operator(session, outputs, tmp_path_factory.mktemp("operator"), count())


@pytest.fixture(autouse=True)
def its_credentials(operator: Operator, monkeypatch: pytest.MonkeyPatch) -> None:
    for module in ("harness.targets.aws.session", "harness.operate.health"):
        monkeypatch.setattr(f"{module}.open_clients", lambda _region: operator.clients())
    monkeypatch.setattr("botocore.waiter.time.sleep", lambda _: sleep(0.05))


# ---- what operators do ----

#: It returns the rights that it asks for.
Ask = Callable[[Operator, pytest.CaptureFixture[str]], set[str]]


def asked(text: str) -> set[str]:
    return set(re.findall(r"give yourself (\w+:\w+)", text))


def command(*arguments: str) -> Ask:
    def ask(operator: Operator, capsys: pytest.CaptureFixture[str]) -> set[str]:
        capsys.readouterr()
        ledger = str(operator.folder / f"{next(operator.number)}")
        own = [each.replace("LEDGER", ledger) for each in arguments]
        assert main([*own, "--stack", STACK]) in (0, 1)
        captured = capsys.readouterr()
        return asked(captured.out + captured.err)

    return ask


def findings() -> dict[str, Finding]:
    return {each.name: each for each in check_stack(STACK, None, TEMPLATE)}


def doctor(_: Operator, _capsys: pytest.CaptureFixture[str]) -> set[str]:
    return asked(" ".join(f"{each.detail} {each.remedy}" for each in findings().values()))


def compare(operator: Operator, _: pytest.CaptureFixture[str]) -> set[str]:
    """All requests of a comparison, with one sandbox and one object of each kind."""
    clients, records = operator.clients(), operator.folder / "records"
    try:
        stack = read_stack(clients, STACK)
        with aws_target(clients, stack, TEMPLATE, lambda _: None, print, records) as target:
            go = next(each for each in target.load() if each.language == "go")
            artefact = target.build([go], print)["go"]
            assert isinstance(artefact, Artefact)
            with target.serve(None, {True}) as store:
                store.put_file("any", "a", b"1")
                places = store.env(tls=True)
                operator.root.client("s3").put_object(
                    Bucket=DESTINATION, Key=f"{places['DST_PREFIX']}a", Body=b"2"
                )
                with target.sandbox(artefact, places) as sandbox:
                    assert sandbox.invoke({"n": 1}).result == {"n": 1}
                assert list(store.read_tree("any").values()) == [b"2"]
                store.clear("any")
    except HarnessError as error:
        return asked(str(error))
    return set()


def cancel(operator: Operator, capsys: pytest.CaptureFixture[str]) -> set[str]:
    """A statement that Ctrl-C ends."""

    def interrupted(**_: object) -> None:
        raise KeyboardInterrupt

    capsys.readouterr()
    clients = operator.clients()
    events, name = clients.athena.meta.events, "before-call.athena.GetQueryExecution"
    events.register(name, interrupted)
    try:
        Athena(clients, output=f"s3://{RESULTS}/athena/").run("SELECT 1", "default")
    except HarnessError as error:
        return asked(str(error))
    except KeyboardInterrupt:
        return asked(capsys.readouterr().err)
    finally:
        events.unregister(name, interrupted)
    raise AssertionError("the statement was not interrupted")


def store_of_parquet(operator: Operator, _: pytest.CaptureFixture[str]) -> set[str]:
    """The requests to S3 that compact makes itself."""
    try:
        store = Store(operator.clients().s3, DESTINATION, f"day/{FOLDER}")
        store.list("day/2024/02/08/")
        store.put(f"day/{FOLDER}a", b"1")
        assert store.get(f"day/{FOLDER}a") == b"1"
        store.delete([f"day/{FOLDER}a"])
    except HarnessError as error:
        return asked(str(error))
    return set()


def request(action: str, service: str, method: str, **parameters: object) -> Ask:
    """A request that Athena makes in the operator's name."""

    def ask(operator: Operator, _: pytest.CaptureFixture[str]) -> set[str]:
        try:
            getattr(operator.session.client(service), method)(**parameters)
        except ClientError as error:
            code = error.response["Error"]["Code"]
            if "AccessDenied" in code:
                return {action}
            assert code in ("EntityNotFoundException", "NoSuchUpload", "AlreadyExistsException")
        return set()

    return ask


OPERATE: dict[str, Ask] = {
    "backfill": command("backfill", *RANGE, "--by-account", "--no-wait", "--ledger", "LEDGER"),
    "status": command("status", *RANGE),
    "redrive --dry-run": command("redrive", "--dry-run"),
    "redrive": command("redrive"),
    "doctor": doctor,
}
NEEDED_TO_OPERATE = {
    ("DescribeStack", "cloudformation:DescribeStacks"): set(OPERATE),
    ("ListSource", "s3:ListBucket"): {"backfill", "doctor"},
    ("ListDestination", "s3:ListBucket"): {"doctor"},
    ("ReadDestination", "s3:GetObject"): {"status"},
    ("ReadFunctions", "lambda:GetFunctionConfiguration"): {"doctor"},
    ("SendDays", "sqs:SendMessage"): {"backfill", "redrive"},
    ("CountMessages", "sqs:GetQueueAttributes"): {"backfill", "doctor"},
    ("MoveDeadLetters", "sqs:ReceiveMessage"): {"backfill", "redrive --dry-run", "redrive"},
    ("MoveDeadLetters", "sqs:ChangeMessageVisibility"): {"backfill", "redrive --dry-run"},
    ("MoveDeadLetters", "sqs:DeleteMessage"): {"redrive"},
}
#: doctor leaves out what it may not read: right -> the finding that is missing or wrong
NEEDED_TO_SEE = {
    ("ReadBucketSettings", "s3:GetBucketVersioning"): "versions",
    ("ReadBucketSettings", "s3:GetLifecycleConfiguration"): "versions",
    ("ReadBucketSettings", "s3:GetBucketObjectLockConfiguration"): "object lock",
}
#: ministack asks for no right here; test_doctor.py shows that doctor makes the request
NOT_CHECKED = {("ReadQuota", "lambda:GetAccountSettings")}

COMPARE: dict[str, Ask] = {"compare": compare}
DATABASE, TABLE = {"DatabaseName": "default"}, {"Name": "rosetta_compact_a"}
PARQUET = {"Bucket": DESTINATION, "Key": "day/parquet/a"}
RESULT = {"Bucket": RESULTS, "Key": "athena/a"}
#: What AWS documents of Athena's own requests: (statement, action) -> service, method, parameters
BY_ATHENA: dict[tuple[str, str], tuple[str, str, dict[str, Any]]] = {
    ("ReadCatalog", "glue:GetDatabase"): ("glue", "get_database", {"Name": "default"}),
    ("ReadCatalog", "glue:GetDatabases"): ("glue", "get_databases", {}),
    ("ReadCatalog", "glue:GetTable"): ("glue", "get_table", {**DATABASE, "Name": "x"}),
    ("ReadCatalog", "glue:GetTables"): ("glue", "get_tables", DATABASE),
    ("MakeTables", "glue:CreateTable"): ("glue", "create_table", {**DATABASE, "TableInput": TABLE}),
    ("MakeTables", "glue:DeleteTable"): ("glue", "delete_table", {**DATABASE, "Name": "x"}),
    ("ListSource", "s3:GetBucketLocation"): ("s3", "get_bucket_location", {"Bucket": SOURCE}),
    ("ReadSource", "s3:GetObject"): ("s3", "get_object", {"Bucket": SOURCE, "Key": KEY}),
    **{
        (sid, f"s3:{action}"): ("s3", method, {"Bucket": bucket})
        for sid, bucket in (("ListDestination", DESTINATION), ("ListResults", RESULTS))
        for action, method in (
            ("GetBucketLocation", "get_bucket_location"),
            ("ListBucketMultipartUploads", "list_multipart_uploads"),
        )
    },
    ("ListResults", "s3:ListBucket"): ("s3", "list_objects_v2", {"Bucket": RESULTS}),
    **{
        (sid, f"s3:{action}"): ("s3", method, {**place, "UploadId": "none"})
        for sid, place in (("WriteTables", PARQUET), ("KeepResults", RESULT))
        for action, method in (
            ("AbortMultipartUpload", "abort_multipart_upload"),
            ("ListMultipartUploadParts", "list_parts"),
        )
    },
    ("KeepResults", "s3:PutObject"): ("s3", "put_object", RESULT),
    ("KeepResults", "s3:GetObject"): ("s3", "get_object", RESULT),
}
ATHENA: dict[str, Ask] = {
    "sql": command("sql", "--day", DAY, "--output", f"s3://{RESULTS}/athena/"),
    "Ctrl-C": cancel,
    "compact": store_of_parquet,
    **{
        f"{sid} {action}": request(action, service, method, **parameters)
        for (sid, action), (service, method, parameters) in BY_ATHENA.items()
    },
}
NEEDED_BY_ATHENA = {
    ("DescribeStack", "cloudformation:DescribeStacks"): {"sql"},
    ("RunStatements", "athena:StartQueryExecution"): {"sql", "Ctrl-C"},
    ("RunStatements", "athena:GetQueryExecution"): {"sql"},
    ("RunStatements", "athena:GetQueryResults"): {"sql"},
    ("RunStatements", "athena:StopQueryExecution"): {"Ctrl-C"},
    ("ListSource", "s3:ListBucket"): {"sql"},
    ("ListDestination", "s3:ListBucket"): {"compact"},
    ("ReadDestination", "s3:GetObject"): {"sql", "compact"},
    ("WriteTables", "s3:PutObject"): {"compact"},
    ("RemoveParquet", "s3:DeleteObject"): {"compact"},
    **{(sid, action): {f"{sid} {action}"} for sid, action in BY_ATHENA},
}


# ---- the proof ----

POLICIES = {
    "operate": (OPERATE, NEEDED_TO_OPERATE),
    "compare": (COMPARE, {each: {"compare"} for each in sorted(granted(policy_of("compare")))}),
    "athena": (ATHENA, NEEDED_BY_ATHENA),
}
TRIALS = [(name, *right) for name, (_, needed) in POLICIES.items() for right in needed]


@pytest.fixture(autouse=True)
def a_letter_in_each_queue_and_no_table(operator: Operator) -> None:
    """Whatever commands without their rights have left."""
    glue = operator.root.client("glue")
    for each in glue.get_tables(**DATABASE)["TableList"]:
        glue.delete_table(**DATABASE, Name=each["Name"])
    sqs = operator.root.client("sqs")
    for output in ("QueueUrl", "DeadLetterQueueUrl", "ScheduleDeadLetterQueueUrl"):
        url = operator.outputs[output]
        sqs.purge_queue(QueueUrl=url)
        request = message(Task(date.fromisoformat(DAY)))
        if output == "ScheduleDeadLetterQueueUrl":
            request = {"MessageBody": request["MessageBody"]}
        if output != "QueueUrl":
            sqs.send_message(QueueUrl=url, **request)


@pytest.mark.parametrize("name", POLICIES)
def test_with_its_policy_each_command_is_allowed(
    operator: Operator, capsys: pytest.CaptureFixture[str], name: str
) -> None:
    operator.allow(policy_of(name))
    for command_name, ask in POLICIES[name][0].items():
        assert ask(operator, capsys) == set(), command_name


@pytest.mark.parametrize(("name", "sid", "action"), TRIALS)
def test_without_a_right_exactly_the_commands_that_need_it_ask_for_it(
    operator: Operator, capsys: pytest.CaptureFixture[str], name: str, sid: str, action: str
) -> None:
    operator.allow(lacking(policy_of(name), sid, action))
    commands, needed = POLICIES[name]
    refused = {each: ask(operator, capsys) for each, ask in commands.items()}
    asking = {each: rights for each, rights in refused.items() if rights}
    assert asking == {each: {action} for each in needed[sid, action]}


def seen() -> dict[str, bool]:
    return {name: each.ok for name, each in findings().items()}


@pytest.mark.parametrize(("sid", "action"), NEEDED_TO_SEE)
def test_doctor_sees_no_more_than_it_may_read(operator: Operator, sid: str, action: str) -> None:
    policy, name = policy_of("operate"), NEEDED_TO_SEE[sid, action]
    operator.allow(policy)
    with_it = seen()
    operator.allow(lacking(policy, sid, action))
    without = seen()
    assert without.get(name) != with_it[name]
    assert {each for each in with_it if without.get(each) != with_it[each]} == {name}


def test_every_right_was_tried() -> None:
    tried = {name: set(needed) for name, (_, needed) in POLICIES.items()}
    tried["operate"] |= {*NEEDED_TO_SEE, *NOT_CHECKED}
    files = {path.stem for path in (ROOT / "docs/policies").glob("*.json")}
    assert tried == {name: granted(policy_of(name)) for name in files}


def test_the_documented_command_fills_a_policy_in(tmp_path: Path) -> None:
    document = (ROOT / "docs/backfill.md").read_text()
    (found,) = re.findall(r"^    (sed (?:.*\\\n)*.*)$", document, re.MULTILINE)
    made = tmp_path / "operate.json"
    subprocess.run(found.replace("> operate.json", f"> {made}"), shell=True, cwd=ROOT, check=True)
    filled = made.read_text()
    given = {"SOURCE-BUCKET": "my-trails", "SOURCE-PREFIX/": "", "ACCOUNT": "111122223333"}
    given |= {"DESTINATION-BUCKET": "my-chunks", "DESTINATION-PREFIX/": "cloudtrail/"}
    text = (ROOT / "docs/policies/operate.json").read_text()
    for placeholder, value in {**PLACEHOLDERS, **given}.items():
        text = text.replace(placeholder, value)
    assert json.loads(filled) == json.loads(text)


@pytest.mark.parametrize("name", POLICIES)
def test_a_policy_is_short_enough_and_has_no_placeholder_left(name: str) -> None:
    policy = policy_of(name)
    # IAM counts no white space; a managed policy has room for 6,144 characters
    assert len(json.dumps(policy, separators=(",", ":"))) <= 6144
    left = re.findall(r"\b[A-Z][A-Z-]{4,}\b", json.dumps(policy))
    assert left == []
