"""Log groups: the driver awslogs ends the start of a task whose group it can't write to."""

from __future__ import annotations

from collections.abc import Iterator

from harness.preflight.model import Deployment, Fault, Rule, Seen
from harness.preflight.resolve import is_known, is_opaque
from harness.preflight.rights import allows
from harness.preflight.tasks import containers_of

NO_GROUP = Rule(
    "no-log-group",
    "awslogs makes no log group unless awslogs-create-group is true",
    "ResourceInitializationError: failed to validate logger args: create stream has been retried "
    "1 times: failed to create Cloudwatch log stream: ResourceNotFoundException: The specified log "
    "group does not exist.",
    Seen.STOPPED,
    "add an AWS::Logs::LogGroup to the template, and name it by a reference",
    (
        "https://github.com/cn-terraform/terraform-aws-ecs-fargate-task-definition/issues/1",
        "https://github.com/prakhar1989/docker-curriculum/issues/260",
    ),
)
MAY_NOT_MAKE_GROUP = Rule(
    "no-right-to-make-log-group",
    "awslogs-create-group needs a right that AWS's managed policy has not",
    "ResourceInitializationError: failed to validate logger args: create stream has been retried "
    "1 times: failed to create Cloudwatch log group: AccessDeniedException: User: ... is not "
    "authorized to perform: logs:CreateLogGroup on resource: ... because no identity-based policy "
    "allows the logs:CreateLogGroup action : exit status 1",
    Seen.STOPPED,
    "make the log group in the template, or allow the execution role logs:CreateLogGroup",
    (
        "https://github.com/terraform-aws-modules/terraform-aws-ecs/pull/313",
        "https://github.com/terraform-aws-modules/terraform-aws-ecs/pull/145",
    ),
)
NO_LOG = Rule(
    "no-log",
    "without a log configuration nobody sees what the code says",
    "Essential container in task exited",
    Seen.STOPPED,
    "add a LogConfiguration with the driver awslogs",
    ("https://docs.aws.amazon.com/AmazonECS/latest/developerguide/using_awslogs.html",),
)


def check_logs(deployment: Deployment) -> Iterator[Fault]:
    for each in containers_of(deployment):
        if "LogConfiguration" not in each.properties:
            yield Fault(NO_LOG, each.at("LogConfiguration"), "there is none")
        if not each.log:
            continue
        group = str(each.log.get("awslogs-group", ""))
        place = each.at("LogConfiguration.Options.awslogs-group")
        if str(each.log.get("awslogs-create-group", "false")).lower() == "true":
            role = deployment.find(each.task.properties.get("ExecutionRoleArn"), "IAM::Role")
            if role is not None and not allows(deployment, role, "logs:CreateLogGroup", "${}"):
                yield Fault(MAY_NOT_MAKE_GROUP, role.at("Policies"), f"for {group}")
        elif not _has(deployment, group):
            yield Fault(NO_GROUP, place, f"{group} is not one of this deployment")


def _has(deployment: Deployment, group: str) -> bool:
    names = [each.properties.get("LogGroupName") for each in deployment.of("Logs::LogGroup")]
    may_be_one = not is_known(group) or any(map(is_opaque, names))
    return may_be_one or group in names or deployment.find(group, "Logs::LogGroup") is not None


RULES = (NO_GROUP, MAY_NOT_MAKE_GROUP, NO_LOG)
CHECKS = (check_logs,)
