"""A template of CloudFormation as data: conditions, parameters and intrinsic functions.

What only AWS knows stays in the text as ``${...}``: a reference to a resource is ``${Id}``, its
attribute ``${Id.Name}``, a parameter without a value ``${Parameter}``, a function that can't be
evaluated ``${Fn::Name ...}``. A condition that depends on it is neither true nor false.
"""

from __future__ import annotations

import json
import re
from collections.abc import Mapping
from pathlib import Path
from typing import Any

from harness.model import UsageError

_ABSENT = object()
_REFERENCE = re.compile(r"\$\{([A-Za-z0-9]+)(\.[A-Za-z0-9.]+)?\}")
_VARIABLE = re.compile(r"\$\{(!?[A-Za-z0-9:.]+)\}")
_OPAQUE = re.compile(r"\$\{[^{}]*\}")
#: What is the same in most regions; the others stay unknown.
_PSEUDO = {"AWS::Partition": "aws", "AWS::URLSuffix": "amazonaws.com"}


def is_known(value: object) -> bool:
    """Whether AWS would add nothing to the value."""
    return "${" not in json.dumps(value, default=str)


def is_opaque(value: object) -> bool:
    """Whether nothing of the value is known."""
    return isinstance(value, str) and bool(_OPAQUE.fullmatch(value))


def told(value: str) -> str:
    """An unknown value for a message."""
    return value[2:-1] if is_opaque(value) else value


def _unknown(name: str, argument: object) -> str:
    """The value of a function; without the marks that a text around it could have, such as JSON."""
    text = re.sub(r"[^A-Za-z0-9_./ -]", "", json.dumps(argument, default=str))
    return f"${{{name} {text}}}"


def attribute_of(value: str) -> str | None:
    """The logical id in ``${Id}`` or ``${Id.Name}``; ``None`` for another text."""
    found = _REFERENCE.fullmatch(value)
    return found and found[1]


def load_template(path: Path) -> dict[str, Any]:
    """A template as data. Raises ``UsageError`` if the file is none."""
    from samcli.yamlhelper import yaml_parse  # here, because SAM's modules take long

    try:
        template = yaml_parse(path.read_text())
        parts = {"Parameters": {}, "Conditions": {}, "Mappings": {}, "Resources": None, **template}
        for part in ("Parameters", "Conditions", "Mappings", "Resources"):
            if not isinstance(parts[part], dict):
                raise TypeError(f"{part} is no mapping")
    except OSError as error:
        raise UsageError(f"{path} can't be read: {error.strerror}") from error
    except Exception as error:  # the parser documents no exceptions
        raise UsageError(f"{path} is not a template of CloudFormation: {error}") from error
    return dict(template)


def resolved(template: Mapping[str, Any], given: Mapping[str, str]) -> dict[str, dict[str, Any]]:
    """Logical id -> the resource as it would be deployed with these values of parameters.

    A resource with a condition that is not known is one of them. Properties that are not known are
    a text. Raises ``UsageError`` for a parameter that the template has not, and for a value that it
    does not allow.
    """
    declared = template.get("Parameters", {})
    if unknown := sorted(given.keys() - declared.keys()):
        raise UsageError(
            f"the template has no parameter {unknown[0]}: it has {', '.join(declared)}"
        )
    for name, text in given.items():
        _check(name, declared[name], text)
    resolver = _Resolver(
        template, {name: _value(name, each, given) for name, each in declared.items()}
    )
    return {
        name: {**each, "Properties": resolver(each.get("Properties") or {})}
        for name, each in template["Resources"].items()
        if isinstance(each, dict) and resolver.holds(each.get("Condition")) is not False
    }


def without_value(template: Mapping[str, Any], given: Mapping[str, str]) -> list[str]:
    """Names whose value the template does not tell: parameters, and loops over resources."""
    declared = template.get("Parameters", {})
    loops = [name for name, each in template["Resources"].items() if not isinstance(each, dict)]
    return [n for n, each in declared.items() if is_opaque(_value(n, each, given))] + loops


def _value(name: str, declared: object, given: Mapping[str, str]) -> object:
    if not isinstance(declared, dict):
        return f"${{{name}}}"
    kind = str(declared.get("Type"))
    if name not in given and ("Default" not in declared or kind.startswith("AWS::SSM::")):
        return f"${{{name}}}"
    text = str(given.get(name, declared.get("Default")))
    return _items(text) if _is_list(kind) else text


def _is_list(kind: str) -> bool:
    return kind.startswith("List<") or kind == "CommaDelimitedList"


def _items(text: str) -> list[str]:
    return [each.strip() for each in text.split(",")]


def _check(name: str, declared: object, text: str) -> None:
    """Refuse a value that CloudFormation would refuse."""
    if not isinstance(declared, dict):
        return
    kind, allowed = str(declared.get("Type")), declared.get("AllowedValues")
    values = _items(text) if _is_list(kind) else [text]
    if isinstance(allowed, list) and not {*values} <= {str(each) for each in allowed}:
        raise UsageError(f"{name}={text}: allowed are {', '.join(map(str, allowed))}")
    if kind == "String" and not _fits(declared.get("AllowedPattern"), text):
        hint = declared.get("ConstraintDescription", f"must match {declared['AllowedPattern']}")
        raise UsageError(f"{name}={text}: it {hint}")
    limits = {"Number": ("Value", _number(text)), "String": ("Length", len(text))}
    what, size = limits.get(kind, ("", 0))
    if size is None:
        raise UsageError(f"{name}={text}: it must be a number")
    low, high = (_number(declared.get(f"{limit}{what}")) for limit in ("Min", "Max"))
    if what and low is not None and size < low:
        raise UsageError(f"{name}={text}: its {what.lower()} must be at least {low:g}")
    if what and high is not None and size > high:
        raise UsageError(f"{name}={text}: its {what.lower()} must be at most {high:g}")


def _fits(pattern: object, text: str) -> bool:
    """Whether a text is of a pattern; a pattern that Python can't read fits all."""
    try:
        return pattern is None or bool(re.fullmatch(str(pattern), text))
    except re.error:
        return True


def _number(value: object) -> float | None:
    try:
        return float(str(value))
    except ValueError:
        return None


def _truth(value: object) -> bool | None:
    return None if not is_known(value) else str(value).lower() == "true"


class _Resolver:
    def __init__(self, template: Mapping[str, Any], values: Mapping[str, object]) -> None:
        self._conditions = template.get("Conditions", {})
        self._mappings = template.get("Mappings", {})
        self._values = {**_PSEUDO, **values}

    def holds(self, condition: object) -> bool | None:
        """Whether a condition is true; ``None`` if that is not known. Without one it is."""
        if condition is None:
            return True
        try:
            return _truth(self(self._conditions[condition]))
        except (KeyError, TypeError, RecursionError):
            return None

    def __call__(self, node: Any) -> Any:
        if isinstance(node, dict):
            for name, argument in node.items():
                if len(node) == 1 and name == "Ref" and isinstance(argument, str):
                    return self._ref(argument)
                if len(node) == 1 and name == "Condition" and isinstance(argument, str):
                    holds = self.holds(argument)
                    return f"${{{argument}}}" if holds is None else holds
                if str(name).startswith("Fn::"):  # one of several has a part of the mapping
                    return self._function(name, argument) if len(node) == 1 else _unknown(name, 0)
            seen = {key: self(value) for key, value in node.items()}
            return {key: value for key, value in seen.items() if value not in (_ABSENT, None)}
        if isinstance(node, list):
            return [value for value in map(self, node) if value is not _ABSENT]
        return node

    def _function(self, name: str, argument: Any) -> Any:
        """Its value; it stays unknown if its arguments are, or are not of its form."""
        function = getattr(self, f"_{name.removeprefix('Fn::').lower()}", None)
        try:
            return function(argument) if function else _unknown(name, argument)
        except (AttributeError, IndexError, KeyError, TypeError, ValueError):
            return _unknown(name, argument)

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
        if is_opaque(text):
            return text
        parts = text.split(between)
        if any(each.count("${") != each.count("}") for each in parts):
            raise ValueError("it splits what is not known")
        return parts

    def _select(self, argument: list[Any]) -> Any:
        index, values = self(argument)
        if is_opaque(values):
            return f"{values[:-1]}[{index}]}}"
        return values[int(index)]

    def _findinmap(self, argument: list[Any]) -> Any:
        name, key, attribute = map(str, self(argument[:3]))
        return self._mappings[name][key][attribute]

    def _if(self, argument: list[Any]) -> Any:
        condition, then, otherwise = argument
        holds = self.holds(condition)
        if holds is None:
            one, other = self(then), self(otherwise)
            return one if one == other else _unknown("Fn::If", argument)
        return self(then if holds else otherwise)

    def _equals(self, argument: list[Any]) -> Any:
        left, right = map(str, self(argument))
        known = left == right or is_known([left, right])
        return left == right if known else _unknown("Fn::Equals", argument)

    def _not(self, argument: list[Any]) -> Any:
        (holds,) = self._truths(argument)
        return _unknown("Fn::Not", argument) if holds is None else not holds

    def _and(self, argument: list[Any]) -> Any:
        holds = self._truths(argument)
        return False if False in holds else _unknown("Fn::And", argument) if None in holds else True

    def _or(self, argument: list[Any]) -> Any:
        holds = self._truths(argument)
        return True if True in holds else _unknown("Fn::Or", argument) if None in holds else False

    def _truths(self, argument: list[Any]) -> list[bool | None]:
        return [_truth(self(each)) for each in argument]

    def _base64(self, argument: Any) -> Any:
        return self(argument)
