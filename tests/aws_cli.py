"""Commands of the AWS CLI as they stand in documents, made by boto3.

The names of commands and flags, and the forms of values, are those that the CLI derives from the
models of the services. A comment ``# WORD`` at the end of a command names the value that it shows;
other commands use the word.
"""

from __future__ import annotations

import json
import re
import shlex
from collections.abc import Iterable, Iterator, Mapping, Sequence
from fnmatch import fnmatchcase
from itertools import pairwise
from pathlib import Path
from typing import Any

import jmespath
from botocore import xform_name
from botocore.exceptions import ClientError
from botocore.validate import ParamValidator

#: A word that stands for a value that another command shows.
WORD = re.compile(r"(?<![\w.])[A-Z]+_[A-Z]+\b")
_SERVICES = {"s3api": "s3"}
_FROM_FILE = "cli-input-json"


def commands_of(text: str) -> Iterator[list[str]]:
    """The commands of the indented blocks; one may have several lines."""
    begun = ""
    for line in re.findall(r"^ {4}(.*)$", text, re.MULTILINE):
        begun += line.removesuffix("\\") + ("" if line.endswith("\\") else "\n")
        try:
            words = shlex.split(begun)
        except ValueError:  # a quotation goes on
            continue
        if not line.endswith("\\"):
            yield words
            begun = ""
    assert not begun.strip()


def named(command: Sequence[str]) -> str:
    """The word whose value a command shows, by the comment at its end."""
    return command[-1] if command[-2] == "#" else ""


def without_name(command: Sequence[str]) -> Sequence[str]:
    return command[:-2] if named(command) else command


def filled_in(word: str, words: Mapping[str, str]) -> str:
    for name, value in words.items():
        word = word.replace(name, value)
    return word


class Call:
    """``words`` are those after ``aws``. Raises ``AssertionError`` if the model lacks one."""

    def __init__(self, words: Sequence[str]) -> None:
        self.service = _SERVICES.get(words[0], words[0])
        self.method = words[1].replace("-", "_")
        self._flags = dict(_flags(words[2:]))
        self._query = self._flags.pop("query", [None])[0]
        self.is_text = self._flags.pop("output", ["json"]) == ["text"]

    def parameters(self, client: Any) -> dict[str, Any]:
        """The parameters of the request, checked against the model."""
        operation = client.meta.method_to_api_mapping[self.method]
        shape = client.meta.service_model.operation_model(operation).input_shape
        members = {xform_name(name, "-"): name for name in shape.members}
        found = {}
        if given := self._flags.pop(_FROM_FILE, None):
            found = json.loads(Path(given[0].removeprefix("file://")).read_text())
        for flag, words in self._flags.items():
            name = members.get(flag) or members[flag.removeprefix("no-")]
            found[name] = _value(shape.members[name], words, no=flag not in members)
        report = ParamValidator().validate(found, shape)
        assert not report.has_errors(), report.generate_report()
        return found

    def answer(self, client: Any) -> str:
        """The answer of the service as JSON, or the code of its error. One value as text."""
        try:
            found = getattr(client, self.method)(**self.parameters(client))
        except ClientError as error:
            return str(error.response["Error"]["Code"])
        chosen = jmespath.search(self._query, found) if self._query else found
        if self.is_text:
            assert isinstance(chosen, str), chosen
            return chosen
        return json.dumps(chosen, default=str)


def removed(words: Sequence[str], keys: Iterable[str]) -> list[str]:
    """What ``aws s3 rm URI --recursive`` deletes of a bucket's keys; the last filter decides."""
    assert words[:2] == ["s3", "rm"], words
    assert "--recursive" in words
    prefix = words[2].removeprefix("s3://").partition("/")[2]
    filters = [
        (flag, pattern) for flag, pattern in pairwise(words) if flag in ("--exclude", "--include")
    ]

    def is_in(name: str) -> bool:
        fitting = [flag for flag, pattern in filters if fnmatchcase(name, pattern)]
        return not fitting or fitting[-1] == "--include"

    return [key for key in keys if key.startswith(prefix) and is_in(key.removeprefix(prefix))]


def _flags(words: Sequence[str]) -> Iterator[tuple[str, list[str]]]:
    rest = list(words)
    while rest:
        flag = rest.pop(0)
        assert flag.startswith("--"), flag
        values: list[str] = []
        while rest and not rest[0].startswith("--"):
            values.append(rest.pop(0))
        yield flag.removeprefix("--"), values


def _value(shape: Any, words: Sequence[str], *, no: bool) -> Any:
    kind = shape.type_name
    if kind == "boolean":
        assert not words
        return not no
    if kind == "list":
        if len(words) == 1 and words[0].startswith("["):
            return json.loads(words[0])
        return [_value(shape.member, [word], no=no) for word in words]
    (word,) = words
    if kind in ("structure", "map"):
        if word.startswith("{"):
            return json.loads(word)
        return dict(each.split("=", 1) for each in word.split(","))
    return int(word) if kind in ("integer", "long") else word
