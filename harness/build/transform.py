"""The template that CloudFormation gets: SAM's transform of ``template.yaml``, with conditions."""

from __future__ import annotations

import json
import re
from collections.abc import Collection, Mapping
from functools import cache
from typing import Any

import boto3
from samcli.yamlhelper import yaml_parse
from samtranslator.parser.parser import Parser
from samtranslator.translator.translator import Translator

from harness.build.template import TEMPLATE

BUCKETS = {"SourceBucket": "source-bucket", "DestinationBucket": "destination-bucket"}
_ABSENT = {"Ref": "AWS::NoValue"}


def template() -> dict[str, Any]:
    """``template.yaml`` as data."""
    parsed: dict[str, Any] = yaml_parse(TEMPLATE.read_text())
    return parsed


def parameters(**given: object) -> dict[str, str]:
    """Every parameter's value: given, the tests' buckets, or the default."""
    declared = template()["Parameters"]
    defaults = {name: each["Default"] for name, each in declared.items() if "Default" in each}
    return {name: str(value) for name, value in {**defaults, **BUCKETS, **given}.items()}


@cache
def transformed() -> dict[str, Any]:
    """The template after SAM's transform, as if its code had been uploaded."""
    packaged = template()
    for resource in packaged["Resources"].values():
        if resource["Type"] == "AWS::Serverless::Function":
            resource["Properties"]["CodeUri"] = "s3://uploads-bucket/code"
    session = boto3.Session(region_name="eu-central-1")
    translator = Translator({}, Parser(), boto_session=session)
    result: dict[str, Any] = translator.translate(packaged, parameter_values=parameters())
    return result


def deployed(**given: object) -> dict[str, Any]:
    """Logical id -> type and properties of what these parameters deploy.

    It evaluates conditions, ``Fn::If``, mappings and references to parameters. Values that only AWS
    knows (``Fn::GetAtt``, references to resources) stay as they are.
    """
    whole = transformed()
    resolver = _Resolver(whole, parameters(**given))
    return {
        name: {"Type": resource["Type"], **resolver(resource.get("Properties", {}))}
        for name, resource in whole["Resources"].items()
        if "Condition" not in resource or resolver.holds(resource["Condition"])
    }


def small_body(kinds: Collection[str]) -> str:
    """The transformed template with resources of these kinds only, and with code of one line.

    A function answers with its event. Outputs of absent resources are left out.
    """
    whole = transformed()
    kept = {
        name: each
        for name, each in whole["Resources"].items()
        if each["Type"].removeprefix("AWS::") in kinds
    }
    code = {"ZipFile": "def handle(event, context):\n    return event\n"}
    for name, each in kept.items():
        if each["Type"] == "AWS::Lambda::Function":
            own = {"Runtime": "python3.13", "Handler": "index.handle", "Code": code}
            kept[name] = {**each, "Properties": {**each["Properties"], **own}}
    known = {*kept, *whole["Parameters"]}
    outputs = {
        name: each
        for name, each in whole["Outputs"].items()
        if set(re.findall(r'"Ref": "(\w+)"', json.dumps(each))) <= known
    }
    return json.dumps({**whole, "Resources": kept, "Outputs": outputs}, default=str)


class _Resolver:
    def __init__(self, whole: Mapping[str, Any], values: Mapping[str, str]) -> None:
        self._conditions = whole["Conditions"]
        self._mappings = whole["Mappings"]
        self._values = values

    def holds(self, condition: str) -> bool:
        return bool(self(self._conditions[condition]))

    def __call__(self, node: Any) -> Any:
        match node:
            case {"Ref": str(name)} if name in self._values:
                return self._values[name]
            case {"Fn::Equals": [left, right]}:
                return self(left) == self(right)
            case {"Fn::Not": [inner]}:
                return not self(inner)
            case {"Fn::Or": list(inner)}:
                return any(map(self, inner))
            case {"Condition": str(name)} if node.keys() == {"Condition"}:
                return self.holds(name)
            case {"Fn::If": [name, then, otherwise]}:
                return self(then if self.holds(name) else otherwise)
            case {"Fn::Split": [delimiter, text]}:
                return self(text).split(delimiter)
            case {"Fn::FindInMap": [name, key, attribute]}:
                return self._mappings[name][self(key)][attribute]
            case {"Fn::Sub": str(text)}:
                return self._substituted(text)
            case dict():
                seen = {key: self(value) for key, value in node.items()}
                return {key: value for key, value in seen.items() if value != _ABSENT}
            case list():
                return [value for value in map(self, node) if value != _ABSENT]
        return node

    def _substituted(self, text: str) -> str:
        return re.sub(r"\$\{(\w+)\}", lambda m: self._values.get(m[1], m[0]), text)
