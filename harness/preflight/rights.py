"""The rights of a role, as far as its policies can be read."""

from __future__ import annotations

from collections.abc import Iterator, Mapping, Sequence
from fnmatch import fnmatchcase
from typing import Any

from harness.preflight.model import Deployment, Resource
from harness.preflight.resolve import attribute_of, is_known

PULL = ("ecr:BatchCheckLayerAvailability", "ecr:BatchGetImage", "ecr:GetDownloadUrlForLayer")
LOG_IN = "ecr:GetAuthorizationToken"
WRITE_LOGS = ("logs:CreateLogStream", "logs:PutLogEvents")
#: As https://docs.aws.amazon.com/aws-managed-policy/latest/reference/ has it.
_MANAGED = {"AmazonECSTaskExecutionRolePolicy": [LOG_IN, *PULL, *WRITE_LOGS]}

type Statement = Mapping[str, Any]


def listed(value: object) -> list[str]:
    if value is None:
        return []
    return [str(each) for each in value] if isinstance(value, list) else [str(value)]


def statements_of(deployment: Deployment, role: Resource) -> tuple[list[Statement], bool]:
    """The statements of a role's policies, and whether these are all of them."""
    documents = [each.get("PolicyDocument", {}) for each in role.properties.get("Policies", ())]
    complete = True
    for arn in role.properties.get("ManagedPolicyArns", ()):
        own = deployment.find(arn)
        if own is not None:
            documents.append(own.properties.get("PolicyDocument", {}))
        elif actions := _MANAGED.get(str(arn).rpartition("/")[2]):
            documents.append(
                {"Statement": [{"Effect": "Allow", "Action": actions, "Resource": "*"}]}
            )
        else:
            complete = False
    for policy in deployment.of("IAM::Policy", "IAM::ManagedPolicy", "IAM::RolePolicy"):
        to = [*listed(policy.properties.get("Roles")), *listed(policy.properties.get("RoleName"))]
        if any(deployment.find(each) is role for each in to):
            documents.append(policy.properties.get("PolicyDocument", {}))
    return [each for document in documents for each in _statements(document)], complete


def _statements(document: Mapping[str, Any]) -> Sequence[Statement]:
    found = document.get("Statement", [])
    return [found] if isinstance(found, Mapping) else found


def allows(deployment: Deployment, role: Resource, action: str, resource: str = "*") -> bool:
    """Whether the role has a right, or may have it by a policy that can't be read.

    Conditions count as met. A resource that is not known matches every pattern.
    """
    found, complete = statements_of(deployment, role)
    fitting = [each for each in found if _fits(each, action, resource)]
    if any(each.get("Effect") == "Deny" and "Condition" not in each for each in fitting):
        return False
    return not complete or any(each.get("Effect") == "Allow" for each in fitting)


def _fits(statement: Statement, action: str, resource: str) -> bool:
    if "NotAction" in statement or "NotResource" in statement:
        return statement.get("Effect") == "Allow"
    actions = listed(statement.get("Action"))
    if not any(fnmatchcase(action.lower(), each.lower()) for each in actions):
        return False
    return any(_matches(each, resource) for each in listed(statement.get("Resource")))


def _matches(pattern: str, resource: str) -> bool:
    if "*" in (pattern, resource):
        return pattern == "*"
    ours, theirs = (attribute_of(each.removesuffix(":*")) for each in (pattern, resource))
    if ours and theirs:
        return ours == theirs
    if not is_known(pattern) or not is_known(resource):
        return True
    whole = f"{resource.removesuffix(':*')}:*"  # a log group's ARN has both forms
    return fnmatchcase(resource, pattern) or whole == f"{pattern.removesuffix(':*')}:*"


def trusts(role: Resource, service: str) -> bool:
    """Whether a service may assume the role."""
    for each in _statements(role.properties.get("AssumeRolePolicyDocument", {})):
        principal = each.get("Principal", {})
        services = listed(principal.get("Service")) if isinstance(principal, Mapping) else ["*"]
        fits = any(name == "*" or name.startswith((f"{service}.", "${")) for name in services)
        if each.get("Effect") == "Allow" and fits:
            return True
    return False


def allowed_actions(deployment: Deployment, role: Resource) -> Iterator[str]:
    for each in statements_of(deployment, role)[0]:
        if each.get("Effect") == "Allow":
            yield from listed(each.get("Action"))
