"""The reading of a SAM template."""

import os
import subprocess
import sys
from pathlib import Path

import pytest
from template_rules import assert_checkov_finds_only

from harness.build.template import TEMPLATE, load_implementations
from harness.model import HarnessError

SMALL = """
Transform: AWS::Serverless-2016-10-31
Parameters:
  SourceBucket: {Type: String}
  SourcePrefix: {Type: String, Default: ""}
  MemorySize: {Type: Number, Default: 512}
  Level: {Type: Number, Default: 3}
Globals:
  Function:
    MemorySize: !Ref MemorySize
    Timeout: 30
    Environment:
      Variables:
        SRC_BUCKET: !Ref SourceBucket
        SRC_PREFIX: !Ref SourcePrefix
        GZIP_LEVEL: !Ref Level
        LOG_LEVEL: INFO
Resources:
  Bucket: {Type: AWS::S3::Bucket}
  SlowFunction:
    Type: AWS::Serverless::Function
    Metadata: {Language: cobol}
    Properties:
      Runtime: provided.al2023
      CodeUri: cobol/src/
      Handler: bootstrap
      Role: !GetAtt FunctionRole.Arn
      Timeout: 60
      Environment:
        Variables:
          LOG_LEVEL: DEBUG
          OPTIONS: !If [UseSnapStart, -fast, !Ref AWS::NoValue]
  QuickFunction:
    Type: AWS::Serverless::Function
    Metadata: {Language: forth}
    Properties: {Runtime: python3.13, CodeUri: forth/, Handler: a.b}
"""


def write(folder: Path, text: str = SMALL) -> Path:
    path = folder / "template.yaml"
    path.write_text(text)
    return path


@pytest.mark.parametrize(
    ("own", "complaint"),
    [
        ("", "F has no Properties: give the function its own"),
        ("Properties: [1]", "F has no Properties: give the function its own"),
        ("Properties: {Environment: 7}", "F can't be read: .*: mend its Properties"),
        ("Metadata: 7\n    Properties: {}", "F can't be read: .*: mend its Properties"),
    ],
)
def test_a_function_that_is_none_is_named(own: str, complaint: str, tmp_path: Path) -> None:
    text = f"Resources:\n  F:\n    Type: AWS::Serverless::Function\n    {own}\n"
    path = write(tmp_path, text)
    with pytest.raises(HarnessError, match=f"{path}: {complaint}"):
        load_implementations(path)


def test_functions_come_in_the_templates_order_with_globals_and_defaults(tmp_path: Path) -> None:
    slow, quick = load_implementations(write(tmp_path))

    assert (slow.language, slow.function, slow.runtime) == (
        "cobol",
        "SlowFunction",
        "provided.al2023",
    )
    assert slow.code == tmp_path / "cobol/src"
    assert (slow.memory_mb, slow.timeout_s) == (512, 60)
    assert (quick.language, quick.handler, quick.timeout_s) == ("forth", "a.b", 30)


def test_a_functions_own_setting_wins_and_parameters_become_text(tmp_path: Path) -> None:
    slow, quick = load_implementations(write(tmp_path))

    assert slow.environment == {"GZIP_LEVEL": "3", "LOG_LEVEL": "DEBUG"}
    assert quick.environment == {"GZIP_LEVEL": "3", "LOG_LEVEL": "INFO"}


def test_a_variable_of_snap_start_is_no_setting(tmp_path: Path) -> None:
    slow, quick = load_implementations(write(tmp_path))

    assert (slow.with_snap_start, quick.with_snap_start) == ({"OPTIONS": "-fast"}, {})


@pytest.mark.parametrize(
    ("old", "new", "message"),
    [
        ("Metadata: {Language: cobol}", "Metadata: {}", "SlowFunction: Language must be"),
        ("GZIP_LEVEL: !Ref Level", "GZIP_LEVEL: !Ref Absent", "GZIP_LEVEL must be"),
        ("Timeout: 60", "Timeout: long", "Timeout must be a number"),
        ("UseSnapStart", "Other", "OPTIONS must be"),
        ("Resources:", "Resources: [", "not a SAM template"),
    ],
)
def test_a_missing_property_is_named(tmp_path: Path, old: str, new: str, message: str) -> None:
    path = write(tmp_path, SMALL.replace(old, new))

    with pytest.raises(HarnessError, match=message):
        load_implementations(path)


def test_an_absent_template_is_named(tmp_path: Path) -> None:
    with pytest.raises(HarnessError, match=r"absent\.yaml can't be read"):
        load_implementations(tmp_path / "absent.yaml")


def test_the_projects_template_gives_equal_conditions_to_every_language() -> None:
    implementations = load_implementations(TEMPLATE)

    assert len({each.language for each in implementations}) == len(implementations)
    first = implementations[0]
    for each in implementations:
        assert each.code.is_relative_to(TEMPLATE.parent / each.language)
        assert (each.memory_mb, each.timeout_s) == (first.memory_mb, first.timeout_s)
        assert each.environment == first.environment
        assert bool(each.with_snap_start) == (each.language == "java")


@pytest.mark.slow
def test_sam_and_cfn_lint_find_nothing() -> None:
    command = [sys.executable, "-m", "samcli", "validate", "--lint", "--template", str(TEMPLATE)]
    environment = {**os.environ, "SAM_CLI_TELEMETRY": "0", "AWS_DEFAULT_REGION": "us-east-1"}
    done = subprocess.run(command, env=environment, capture_output=True, text=True, check=False)
    assert done.returncode == 0, done.stdout + done.stderr


@pytest.mark.slow
def test_checkov_finds_nothing_without_a_reason(tmp_path: Path) -> None:
    assert_checkov_finds_only("reasons", TEMPLATE, tmp_path)


def test_the_functions_differ_in_nothing_but_their_language() -> None:
    first, *others = load_implementations()
    for other in others:
        assert (other.memory_mb, other.timeout_s) == (first.memory_mb, first.timeout_s)
        assert other.environment == first.environment
