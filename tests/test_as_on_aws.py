"""S3 as AWS has it: its own host names, TLS, signatures, and no endpoint in any setting."""

from __future__ import annotations

import json
import os
import pickle
import subprocess
import sys
from pathlib import Path
from typing import Any

import pytest
from as_on_aws import CHUNKS, ELSEWHERE, SITES, SOURCES, hosts_file
from conftest import CLIENT_IDS, every_artefact

from harness.targets.local.s3server import Site
from harness.toolchain.paths import ROOT

pytestmark = [pytest.mark.slow, pytest.mark.timeout(900)]

#: A network and a file system of its own. A user may have them, where the system allows it.
APART = ("unshare", "--user", "--map-root-user", "--net", "--mount")


@pytest.fixture(scope="module")
def findings(tmp_path_factory: pytest.TempPathFactory) -> list[dict[str, Any]]:
    try:
        trial = subprocess.run(
            (*APART, "sh", "-c", "ip link set lo up && mount --bind /etc/hosts /etc/hosts"),
            capture_output=True,
            check=False,
            text=True,
        )
    except OSError as error:
        pytest.skip(f"no program makes namespaces: {error}")
    if trial.returncode:
        pytest.skip(f"this system gives its users no namespaces: {trial.stderr.strip()}")
    folder = tmp_path_factory.mktemp("apart")
    given, out = folder / "artefacts", folder / "findings"
    given.write_bytes(pickle.dumps(every_artefact()))
    script = Path(__file__).with_name("as_on_aws.py")
    done = subprocess.run(
        (*APART, sys.executable, script, given, out),
        env={**os.environ, "PYTHONPATH": str(ROOT)},
        capture_output=True,
        check=False,
        text=True,
    )
    assert done.returncode == 0, done.stderr
    found: list[dict[str, Any]] = json.loads(out.read_text())
    return found


def of(findings: list[dict[str, Any]], client: str, site: str) -> dict[str, Any]:
    name = client.replace("-", " ")
    (found,) = (each for each in findings if (each["client"], each["site"]) == (name, site))
    return found


@pytest.mark.parametrize("site", SITES, ids=lambda site: site.region)
@pytest.mark.parametrize("client", CLIENT_IDS)
def test_a_day_under_the_names_of_a_partition(
    client: str, site: Site, findings: list[dict[str, Any]]
) -> None:
    found = of(findings, client, site.region)
    assert found["error"] is None
    assert found["difference"] is None
    # a bucket with a dot is in the path, because no certificate covers its name
    assert found["styles"] == [[SOURCES, "host"], [CHUNKS, "path"]]


@pytest.mark.parametrize("client", CLIENT_IDS)
def test_a_certificate_of_another_region_is_refused(
    client: str, findings: list[dict[str, Any]]
) -> None:
    found = of(findings, client, ELSEWHERE.region)
    assert found["error"] == "S3_ERROR: put 2024/02/08/_claim.json"


def test_the_names_lead_to_this_machine_alone() -> None:
    for line in hosts_file().splitlines():
        assert line.startswith("127.0.0.")
    assert f"{CHUNKS}.{SITES[0].domain}" in hosts_file()
