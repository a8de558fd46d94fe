"""The rules of cfn-lint and checkov, for each of the three templates."""

from __future__ import annotations

import json
import os
import subprocess
import sys
import tomllib
from pathlib import Path

import pytest

from harness.toolchain.tools import checkov_python

#: A region of each partition. One run for several regions takes many times as long.
each_partition = pytest.mark.parametrize(
    "region", ["eu-central-1", "cn-north-1", "us-gov-west-1", "eusc-de-east-1"]
)
_REASONS = Path(__file__).with_name("checkov.toml")


def assert_cfn_lint_finds_nothing(template: Path, region: str) -> None:
    linter = Path(sys.executable).with_name("cfn-lint")
    command: list[str | Path] = [linter, "--template", template, "--regions", region]
    done = subprocess.run(command, capture_output=True, text=True, check=False)
    assert done.returncode == 0, done.stdout + done.stderr


def assert_checkov_finds_only(reasons: str, template: Path, home: Path) -> None:
    """The broken rules are those of the table ``reasons`` in checkov.toml, no more and no fewer."""
    words = ("--framework", "cloudformation", "--skip-download", "--quiet", "--output", "json")
    command: list[str | Path] = [checkov_python(), "-m", "checkov.main", "--file", template, *words]
    # no variables of the machine: it would look for a platform and a key there
    environment = {"PATH": os.environ["PATH"], "HOME": str(home)}
    done = subprocess.run(command, env=environment, capture_output=True, text=True, check=False)
    found = json.loads(done.stdout)
    broken = {each["check_id"] for each in found["results"]["failed_checks"]}
    assert broken == set(tomllib.loads(_REASONS.read_text())[reasons])
    assert found["summary"]["parsing_errors"] == 0
    assert found["summary"]["passed"] > 20
