"""A role in ministack, a session of it, and the same role without one of its actions."""

from __future__ import annotations

import json
from collections.abc import Mapping
from copy import deepcopy
from dataclasses import dataclass, field
from typing import Any

from harness.targets.aws.session import Clients
from harness.targets.ministack.local_aws import LocalAws


def listed(value: str | list[str]) -> list[str]:
    return [value] if isinstance(value, str) else value


def granted(policy: Mapping[str, Any]) -> set[tuple[str, str]]:
    """(statement, action) of each right."""
    return {
        (each["Sid"], action) for each in policy["Statement"] for action in listed(each["Action"])
    }


def lacking(policy: Mapping[str, Any], sid: str, action: str) -> dict[str, Any]:
    """The policy without one action of one statement."""
    less = deepcopy(dict(policy))
    (statement,) = (each for each in less["Statement"] if each["Sid"] == sid)
    left = [each for each in listed(statement["Action"]) if each != action]
    assert len(left) == len(listed(statement["Action"])) - 1
    statement["Action"] = left
    if not left:
        less["Statement"].remove(statement)
    return less


@dataclass(frozen=True, slots=True)
class Session:
    """A session of a role whose only policy is the one named ``name``."""

    aws: LocalAws
    role: str
    name: str
    credentials: Mapping[str, str]
    made: dict[str, Any] = field(default_factory=dict)

    def client(self, service: str) -> Any:
        """The client of a service with the rights of the role."""
        if service not in self.made:  # boto3 takes long for it
            self.made[service] = self.aws.client(
                service,
                aws_access_key_id=self.credentials["AWS_ACCESS_KEY_ID"],
                aws_secret_access_key=self.credentials["AWS_SECRET_ACCESS_KEY"],
                aws_session_token=self.credentials["AWS_SESSION_TOKEN"],
            )
        return self.made[service]

    def clients(self) -> Clients:
        return self.aws.clients(self.client)

    def policy(self) -> Mapping[str, Any]:
        """The policy that the role has now."""
        found = self.aws.client("iam").get_role_policy(RoleName=self.role, PolicyName=self.name)
        policy: Mapping[str, Any] = found["PolicyDocument"]
        return policy

    def allow(self, policy: Mapping[str, Any]) -> None:
        """Nothing but this policy."""
        self.aws.client("iam").put_role_policy(
            RoleName=self.role, PolicyName=self.name, PolicyDocument=json.dumps(policy)
        )


def session_of(aws: LocalAws, role: str, name: str) -> Session:
    """A session of a role that exists.

    On AWS a service assumes the role; here the caller takes its place, so the role has to trust it.
    """
    iam = aws.client("iam")
    found = iam.get_role(RoleName=role)["Role"]
    trust = {
        "Version": "2012-10-17",
        "Statement": [
            {
                "Effect": "Allow",
                "Principal": {"AWS": found["Arn"].split(":")[4]},
                "Action": "sts:AssumeRole",
            }
        ],
    }
    iam.update_assume_role_policy(RoleName=role, PolicyDocument=json.dumps(trust))
    given = aws.client("sts").assume_role(RoleArn=found["Arn"], RoleSessionName="a-session")
    credentials = given["Credentials"]
    return Session(
        aws,
        role,
        name,
        {
            "AWS_ACCESS_KEY_ID": credentials["AccessKeyId"],
            "AWS_SECRET_ACCESS_KEY": credentials["SecretAccessKey"],
            "AWS_SESSION_TOKEN": credentials["SessionToken"],
        },
    )
