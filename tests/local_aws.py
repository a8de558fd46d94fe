"""ministack on loopback: an AWS that accepts a stack and stores its packages.

It accepts nearly everything, and its own invocations prove nothing. So tests inspect the deployed
stack, and run its functions elsewhere.
"""

from __future__ import annotations

import shutil
import socket
import subprocess
import tempfile
from collections.abc import Callable, Mapping
from pathlib import Path
from types import TracebackType
from typing import Any, Self

import boto3
import psutil

from harness.targets.aws.session import Clients
from harness.targets.local import processes
from harness.targets.local.ports import free_ports
from harness.toolchain import tools

REGION = "eu-central-1"
_START_TIMEOUT_S = 120


class LocalAws:
    """A context manager around one ministack. Leaving it deletes all files of ministack.

    With ``auth`` it checks signatures and rights; its key ``test`` may do everything.
    """

    def __init__(self, *, auth: bool = False) -> None:
        self._auth = auth
        (self._port,) = free_ports(1)
        self._scratch = Path(tempfile.mkdtemp(prefix="ministack-"))
        self._process: subprocess.Popen[bytes] | None = None

    def __enter__(self) -> Self:
        env = {
            "PATH": "/usr/local/bin:/usr/bin:/bin",
            "HOME": str(self._scratch),
            "TMPDIR": str(self._scratch),
            "STATE_DIR": str(self._scratch / "state"),
            "S3_DATA_DIR": str(self._scratch / "s3"),
            "BIND_HOST": "127.0.0.1",  # all interfaces otherwise
            "GATEWAY_PORT": str(self._port),
            "MINISTACK_REGION": REGION,
            "AUTH": str(self._auth).lower(),
        }
        command: list[str | Path] = [tools.ministack_python(), "-m", "ministack"]
        with self._log.open("wb") as output:
            self._process = processes.start(command, cwd=self._scratch, env=env, output=output)
        try:
            if not processes.wait_until(self._listens, self._process, _START_TIMEOUT_S):
                raise AssertionError(f"ministack did not start: {self._log.read_text()}")
        except BaseException:
            self.__exit__(None, None, None)
            raise
        return self

    def __exit__(
        self,
        kind: type[BaseException] | None,
        error: BaseException | None,
        trace: TracebackType | None,
    ) -> None:
        if self._process is not None:
            processes.stop(self._process)
        shutil.rmtree(self._scratch, ignore_errors=True)

    @property
    def addresses(self) -> set[str]:
        """The addresses at which it listens."""
        assert self._process is not None
        connections = psutil.Process(self._process.pid).net_connections()
        return {each.laddr.ip for each in connections if each.status == psutil.CONN_LISTEN}

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

    def create_stack(self, name: str, body: str, parameters: Mapping[str, str]) -> None:
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

    def create_bucket(self, name: str, **more: Any) -> None:
        here = {"LocationConstraint": REGION}
        self.client("s3").create_bucket(Bucket=name, CreateBucketConfiguration=here, **more)

    @property
    def _log(self) -> Path:
        return self._scratch / "log"

    def _listens(self) -> bool:
        with socket.socket() as probe:
            return probe.connect_ex(("127.0.0.1", self._port)) == 0
