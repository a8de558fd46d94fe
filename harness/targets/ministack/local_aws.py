"""ministack on loopback: an AWS that accepts a stack and stores its packages.

It accepts nearly everything, and its own invocations prove nothing. So the deployed stack is
inspected, and its functions run elsewhere.
"""

from __future__ import annotations

import os
import socket
import subprocess
from collections.abc import Callable, Mapping
from pathlib import Path
from typing import Any

import boto3
import psutil

from harness.model import HarnessError
from harness.targets.aws.session import Clients
from harness.targets.local import processes
from harness.targets.local.ports import free_ports
from harness.targets.local.server import Server
from harness.toolchain import tools

REGION = "eu-central-1"
_START_TIMEOUT_S = 120


class LocalAws(Server):
    """A context manager around one ministack. Leaving it deletes all files of ministack.

    With ``auth`` it checks signatures and rights; its key ``test`` may do everything.
    """

    def __init__(self, *, auth: bool = False) -> None:
        super().__init__("ministack")
        self._auth = auth

    def _launch(self, work: Path) -> subprocess.Popen[bytes]:
        (self._port,) = free_ports(1)
        program = tools.ministack_python()
        return processes.start_server(
            program,
            [program, "-m", "ministack"],
            self._listens,
            cwd=work,
            env={
                "PATH": os.defpath,
                "HOME": str(work),
                "TMPDIR": str(work),
                "STATE_DIR": str(work / "state"),
                "S3_DATA_DIR": str(work / "s3"),
                "BIND_HOST": "127.0.0.1",  # all interfaces otherwise
                "GATEWAY_PORT": str(self._port),
                "MINISTACK_REGION": REGION,
                "AUTH": str(self._auth).lower(),
            },
            log=work / "log",
            timeout_s=_START_TIMEOUT_S,
        )

    @property
    def addresses(self) -> set[str]:
        """The addresses at which it listens."""
        if self._process is None:
            raise HarnessError("ministack is not started")
        connections = psutil.Process(self._process.pid).net_connections()
        return {each.laddr.ip for each in connections if each.status == psutil.CONN_LISTEN}

    @property
    def port(self) -> int:
        return self._port

    def env(self) -> Mapping[str, str]:
        """The variables that point SAM here."""
        return {
            "AWS_ENDPOINT_URL": f"http://localhost:{self._port}",
            "AWS_ACCESS_KEY_ID": "test",
            "AWS_SECRET_ACCESS_KEY": "test",
        }

    def client(self, service: Any, **credentials: str) -> Any:
        given: dict[str, Any] = {
            "aws_access_key_id": "test",
            "aws_secret_access_key": "test",
            **credentials,
        }
        endpoint = f"http://localhost:{self._port}"
        return boto3.client(service, endpoint_url=endpoint, region_name=REGION, **given)

    def clients(self, client: Callable[[str], Any] | None = None) -> Clients:
        """The harness's clients; ``client`` makes one with other rights."""
        services = ("athena", "cloudformation", "lambda", "lambda", "s3", "sqs", "sts")
        return Clients(REGION, *((client or self.client)(service) for service in services))

    def create_stack(
        self, name: str, body: str, parameters: Mapping[str, str]
    ) -> Mapping[str, str]:
        """The resources' names in the template, with those that they were given."""
        cloudformation = self.client("cloudformation")
        cloudformation.create_stack(
            StackName=name,
            TemplateBody=body,
            Capabilities=["CAPABILITY_IAM"],
            Parameters=[
                {"ParameterKey": key, "ParameterValue": value} for key, value in parameters.items()
            ],
        )
        cloudformation.get_waiter("stack_create_complete").wait(
            StackName=name, WaiterConfig={"Delay": 1, "MaxAttempts": 60}
        )
        resources = cloudformation.describe_stack_resources(StackName=name)["StackResources"]
        return {each["LogicalResourceId"]: each["PhysicalResourceId"] for each in resources}

    def create_bucket(self, name: str, **more: Any) -> None:
        here = {"LocationConstraint": REGION}
        self.client("s3").create_bucket(Bucket=name, CreateBucketConfiguration=here, **more)

    def _listens(self) -> bool:
        with socket.socket() as probe:
            return probe.connect_ex(("127.0.0.1", self._port)) == 0
