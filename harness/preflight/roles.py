"""Roles: the execution role is ECS's before the code runs, the task role is the code's."""

from __future__ import annotations

from collections.abc import Iterator

from harness.preflight.model import (
    Deployment,
    Fault,
    Resource,
    Rule,
    Seen,
    mapping,
    mappings,
)
from harness.preflight.rights import LOG_IN, PULL, WRITE_LOGS, allowed_actions, allows, trusts
from harness.preflight.tasks import (
    containers_of,
    from_ecr,
    on_fargate,
    reference,
    repository_of,
    service_of,
    starts_of,
    tasks_of,
)

_GUIDE = "https://docs.aws.amazon.com/AmazonECS/latest/developerguide"
#: What ECS may need the execution role for.
_OF_ECS = ("ecr", "ecr-public", "kms", "logs", "s3", "secretsmanager", "ssm", "ssmmessages", "sts")
_DATA = ("s3:PutObject", "s3:DeleteObject", "s3:ListBucket", "s3:*", "s3:Put*", "s3:Delete*")

NO_EXECUTION_ROLE = Rule(
    "no-execution-role",
    "Fargate pulls from ECR, writes logs and reads secrets with the execution role",
    "Fargate requires task definition to have execution role ARN to support ECR images.",
    Seen.STACK,
    "give the task definition an ExecutionRoleArn",
    (
        "https://github.com/nathanpeck/aws-cloudformation-fargate/issues/1",
        "https://github.com/virtual-kubelet/virtual-kubelet/issues/193",
    ),
)
NOT_TRUSTING = Rule(
    "role-without-trust",
    "the execution role and the task role must exist and trust ecs-tasks.amazonaws.com",
    "ECS was unable to assume the role '...' that was provided for this task. Please verify that "
    "the role being passed has the proper trust relationship and permissions and that your IAM "
    "user has permissions to pass this role.",
    Seen.SERVICE,
    "allow sts:AssumeRole to the service ecs-tasks.amazonaws.com in the role's trust policy",
    (
        "https://github.com/aws-samples/aws-modern-application-workshop/issues/88",
        "https://github.com/tmknom/terraform-aws-codedeploy-for-ecs/pull/18",
    ),
)
CANNOT_PULL = Rule(
    "no-right-to-pull",
    "the execution role needs four actions of ECR",
    "CannotPullECRContainerError: AccessDeniedException: User: arn:aws:sts::...:assumed-role/... "
    "is not authorized to perform: ecr:GetAuthorizationToken on resource: *",
    Seen.STOPPED,
    "allow ecr:GetAuthorizationToken on *, and the three actions of a pull on the repository",
    (
        "https://github.com/OvertureMaps/overture-tiles/pull/20",
        "https://github.com/pahud/cdk-gitlab/issues/236",
    ),
)
CANNOT_LOG = Rule(
    "no-right-to-log",
    "the execution role, not the task role, writes the log lines",
    "ResourceInitializationError: failed to validate logger args: create stream has been retried "
    "1 times: failed to create Cloudwatch log stream: AccessDeniedException: User: "
    "arn:aws:sts::...:assumed-role/...",
    Seen.STOPPED,
    "allow the execution role logs:CreateLogStream and logs:PutLogEvents on the log group",
    (
        "https://github.com/doctorray117/minecraft-ondemand/issues/12",
        "https://github.com/aws/aws-cdk/issues/5954",
    ),
)
CANNOT_READ_SECRET = Rule(
    "no-right-to-secret",
    "the execution role reads the secrets of a task definition",
    "ResourceInitializationError: unable to pull secrets or registry auth: execution resource "
    "retrieval failed: unable to retrieve secret from asm: ... AccessDeniedException: ... is not "
    "authorized to perform: secretsmanager:GetSecretValue on resource: ...",
    Seen.STOPPED,
    "allow the execution role secretsmanager:GetSecretValue or ssm:GetParameters on the secret",
    (
        "https://github.com/cloudposse/terraform-aws-ecs-alb-service-task/issues/67",
        "https://github.com/aws/aws-cdk/issues/17792",
    ),
)
WRONG_ROLE = Rule(
    "rights-of-the-code-on-the-execution-role",
    "the code never gets the execution role's credentials",
    "AccessDenied, or no credentials at all",
    Seen.LOG,
    "move these rights to a role of their own, and name it in TaskRoleArn",
    (f"{_GUIDE}/task_execution_IAM_role.html", f"{_GUIDE}/task-iam-roles.html"),
)
MAY_NOT_PASS = Rule(
    "no-right-to-pass-role",
    "who runs a task hands over its roles, and needs iam:PassRole for each",
    "User: arn:aws:sts::...:assumed-role/... is not authorized to perform: iam:PassRole on "
    "resource: arn:aws:iam::...:role/...",
    Seen.CALLER,
    "allow iam:PassRole on the execution role and the task role to the role that runs the task",
    (
        "https://github.com/serverless-operations/serverless-step-functions/pull/189",
        "https://docs.aws.amazon.com/step-functions/latest/dg/ecs-iam.html",
    ),
)


def check_roles(deployment: Deployment) -> Iterator[Fault]:
    for task in tasks_of(deployment):
        for name in ("ExecutionRoleArn", "TaskRoleArn"):
            named = task.properties.get(name)
            role = deployment.find(named, "IAM::Role")
            if isinstance(named, str) and named in deployment.absent:
                yield Fault(NOT_TRUSTING, task.at(name), f"there is no role {named}")
            elif role is None and named:
                deployment.skip(named)
            elif role is not None and not trusts(role, "ecs-tasks"):
                yield Fault(NOT_TRUSTING, role.at("AssumeRolePolicyDocument"), f"{task.id}.{name}")
        role = deployment.find(task.properties.get("ExecutionRoleArn"), "IAM::Role")
        has_none = "ExecutionRoleArn" not in task.properties and on_fargate(deployment, task)
        if has_none and (needs := _needs(deployment, task)):
            yield Fault(NO_EXECUTION_ROLE, task.at("ExecutionRoleArn"), f"for {needs}")
        if role is not None:
            yield from _execution_role(deployment, task, role)


def _needs(deployment: Deployment, task: Resource) -> str:
    found: dict[str, None] = {}
    for each in containers_of(deployment, task):
        if from_ecr(deployment, each.image):
            found["an image of ECR"] = None
        if each.log:
            found["awslogs"] = None
        if each.secrets:
            found["secrets"] = None
    return ", ".join(found)


def _execution_role(deployment: Deployment, task: Resource, role: Resource) -> Iterator[Fault]:
    place = role.at("Policies")
    for each in containers_of(deployment, task):
        if from_ecr(deployment, each.image):
            asked = {LOG_IN: "*", **dict.fromkeys(PULL, _repository_arn(deployment, each.image))}
            lacking = [a for a, on in asked.items() if not allows(deployment, role, a, on)]
            if lacking:
                detail = f"no {', '.join(lacking)} for {each.image}"
                yield Fault(CANNOT_PULL, place, detail)
        if each.log:
            group = deployment.find(each.log.get("awslogs-group"), "Logs::LogGroup")
            on = _arn(group) if group else "${}"
            lacking = [a for a in WRITE_LOGS if not allows(deployment, role, a, on)]
            if lacking:
                yield Fault(CANNOT_LOG, place, f"no {', '.join(lacking)}")
        for secret in each.secrets:
            service = service_of(deployment, secret)
            actions = [_READ[service]] if service else list(_READ.values())
            on = secret if secret.startswith("${") else "${}"
            if not any(allows(deployment, role, action, on) for action in actions):
                yield Fault(CANNOT_READ_SECRET, place, f"no {' or '.join(actions)} for {secret}")
    yield from _misplaced(deployment, task, role)


_READ = {"secretsmanager": "secretsmanager:GetSecretValue", "ssm": "ssm:GetParameters"}


def _arn(resource: Resource) -> str:
    return str(resource.properties.get("Arn", f"${{{resource.id}.Arn}}"))


def _repository_arn(deployment: Deployment, image: str) -> str:
    """As far as the reference tells it."""
    if own := repository_of(deployment, image):
        return _arn(own)
    it = reference(image)
    account, region = it.registry or ("${}", "${}")
    return f"arn:*:ecr:{region}:{account}:repository/{it.repository}"


def _misplaced(deployment: Deployment, task: Resource, role: Resource) -> Iterator[Fault]:
    if deployment.find(task.properties.get("TaskRoleArn"), "IAM::Role") is role:
        return  # one role for both: not separate, but it works
    actions = list(allowed_actions(deployment, role))
    wrong = [each for each in actions if each in _DATA or each.partition(":")[0] not in _OF_ECS]
    if wrong := [each for each in wrong if each != "*"]:
        task_role = task.properties.get("TaskRoleArn", "no TaskRoleArn")
        detail = f"{', '.join(wrong)} for {task.id}, whose code has {task_role}"
        yield Fault(WRONG_ROLE, role.at("Policies"), detail)


def check_callers(deployment: Deployment) -> Iterator[Fault]:
    """The roles of state machines, schedules and rules that run tasks."""
    for start in starts_of(deployment):
        role = deployment.find(_role_of(start.by), "IAM::Role")
        if role is None:
            continue
        for task in start.tasks:
            roles = [task.properties.get(each) for each in ("ExecutionRoleArn", "TaskRoleArn")]
            for arn in dict.fromkeys(str(each) for each in roles if each):
                if not allows(deployment, role, "iam:PassRole", arn):
                    yield Fault(MAY_NOT_PASS, role.at("Policies"), f"{start.by.id} runs {task.id}")
                    break


def _role_of(by: Resource) -> object:
    if by.type == "AWS::Scheduler::Schedule":
        return mapping(by.properties.get("Target")).get("RoleArn")
    if by.type == "AWS::Events::Rule":
        targets = mappings(by.properties.get("Targets"))
        return next((t.get("RoleArn") for t in targets if "EcsParameters" in t), None)
    return by.properties.get("RoleArn") if by.type != "AWS::ECS::Service" else None


RULES = (
    *(NO_EXECUTION_ROLE, NOT_TRUSTING, CANNOT_PULL, CANNOT_LOG, CANNOT_READ_SECRET, WRONG_ROLE),
    MAY_NOT_PASS,
)
CHECKS = (check_roles, check_callers)
