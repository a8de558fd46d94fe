"""The place of the number from which a new task goes on: the last one that Kinesis has for sure.

A task's disk goes with the task, so on AWS it is a parameter of Systems Manager. 0, or no place
yet, stands for a stream that was never read.
"""

from __future__ import annotations

from pathlib import Path
from typing import Any, Protocol

import boto3
from botocore.exceptions import ClientError


class Position(Protocol):
    def read(self) -> int: ...

    def write(self, number: int) -> None: ...


def position_at(place: str) -> Position:
    kind, _, name = place.partition(":")
    return InParameter(boto3.client("ssm"), name) if kind == "ssm" else InFile(Path(name))


class InFile:
    def __init__(self, path: Path) -> None:
        self._path = path

    def read(self) -> int:
        return int(self._path.read_text()) if self._path.exists() else 0

    def write(self, number: int) -> None:
        unfinished = self._path.with_name(f"{self._path.name}.unfinished")
        unfinished.write_text(str(number))
        unfinished.replace(self._path)


class InParameter:
    def __init__(self, ssm: Any, name: str) -> None:
        self._ssm = ssm
        self._name = name

    def read(self) -> int:
        try:
            answer = self._ssm.get_parameter(Name=self._name)
        except ClientError as error:
            if error.response["Error"]["Code"] != "ParameterNotFound":
                raise
            return 0
        return int(answer["Parameter"]["Value"])

    def write(self, number: int) -> None:
        self._ssm.put_parameter(Name=self._name, Value=str(number), Type="String", Overwrite=True)
