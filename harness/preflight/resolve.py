"""A template of CloudFormation as data: conditions, parameters and intrinsic functions.

What only AWS knows stays in the text as ``${...}``: a reference to a resource is ``${Id}``, its
attribute ``${Id.Name}``, a parameter without a value ``${Parameter}``.
"""

from __future__ import annotations

import json
import re
from collections.abc import Mapping
from pathlib import Path
from typing import Any

from harness.model import HarnessError, UsageError

_ABSENT = object()
_REFERENCE = re.compile(r"\$\{([A-Za-z0-9]+)(\.[A-Za-z0-9.]+)?\}")
_VARIABLE = re.compile(r"\$\{(!?[A-Za-z0-9:.]+)\}")
#: What is the same in most regions; the others stay unknown.
_PSEUDO = {"AWS::Partition": "aws", "AWS::URLSuffix": "amazonaws.com"}


def is_known(value: object) -> bool:
    """Whether AWS would add nothing to the value."""
    return "${" not in json.dumps(value, default=str)


def attribute_of(value: str) -> str | None:
    """The logical id in ``${Id}`` or ``${Id.Name}``; ``None`` for another text."""
    found = _REFERENCE.fullmatch(value)
    return found and found[1]


def load_template(path: Path) -> dict[str, Any]:
    """A template as data. Raises ``HarnessError`` if the file is none."""
    from samcli.yamlhelper import yaml_parse  # here, because SAM's modules take long

    try:
        template = yaml_parse(path.read_text())
        if not isinstance(template["Resources"], dict):
            raise TypeError("Resources is no mapping")
    except OSError as error:
        raise HarnessError(f"{path} can't be read: {error.strerror}") from error
    except Exception as error:  # the parser documents no exceptions
        raise HarnessError(f"{path} is not a template of CloudFormation: {error}") from error
    return dict(template)


def resolved(template: Mapping[str, Any], given: Mapping[str, str]) -> dict[str, dict[str, Any]]:
    """Logical id -> the resource as it would be deployed with these values of parameters.

    Raises ``UsageError`` for a parameter that the template has not.
    """
    declared = template.get("Parameters", {})
    if unknown := sorted(given.keys() - declared.keys()):
        raise UsageError(
            f"the template has no parameter {unknown[0]}: it has {', '.join(declared)}"
        )
    resolver = _Resolver(
        template, {name: _value(name, each, given) for name, each in declared.items()}
    )
    return {
        name: {**each, "Properties": resolver(each.get("Properties", {}))}
        for name, each in template["Resources"].items()
        if "Condition" not in each or resolver.holds(each["Condition"])
    }


def _value(name: str, declared: Mapping[str, Any], given: Mapping[str, str]) -> object:
    kind = declared["Type"]
    if name not in given and ("Default" not in declared or kind.startswith("AWS::SSM::")):
        return f"${{{name}}}"
    text = str(given.get(name, declared.get("Default")))
    if kind.startswith("List<") or kind == "CommaDelimitedList":
        return [each.strip() for each in text.split(",")]
    return text


class _Resolver:
    def __init__(self, template: Mapping[str, Any], values: Mapping[str, object]) -> None:
        self._conditions = template.get("Conditions", {})
        self._mappings = template.get("Mappings", {})
        self._values = {**_PSEUDO, **values}

    def holds(self, condition: str) -> bool:
        return bool(self(self._conditions[condition]))

    def __call__(self, node: Any) -> Any:
        if isinstance(node, dict) and len(node) == 1:
            ((name, argument),) = node.items()
            if name in ("Ref", "Condition") and isinstance(argument, str):
                return self._ref(argument) if name == "Ref" else self.holds(argument)
            if function := getattr(self, f"_{name.removeprefix('Fn::').lower()}", None):
                if name.startswith("Fn::"):
                    return function(argument)
            elif name.startswith("Fn::"):
                return f"${{{name} {json.dumps(argument, default=str)}}}"
        if isinstance(node, dict):
            seen = {key: self(value) for key, value in node.items()}
            return {key: value for key, value in seen.items() if value is not _ABSENT}
        if isinstance(node, list):
            return [value for value in map(self, node) if value is not _ABSENT]
        return node

    def _ref(self, name: str) -> Any:
        return _ABSENT if name == "AWS::NoValue" else self._values.get(name, f"${{{name}}}")

    def _getatt(self, argument: str | list[str]) -> str:
        return f"${{{argument if isinstance(argument, str) else '.'.join(map(str, argument))}}}"

    def _sub(self, argument: str | list[Any]) -> str:
        text, more = (argument, {}) if isinstance(argument, str) else argument
        own = {name: self(value) for name, value in more.items()}

        def value_of(found: re.Match[str]) -> str:
            name = found[1]
            if name.startswith("!"):
                return f"${{{name[1:]}}}"
            return str(own.get(name, self._values.get(name, found[0])))

        return _VARIABLE.sub(value_of, text)

    def _join(self, argument: list[Any]) -> str:
        between, parts = self(argument)
        return between.join(map(str, parts)) if isinstance(parts, list) else str(parts)

    def _split(self, argument: list[Any]) -> Any:
        between, text = self(argument)
        return text if text.startswith("${") else text.split(between)

    def _select(self, argument: list[Any]) -> Any:
        index, values = self(argument)
        if isinstance(values, list) and int(index) < len(values):
            return values[int(index)]
        return f"${{{values} {index}}}" if isinstance(values, list) else f"{values[:-1]}[{index}]}}"

    def _findinmap(self, argument: list[Any]) -> Any:
        name, key, attribute = map(str, self(argument[:3]))
        return (
            self._mappings.get(name, {})
            .get(key, {})
            .get(attribute, f"${{{name}.{key}.{attribute}}}")
        )

    def _if(self, argument: list[Any]) -> Any:
        condition, then, otherwise = argument
        return self(then if self.holds(condition) else otherwise)

    def _equals(self, argument: list[Any]) -> bool:
        left, right = self(argument)
        return str(left) == str(right)

    def _not(self, argument: list[Any]) -> bool:
        return not self(argument[0])

    def _and(self, argument: list[Any]) -> bool:
        return all(map(self, argument))

    def _or(self, argument: list[Any]) -> bool:
        return any(map(self, argument))

    def _base64(self, argument: Any) -> Any:
        return self(argument)
