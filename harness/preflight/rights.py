"""The rights of a role, as far as its policies can be read."""

from __future__ import annotations

import json
import re
from collections.abc import Iterator, Mapping
from fnmatch import fnmatchcase
from typing import Any

from harness.preflight.model import Deployment, Resource, mapping, mappings, sequence
from harness.preflight.resolve import attribute_of, is_known, is_opaque

PULL = ("ecr:BatchCheckLayerAvailability", "ecr:BatchGetImage", "ecr:GetDownloadUrlForLayer")
LOG_IN = "ecr:GetAuthorizationToken"
WRITE_LOGS = ("logs:CreateLogStream", "logs:PutLogEvents")
#: As https://docs.aws.amazon.com/aws-managed-policy/latest/reference/ has it.
_MANAGED = {"AmazonECSTaskExecutionRolePolicy": [LOG_IN, *PULL, *WRITE_LOGS]}

_PARTITION = re.compile(r"^arn:[^:]*:")  # an account has one only

type Statement = Mapping[str, Any]


def listed(value: object) -> list[str]:
    if value is None:
        return []
    return [str(each) for each in value] if isinstance(value, list) else [str(value)]


def statements_of(deployment: Deployment, role: Resource) -> tuple[list[Statement], bool]:
    """The statements of a role's policies, and whether these are all of them."""
    own = role.properties.get("Policies", [])
    documents = [mapping(each).get("PolicyDocument") for each in sequence(own)]
    complete = not is_opaque(own)
    for arn in listed(role.properties.get("ManagedPolicyArns")):
        if policy := deployment.find(arn, "IAM::ManagedPolicy"):
            documents.append(policy.properties.get("PolicyDocument"))
        elif actions := _MANAGED.get(str(arn).rpartition("/")[2]):
            documents.append(
                {"Statement": [{"Effect": "Allow", "Action": actions, "Resource": "*"}]}
            )
        else:
            deployment.skip(arn)
            complete = False
    for policy in deployment.of("IAM::Policy", "IAM::ManagedPolicy", "IAM::RolePolicy"):
        to = [*listed(policy.properties.get("Roles")), *listed(policy.properties.get("RoleName"))]
        if role.properties.get("RoleName") in to or any(
            deployment.find(each, "IAM::Role") is role for each in to
        ):
            documents.append(policy.properties.get("PolicyDocument"))
        elif any(is_opaque(each) and not deployment.find(each, "IAM::Role") for each in to):
            complete = False  # it may be the role's
    read = [_statements(each) for each in documents]
    if None in read:
        deployment.skip(role.at("Policies"))
    return [each for found in read for each in found or ()], complete and None not in read


def _statements(document: object) -> list[Statement] | None:
    """Those of a document, which may be JSON as text; ``None`` if it can't be read."""
    if isinstance(document, str):
        try:
            document = json.loads(document)
        except ValueError:
            return None
    found = mapping(document).get("Statement")
    known = all(isinstance(each, Mapping) for each in sequence(found))
    return mappings(found) if isinstance(found, list | Mapping) and known else None


def allows(deployment: Deployment, role: Resource, action: str, resource: str = "*") -> bool:
    """Whether the role has a right, or may have it by a policy that can't be read.

    Conditions count as met. What is not known in a statement allows, and denies nothing.
    """
    found, complete = statements_of(deployment, role)
    fitting = [each for each in found if _fits(deployment, each, action, resource)]
    if any(each.get("Effect") == "Deny" and "Condition" not in each for each in fitting):
        return False
    return not complete or any(each.get("Effect") != "Deny" for each in fitting)


def _fits(deployment: Deployment, statement: Statement, action: str, resource: str) -> bool:
    actions, on = listed(statement.get("Action")), listed(statement.get("Resource"))
    denies = statement.get("Effect") == "Deny"
    if "NotAction" in statement or "NotResource" in statement:
        return not denies
    if denies:
        on = [each for each in on if each == "*" or is_known([each, resource])]
    acts = any(
        fnmatchcase(action.lower(), e.lower()) or not (is_known(e) or denies) for e in actions
    )
    return acts and any(_matches(deployment, each, resource) for each in on)


def _matches(deployment: Deployment, pattern: str, resource: str) -> bool:
    if "*" in (pattern, resource):
        return pattern == "*" or not is_known(pattern)
    ours, theirs = (attribute_of(each.removesuffix(":*")) for each in (pattern, resource))
    if ours in deployment.resources and theirs in deployment.resources:
        return ours == theirs
    if not is_known(pattern) or not is_known(resource):
        return True
    pattern, resource = (_PARTITION.sub("arn:*:", each) for each in (pattern, resource))
    if ":log-group:" not in resource:
        return fnmatchcase(resource, pattern)
    group = resource.removesuffix(":*")  # policies name it with its streams, too
    forms = (group, f"{group}:*", f"{group}:log-stream:*")
    return pattern.startswith(f"{group}:log-stream:") or any(fnmatchcase(f, pattern) for f in forms)


def trusts(role: Resource, service: str) -> bool:
    """Whether a service may assume the role, as far as its trust policy can be read."""
    found = _statements(role.properties.get("AssumeRolePolicyDocument"))
    for each in found or ():
        principal = each.get("Principal", {})
        services = listed(principal.get("Service")) if isinstance(principal, Mapping) else ["*"]
        fits = any(name == "*" or name.startswith((f"{service}.", "${")) for name in services)
        if each.get("Effect") != "Deny" and fits:
            return True
    return found is None


def allowed_actions(deployment: Deployment, role: Resource) -> Iterator[str]:
    for each in statements_of(deployment, role)[0]:
        if each.get("Effect") == "Allow":
            yield from listed(each.get("Action"))
