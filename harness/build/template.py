"""Reads the implementations from ``template.yaml``, which is their only list."""

from __future__ import annotations

from collections.abc import Mapping
from pathlib import Path
from typing import TYPE_CHECKING, Any

from harness.model import HarnessError, Implementation
from harness.toolchain.paths import ROOT

if TYPE_CHECKING:
    from samtranslator.plugins.globals.globals import Globals

TEMPLATE = ROOT / "template.yaml"

_FUNCTION = "AWS::Serverless::Function"
_IF = "Fn::If"
# the condition, and the value without it
_ONLY_WITH_SNAP_START = ["UseSnapStart", {"Ref": "AWS::NoValue"}]
# the target decides the places of the data
_GIVEN_BY_TARGET = frozenset({"SRC_BUCKET", "SRC_PREFIX", "DST_BUCKET", "DST_PREFIX"})


def load_implementations(path: Path = TEMPLATE) -> tuple[Implementation, ...]:
    """Every function of the template, in its order, with the globals and the parameters' defaults.

    Raises ``HarnessError`` if the template can't be read or a function lacks a property.
    """
    # imported here: SAM's modules take a second, and only this function needs them
    from samcli.yamlhelper import yaml_parse
    from samtranslator.plugins.globals.globals import Globals

    try:
        template = yaml_parse(path.read_text())
        shared = Globals(template)
        functions = {
            name: resource
            for name, resource in template["Resources"].items()
            if resource.get("Type") == _FUNCTION
        }
    except OSError as error:
        raise HarnessError(f"{path} can't be read: {error.strerror}") from error
    except Exception as error:  # YAML's and SAM's parsers document no exceptions
        raise HarnessError(f"{path} is not a SAM template: {error}") from error
    return tuple(
        _function(path, name, resource, template.get("Parameters", {}), shared)
        for name, resource in functions.items()
    )


def _function(
    path: Path,
    name: str,
    resource: Mapping[str, Any],
    parameters: Mapping[str, Mapping[str, Any]],
    shared: Globals,
) -> Implementation:
    own = resource.get("Properties")
    if not isinstance(own, dict):
        raise HarnessError(f"{path}: {name} has no Properties: give the function its own")
    try:
        return _implementation(
            name,
            resource.get("Metadata", {}),
            shared.merge(_FUNCTION, own),
            _Values(f"{path}: {name}", parameters),
            path.parent,
        )
    except (AttributeError, TypeError) as error:  # a list or nothing where a mapping belongs
        raise HarnessError(f"{path}: {name} can't be read: {error}: mend its Properties") from error


def _implementation(
    name: str,
    metadata: Mapping[str, Any],
    properties: Mapping[str, Any],
    values: _Values,
    folder: Path,
) -> Implementation:
    variables = properties.get("Environment", {}).get("Variables", {})
    with_snap_start = {
        variable: values.text({variable: value[_IF][1]}, variable)
        for variable, value in variables.items()
        if isinstance(value, Mapping) and value.get(_IF, [])[::2] == _ONLY_WITH_SNAP_START
    }
    return Implementation(
        language=values.text(metadata, "Language"),
        function=name,
        runtime=values.text(properties, "Runtime"),
        handler=values.text(properties, "Handler"),
        code=(folder / values.text(properties, "CodeUri")).resolve(),
        memory_mb=values.number(properties, "MemorySize"),
        timeout_s=values.number(properties, "Timeout"),
        environment={
            variable: values.text(variables, variable)
            for variable in variables
            if variable not in _GIVEN_BY_TARGET and variable not in with_snap_start
        },
        build_properties=metadata.get("BuildProperties", {}),
        clients=values.choices(variables, "S3_CLIENT"),
        with_snap_start=with_snap_start,
    )


class _Values:
    """Reads literals and references to parameters that have a default."""

    def __init__(self, where: str, parameters: Mapping[str, Mapping[str, Any]]) -> None:
        self._where = where
        self._parameters = parameters

    def text(self, mapping: Mapping[str, Any], key: str) -> str:
        value = mapping.get(key)
        if isinstance(value, Mapping) and list(value) == ["Ref"]:
            value = self._parameters.get(value["Ref"], {}).get("Default")
        if value is None or isinstance(value, Mapping | list):
            raise HarnessError(
                f"{self._where}: {key} must be a literal or a parameter with a default"
            )
        return str(value)

    def choices(self, mapping: Mapping[str, Any], key: str) -> tuple[str, ...]:
        """The allowed values of the parameter behind ``key``, or its one value; default ``sdk``."""
        value = mapping.get(key, "sdk")
        if isinstance(value, Mapping) and list(value) == ["Ref"]:
            allowed = self._parameters.get(value["Ref"], {}).get("AllowedValues")
            if allowed:
                return tuple(str(each) for each in allowed)
        return (self.text({key: value}, key),)

    def number(self, mapping: Mapping[str, Any], key: str) -> int:
        text = self.text(mapping, key)
        try:
            return int(text)
        except ValueError as error:
            raise HarnessError(f"{self._where}: {key} must be a number, not {text!r}") from error
