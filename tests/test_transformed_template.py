"""Properties of the template that no linter checks: rights, queues, schedule, alarms."""

from __future__ import annotations

import json
import re
import subprocess
import sys
import tomllib
from pathlib import Path
from typing import Any

import pytest

from harness.build.template import TEMPLATE, load_implementations
from harness.build.transform import deployed, parameters, template, transformed

FUNCTIONS = {each.language: each.function for each in load_implementations()}
KEY = "arn:aws:kms:eu-central-1:111122223333:key/0000-1111"
TOPIC = "arn:aws:sns:eu-central-1:111122223333:operators"
SOURCE = "arn:${AWS::Partition}:s3:::source-bucket"
DESTINATION = "arn:${AWS::Partition}:s3:::destination-bucket"
LOGS = (
    "arn:${AWS::Partition}:logs:${AWS::Region}:${AWS::AccountId}:"
    "log-group:/aws/lambda/${AWS::StackName}/*"
)


BOUNDARY = "arn:aws:iam::111122223333:policy/company/boundary"
VPC = {"SubnetIds": "subnet-0a,subnet-1b", "SecurityGroupIds": "sg-2c"}


def of_type(resources: dict[str, Any], kind: str) -> dict[str, Any]:
    return {name: each for name, each in resources.items() if each["Type"] == f"AWS::{kind}"}


def statements(role: dict[str, Any]) -> dict[str, Any]:
    (policy,) = role["Policies"]
    assert "ManagedPolicyArns" not in role
    return {
        each["Sid"]: (each["Action"], each["Resource"], each.get("Condition"))
        for each in policy["PolicyDocument"]["Statement"]
        if each["Effect"] == "Allow"
    }


@pytest.mark.slow
@pytest.mark.timeout(600)
@pytest.mark.parametrize(
    "region", ["eu-central-1", "cn-north-1", "us-gov-west-1", "eusc-de-east-1"]
)
def test_cfn_lint_finds_nothing_after_sam_s_transform(region: str, tmp_path: Path) -> None:
    """A run for each partition: one for several regions takes many times as long."""
    path = tmp_path / "transformed.json"
    path.write_text(json.dumps(transformed(), default=str))
    linter = Path(sys.executable).with_name("cfn-lint")
    command: list[str | Path] = [linter, "--template", path, "--regions", region]
    done = subprocess.run(command, capture_output=True, text=True, check=False)
    assert done.returncode == 0, done.stdout + done.stderr


def test_no_partition_is_written_down() -> None:
    resources = TEMPLATE.read_text().partition("\nResources:")[2]
    assert "arn:${AWS::Partition}:" in resources
    # service principals have no partition
    for principal in ("lambda.amazonaws.com", "scheduler.amazonaws.com"):
        resources = resources.replace(principal, "")
    assert not re.search(r"arn:aws|amazonaws\.com", resources)


@pytest.mark.parametrize("partition", ["aws", "aws-cn", "aws-us-gov", "aws-eusc", "aws-iso-b"])
def test_a_parameter_takes_an_arn_of_any_partition(partition: str) -> None:
    key, topic = (each.replace("arn:aws:", f"arn:{partition}:") for each in (KEY, TOPIC))
    boundary = BOUNDARY.replace("arn:aws:", f"arn:{partition}:")
    given = {
        **dict.fromkeys(("SourceKmsKeyArn", "DestinationKmsKeyArn", "LogKmsKeyArn"), key),
        "AlarmTopicArn": topic,
        "PermissionsBoundaryArn": boundary,
    }
    for name, arn in given.items():
        pattern = template()["Parameters"][name]["AllowedPattern"]
        assert re.search(pattern, arn)
        for service in (":kms:", ":sns:", ":iam:"):
            arn = arn.replace(service, ":s3:")
        assert not re.search(pattern, arn)


def test_the_functions_may_do_what_the_contract_needs_and_no_more() -> None:
    rights = statements(deployed(SourcePrefix="org/", DestinationPrefix="day/")["FunctionRole"])
    assert rights == {
        "ListSource": (
            "s3:ListBucket",
            SOURCE,
            {"StringLikeIfExists": {"s3:prefix": "org/AWSLogs/*"}},
        ),
        "ReadSource": ("s3:GetObject", f"{SOURCE}/org/AWSLogs/*", None),
        "ListDestination": (
            "s3:ListBucket",
            DESTINATION,
            {"StringLikeIfExists": {"s3:prefix": "day/*"}},
        ),
        "WriteDestination": (
            ["s3:GetObject", "s3:PutObject", "s3:DeleteObject"],
            f"{DESTINATION}/day/*",
            None,
        ),
        "TakeFromQueue": (
            ["sqs:ReceiveMessage", "sqs:DeleteMessage", "sqs:GetQueueAttributes"],
            {"Fn::GetAtt": ["DayQueue", "Arn"]},
            None,
        ),
        "WriteLogs": (["logs:CreateLogStream", "logs:PutLogEvents"], LOGS, None),
    }


def test_keys_are_allowed_only_where_they_are_named() -> None:
    rights = statements(deployed(SourceKmsKeyArn=KEY)["FunctionRole"])
    assert rights["DecryptSource"] == ("kms:Decrypt", KEY, None)
    assert "EncryptDestination" not in rights
    rights = statements(deployed(DestinationKmsKeyArn=KEY)["FunctionRole"])
    assert rights["EncryptDestination"] == (["kms:Decrypt", "kms:GenerateDataKey"], KEY, None)
    assert "DecryptSource" not in rights


def test_the_policies_for_buckets_of_another_account_are_those_of_the_role() -> None:
    document = (TEMPLATE.parent / "docs/deploy.md").read_text()
    blocks = re.findall(r"^```json\n(.*?)^```$", document, re.MULTILINE | re.DOTALL)
    read = [json.loads(each) for each in blocks]
    written = [each for block in read for each in (block if isinstance(block, list) else [block])]
    rights = statements(deployed(SourceKmsKeyArn=KEY)["FunctionRole"])
    assert {each["Sid"] for each in written} == {"ListSource", "ReadSource", "DecryptSource"}
    for each in written:
        assert each["Action"] == rights[each["Sid"]][0]


def test_no_right_is_for_everything() -> None:
    resources = deployed(
        ActiveLanguage="go", SourceKmsKeyArn=KEY, DestinationKmsKeyArn=KEY, DestinationPrefix="d/"
    )
    roles = of_type(resources, "IAM::Role")
    assert set(roles) == {"FunctionRole", "ScheduleRole"}
    for role in roles.values():
        for actions, where, _ in statements(role).values():
            assert "*" not in str(actions)
            # a star may only follow a prefix or a log group's folder
            assert re.fullmatch(r"[^*]*(/\*)?", where) if isinstance(where, str) else where


def test_only_the_scheduler_of_this_account_may_queue_a_day() -> None:
    role = deployed(ActiveLanguage="go")["ScheduleRole"]
    (trust,) = role["AssumeRolePolicyDocument"]["Statement"]
    assert trust["Principal"] == {"Service": "scheduler.amazonaws.com"}
    assert trust["Condition"] == {"StringEquals": {"aws:SourceAccount": {"Ref": "AWS::AccountId"}}}
    queues = [{"Fn::GetAtt": [name, "Arn"]} for name in ("DayQueue", "ScheduleDeadLetterQueue")]
    assert statements(role) == {"SendDay": ("sqs:SendMessage", queues, None)}


def test_traces_and_a_vpc_are_off_unless_asked_for_and_then_have_their_rights() -> None:
    plain, asked = deployed(), deployed(Tracing="On", **VPC)
    for function in FUNCTIONS.values():
        assert plain[function]["TracingConfig"] == {"Mode": "PassThrough"}
        assert "VpcConfig" not in plain[function]
        assert asked[function]["TracingConfig"] == {"Mode": "Active"}
        assert asked[function]["VpcConfig"] == {
            "SubnetIds": ["subnet-0a", "subnet-1b"],
            "SecurityGroupIds": ["sg-2c"],
        }
    before, after = (statements(each["FunctionRole"]) for each in (plain, asked))
    more = {sid: after[sid] for sid in after.keys() - before.keys()}
    assert more.keys() == {"SendTraces", "ConnectToVpc"}
    assert all(where == "*" for _, where, _ in more.values())
    (policy,) = asked["FunctionRole"]["Policies"]
    (denied,) = (each for each in policy["PolicyDocument"]["Statement"] if each["Effect"] == "Deny")
    assert all(action.startswith("ec2:") for action in more["ConnectToVpc"][0])
    assert denied["Action"] == "ec2:*"  # to the code; Lambda itself has no source function
    (pattern,) = denied["Condition"]["ArnLike"].values()
    for function in FUNCTIONS.values():
        name = asked[function]["FunctionName"]
        assert pattern.endswith(":function:${AWS::StackName}-*")
        assert name.startswith("${AWS::StackName}-")


@pytest.mark.parametrize("name", VPC)
def test_half_a_vpc_reaches_lambda_which_refuses_it(name: str) -> None:
    """Else the functions would silently run outside of the VPC."""
    for function in FUNCTIONS.values():
        alone = deployed(**{name: VPC[name]})[function]
        assert alone["VpcConfig"] == {name: VPC[name].split(",")}


def test_a_boundary_bounds_every_role_and_a_key_encrypts_every_log() -> None:
    plain = deployed(ActiveLanguage="go")
    asked = deployed(ActiveLanguage="go", PermissionsBoundaryArn=BOUNDARY, LogKmsKeyArn=KEY)
    for name in of_type(asked, "IAM::Role"):
        assert asked[name]["PermissionsBoundary"] == BOUNDARY
        assert "PermissionsBoundary" not in plain[name]
    groups = of_type(asked, "Logs::LogGroup")
    assert len(groups) == len(FUNCTIONS)
    for name in groups:
        assert asked[name]["KmsKeyId"] == KEY
        assert "KmsKeyId" not in plain[name]


def test_every_queue_refuses_what_does_not_come_over_tls() -> None:
    resources = deployed()
    (policy,) = of_type(resources, "SQS::QueuePolicy").values()
    assert policy["Queues"] == [{"Ref": name} for name in of_type(resources, "SQS::Queue")]
    (statement,) = policy["PolicyDocument"]["Statement"]
    assert (statement["Effect"], statement["Principal"], statement["Action"]) == (
        "Deny",
        "*",
        "sqs:*",
    )
    assert statement["Condition"] == {"Bool": {"aws:SecureTransport": False}}


def test_an_old_version_goes_with_its_snapshot() -> None:
    """SAM retains versions otherwise, and the snapshot of each Python version is paid for."""
    kinds = ("Function", "Version", "Alias")
    for kind in kinds:
        found = of_type(transformed()["Resources"], f"Lambda::{kind}")
        assert len(found) == len(FUNCTIONS)
        assert {each["DeletionPolicy"] for each in found.values()} == {"Delete"}


def test_lambdas_own_lines_stay_text() -> None:
    """A comparison reads the REPORT line, and JSON has none."""
    for function in FUNCTIONS.values():
        assert deployed()[function]["LoggingConfig"]["LogFormat"] == "Text"


@pytest.mark.parametrize("timeout", template()["Parameters"]["Timeout"]["AllowedValues"])
def test_a_failed_message_is_hidden_for_six_timeouts_and_slowness_is_four_fifths(
    timeout: int,
) -> None:
    resources = deployed(Timeout=timeout, ActiveLanguage="go")
    assert resources["DayQueue"]["VisibilityTimeout"] == 6 * timeout
    for function in FUNCTIONS.values():
        assert resources[function]["Timeout"] == str(timeout)
    assert resources["DurationAlarm"]["Threshold"] == timeout * 1000 * 4 / 5


def test_all_queues_keep_messages_for_fourteen_days_and_failures_end_in_the_second() -> None:
    queues = of_type(deployed(ActiveLanguage="none"), "SQS::Queue")
    assert set(queues) == {"DayQueue", "DayDeadLetterQueue", "ScheduleDeadLetterQueue"}
    assert {each["MessageRetentionPeriod"] for each in queues.values()} == {14 * 24 * 3600}
    assert all(each["SqsManagedSseEnabled"] is True for each in queues.values())
    assert queues["DayQueue"]["RedrivePolicy"] == {
        "deadLetterTargetArn": {"Fn::GetAtt": ["DayDeadLetterQueue", "Arn"]},
        "maxReceiveCount": 5,
    }


def test_the_queue_is_fifo_and_drops_no_message_for_its_content() -> None:
    queues = of_type(deployed(), "SQS::Queue")
    # EventBridge Scheduler supports no FIFO queue for its own dead letters
    assert {name for name, each in queues.items() if each.get("FifoQueue")} == {
        "DayQueue",
        "DayDeadLetterQueue",
    }
    for each in queues.values():
        assert "ContentBasedDeduplication" not in each
        assert "QueueName" not in each  # CloudFormation ends the names in .fifo


def test_no_other_queue_sends_its_dead_letters_here() -> None:
    queues = of_type(deployed(), "SQS::Queue")
    closed = {"redrivePermission": "denyAll"}
    assert {name for name, each in queues.items() if each.get("RedriveAllowPolicy") == closed} == {
        "DayQueue",
        "ScheduleDeadLetterQueue",
    }


def test_a_queue_that_an_update_replaces_keeps_its_messages() -> None:
    for name in of_type(deployed(), "SQS::Queue"):
        queue = transformed()["Resources"][name]
        assert (queue["UpdateReplacePolicy"], queue["DeletionPolicy"]) == ("Retain", "Delete")


def test_without_an_active_language_no_message_is_sent_or_taken() -> None:
    kinds = {each["Type"] for each in deployed(ActiveLanguage="none").values()}
    assert not kinds & {"AWS::Lambda::EventSourceMapping", "AWS::Scheduler::Schedule"}
    assert "ScheduleRole" not in deployed(ActiveLanguage="none")


@pytest.mark.parametrize("language", FUNCTIONS)
def test_the_queue_leads_to_the_active_languages_alias_only(language: str) -> None:
    allowed = template()["Parameters"]["ActiveLanguage"]["AllowedValues"]
    assert allowed == ["none", *FUNCTIONS]
    resources = deployed(ActiveLanguage=language, MaximumConcurrency=7)
    (mapping,) = of_type(resources, "Lambda::EventSourceMapping").values()
    assert mapping["FunctionName"] == {"Ref": f"{FUNCTIONS[language]}Aliaslive"}
    assert mapping["EventSourceArn"] == {"Fn::GetAtt": ["DayQueue", "Arn"]}
    assert (mapping["BatchSize"], mapping["ScalingConfig"]) == (1, {"MaximumConcurrency": "7"})


def test_the_schedule_queues_the_day_before_every_day() -> None:
    schedule = deployed(ActiveLanguage="go")["DailySchedule"]
    assert re.fullmatch(r"cron\(\d+ \d+ \* \* \? \*\)", schedule["ScheduleExpression"])
    assert schedule["ScheduleExpressionTimezone"] == "UTC"
    target = schedule["Target"]
    assert target["Arn"] == "arn:${AWS::Partition}:scheduler:::aws-sdk:sqs:sendMessage"
    assert "SqsParameters" not in target
    assert target["DeadLetterConfig"]["Arn"] == {"Fn::GetAtt": ["ScheduleDeadLetterQueue", "Arn"]}
    # T2; the service puts the time in
    time = "<aws.scheduler.scheduled-time>"
    request = json.loads(target["Input"])
    assert json.loads(request.pop("MessageBody")) == {"source": "aws.scheduler", "time": time}
    assert request == {
        "QueueUrl": "${DayQueue}",
        "MessageGroupId": time,
        "MessageDeduplicationId": time,
    }


def test_a_version_depends_on_exactly_the_parameters_of_its_function() -> None:
    """Else the alias would keep old settings, or a version be published that nothing asks for."""
    resources = transformed()["Resources"]
    names = set(parameters())
    for function in FUNCTIONS.values():
        (version,) = (
            each["Properties"]["Description"]["Fn::Sub"]
            for name, each in resources.items()
            if name.startswith(f"{function}Version")
        )
        text = json.dumps(resources[function]["Properties"])
        asked = set(re.findall(r'"Ref": "(\w+)"', text)) & names
        conditions = {"UseSnapStart": "SnapStart", "UseTracing": "Tracing"}
        asked |= {name for condition, name in conditions.items() if condition in text}
        assert set(re.findall(r"\$\{(\w+)\}", version)) == asked


@pytest.mark.parametrize(
    ("bucket", "prefix", "vpc"), [(63, 30, False), (43, 50, False), (40, 12, True)]
)
def test_a_versions_description_has_room_for_long_names(
    bucket: int, prefix: int, *, vpc: bool
) -> None:
    names = {"SourceBucket", "DestinationBucket", "SourcePrefix", "DestinationPrefix", *VPC}
    longest = {
        name: max(map(str, each.get("AllowedValues", [each.get("MaxValue", "")])), key=len)
        for name, each in template()["Parameters"].items()
        if name not in names
    }
    subnets, group = ",".join(["subnet-0123456789abcdef0"] * 2), "sg-0123456789abcdef0"
    given = {
        **{f"{place}Bucket": "b" * bucket for place in ("Source", "Destination")},
        **{f"{place}Prefix": "p" * (prefix - 1) + "/" for place in ("Source", "Destination")},
        **({"SubnetIds": subnets, "SecurityGroupIds": group} if vpc else {}),
    }
    for name in ("SourcePrefix", "DestinationPrefix"):
        assert prefix <= template()["Parameters"][name]["MaxLength"]
    for name, each in deployed(**{**longest, **given}).items():
        if each["Type"] == "AWS::Lambda::Version":
            assert len(each["Description"]) <= 256, name


def alarms(**given: object) -> dict[str, Any]:
    return of_type(deployed(**given), "CloudWatch::Alarm")


@pytest.mark.parametrize("topic", ["", TOPIC])
def test_every_function_the_schedule_and_all_queues_have_alarms(topic: str) -> None:
    found = alarms(ActiveLanguage="go", AlarmTopicArn=topic)
    watched = {
        (each["MetricName"], json.dumps(each.get("Dimensions", [{"Value": ""}])[0]["Value"]))
        for each in found.values()
    }
    function = json.dumps("${AWS::StackName}-go")
    assert watched == {
        *((metric, function) for metric in ("Errors", "Duration", "Throttles")),
        *(
            ("Invocations", json.dumps(f"${{AWS::StackName}}-{language}"))
            for language in FUNCTIONS
            if language != "go"
        ),
        ("InvocationDroppedCount", '{"Ref": "ScheduleGroup"}'),
        ("InvocationAttemptCount", '{"Ref": "ScheduleGroup"}'),
        ("NumberOfMessagesDeleted", '{"Fn::GetAtt": ["DayQueue", "QueueName"]}'),
        *(
            ("ApproximateNumberOfMessagesVisible", json.dumps({"Fn::GetAtt": [name, "QueueName"]}))
            for name in ("DayDeadLetterQueue", "ScheduleDeadLetterQueue")
        ),
        ("ApproximateAgeOfOldestMessage", '{"Fn::GetAtt": ["DayQueue", "QueueName"]}'),
        ("Sources", '""'),
    }
    for alarm in found.values():
        assert alarm.get("AlarmActions", []) == ([topic] if topic else [])
        assert alarm.get("OKActions", []) == ([topic] if topic else [])


@pytest.mark.parametrize("active", ["none", *FUNCTIONS])
def test_exactly_the_functions_that_are_not_active_have_an_alarm_on_runs(active: str) -> None:
    found = {name: each for name, each in alarms(ActiveLanguage=active).items() if "Idle" in name}
    idle = set(FUNCTIONS) - {active}
    assert {each["Dimensions"][0]["Value"] for each in found.values()} == {
        f"${{AWS::StackName}}-{language}" for language in idle
    }
    for each in found.values():
        name = each["Dimensions"][0]["Value"]
        # a comparison has aliases of its own, and raises none
        assert each["Dimensions"][1] == {"Name": "Resource", "Value": f"{name}:live"}


def test_the_scheduler_counts_the_schedule_by_itself() -> None:
    assert deployed(ActiveLanguage="go")["DailySchedule"]["GroupName"] == {"Ref": "ScheduleGroup"}
    assert "ScheduleGroup" not in deployed(ActiveLanguage="none")


def test_the_alarms_of_functions_see_late_points_and_the_alias_only() -> None:
    """A point has the time at which its invocation began, and comes when it has ended."""
    for language, function in FUNCTIONS.items():
        resources = deployed(ActiveLanguage=language)
        for kind in ("Errors", "Duration", "Throttles"):
            alarm, name = resources[f"{kind}Alarm"], resources[function]["FunctionName"]
            assert alarm["Dimensions"] == [
                {"Name": "FunctionName", "Value": name},
                {"Name": "Resource", "Value": f"{name}:live"},
            ]
            seen_s = alarm["Period"] * alarm["EvaluationPeriods"]
            assert seen_s >= 2 * int(parameters(Timeout=900)["Timeout"])
            assert alarm["DatapointsToAlarm"] == 1


@pytest.mark.parametrize("timeout", template()["Parameters"]["Timeout"]["AllowedValues"])
def test_the_alarm_on_errors_lasts_until_the_next_repeat_has_ended(timeout: int) -> None:
    """Else it would end while a failed day is hidden, and its end would be notified."""
    resources = deployed(ActiveLanguage="go", Timeout=timeout)
    alarm, queue = resources["ErrorsAlarm"], resources["DayQueue"]
    seen_s = alarm["Period"] * alarm["EvaluationPeriods"]
    assert seen_s >= queue["VisibilityTimeout"] + timeout


@pytest.mark.parametrize(("name", "hours"), [("NoDayAlarm", 26), ("ScheduleSilentAlarm", 25)])
def test_silence_is_told(name: str, hours: int) -> None:
    assert name not in deployed(ActiveLanguage="none")
    alarm = deployed(ActiveLanguage="go")[name]
    assert (alarm["Period"], alarm["EvaluationPeriods"], alarm["Threshold"]) == (3600, hours, 1)
    assert alarm["ComparisonOperator"] == "LessThanThreshold"
    assert alarm["TreatMissingData"] == "breaching"


def test_an_alarm_watches_the_metric_of_the_sources() -> None:
    resources = deployed(ActiveLanguage="go")
    (metric,) = resources["SourcesMetric"]["MetricTransformations"]
    alarm = resources["EmptyDayAlarm"]
    assert (alarm["Namespace"], alarm["MetricName"]) == (
        metric["MetricNamespace"],
        metric["MetricName"],
    )


def test_the_dashboard_shows_every_function_and_all_queues() -> None:
    body = json.loads(deployed()["Dashboard"]["DashboardBody"])
    text = json.dumps(body)
    queues = ("DayQueue", "DayDeadLetterQueue", "ScheduleDeadLetterQueue")
    for each in (*FUNCTIONS.values(), *(f"{name}.QueueName" for name in queues)):
        assert f"${{{each}}}" in text
    for function in FUNCTIONS.values():
        assert f"SOURCE '${{{function.replace('Function', 'LogGroup')}}}'" in text
        assert f"${{{function}}}:live" in text


@pytest.mark.parametrize("language", FUNCTIONS)
def test_the_active_functions_log_lines_are_counted_and_shown(language: str) -> None:
    resources = deployed(ActiveLanguage=language)
    filters = of_type(resources, "Logs::MetricFilter").values()
    shown = json.dumps(json.loads(resources["Dashboard"]["DashboardBody"]))
    group = resources[FUNCTIONS[language].replace("Function", "LogGroup")]["LogGroupName"]
    counted = {}
    for each in filters:
        assert each["LogGroupName"] == group
        (metric,) = each["MetricTransformations"]
        assert f'["{metric["MetricNamespace"]}"' in shown
        assert f'"{metric["MetricName"]}"' in shown
        counted[metric["MetricName"]] = (each["FilterPattern"], metric["MetricValue"])
    assert counted == {
        "Sources": ('{ $.event = "end" && $.result.sources >= 0 }', "$.result.sources"),
        "Records": ('{ $.event = "end" && $.result.records >= 0 }', "$.result.records"),
        "BadSources": ('{ $.event = "bad_source" }', "1"),
        "Retries": ('{ $.event = "retry" }', "1"),
    }
    assert not of_type(deployed(ActiveLanguage="none"), "Logs::MetricFilter")


def test_each_function_has_a_log_group_that_is_kept_for_a_time_and_goes_with_the_stack() -> None:
    resources = deployed(LogRetentionDays=7)
    for function in FUNCTIONS.values():
        group = resources[function]["LoggingConfig"]["LogGroup"]["Ref"]
        assert resources[group]["RetentionInDays"] == "7"
        assert transformed()["Resources"][group]["DeletionPolicy"] == "Delete"


def test_snapshots_are_off_unless_asked_for() -> None:
    for setting, expected in (("Off", "None"), ("On", "PublishedVersions")):
        resources = deployed(SnapStart=setting)
        assert resources[FUNCTIONS["java"]]["SnapStart"] == {"ApplyOn": expected}
        assert resources[FUNCTIONS["python"]]["SnapStart"] == {"ApplyOn": expected}
    assert deployed()[FUNCTIONS["java"]]["SnapStart"] == {"ApplyOn": "None"}
    assert parameters()["Architecture"] == "arm64"


def test_every_parameter_is_described_and_shown_in_a_group() -> None:
    whole = template()
    groups = whole["Metadata"]["AWS::CloudFormation::Interface"]["ParameterGroups"]
    assert sorted(name for group in groups for name in group["Parameters"]) == sorted(parameters())
    for name, each in whole["Parameters"].items():
        assert len(each.get("Description", "")) > 30, name


def test_every_resource_gets_the_tag() -> None:
    config = tomllib.loads((TEMPLATE.parent / "samconfig.toml").read_text())["default"]["deploy"]
    assert config["parameters"]["tags"] == "app=lambda-rosetta-stone"


def test_samconfig_asks_for_two_names_and_deploys_nothing_until_they_are_given() -> None:
    text = (TEMPLATE.parent / "samconfig.toml").read_text()
    config = tomllib.loads(text)["default"]["global"]["parameters"]["parameter_overrides"]
    given = dict(each.split("=", 1) for each in config)
    declared = template()["Parameters"]
    unanswered = {name for name, each in declared.items() if "Default" not in each}
    assert {name for name, value in given.items() if value == "FILL-IN"} == unanswered
    for name, value in given.items():
        each = declared[name]
        if name in unanswered:
            assert not re.fullmatch(each["AllowedPattern"], value)
        else:
            assert value == each["Default"]
