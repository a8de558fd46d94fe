"""`compare --target aws` over real functions: the emulator behind the invoke call, S3 on loopback.

Only the control plane is fake (`fake_aws`). Lambda's log is the function's output here, with a
REPORT line in AWS's form.
"""

from __future__ import annotations

import json
from collections.abc import Iterator, Mapping
from contextlib import ExitStack
from dataclasses import replace
from pathlib import Path
from typing import Any

import boto3
import pytest
from conftest import built
from fake_aws import FakeAws, report_line

from harness.build.template import load_implementations
from harness.compare.orchestrate import compare
from harness.compare.request import Request
from harness.fixtures.recipe import Recipe
from harness.model import Artefact, SampleKind, VerdictKind
from harness.targets.aws.stack import read_stack
from harness.targets.aws.target import aws_target
from harness.targets.local.s3server import S3Server
from harness.targets.local.sandbox import LocalSandbox

pytestmark = pytest.mark.slow

BUCKET = "chunks"  # as fake_aws's stack names it
PLACES = ("SRC_BUCKET", "SRC_PREFIX", "DST_BUCKET", "DST_PREFIX")


class EmulatedFunction:
    """A sandbox for each published version; its variables identify it."""

    def __init__(self, artefact: Artefact, s3: Mapping[str, str], stack: ExitStack) -> None:
        self._artefact = artefact
        self._s3 = s3
        self._stack = stack
        self._sandboxes: dict[str, LocalSandbox] = {}

    def __call__(
        self, variables: Mapping[str, str], event: Mapping[str, Any], cold: bool
    ) -> tuple[object, str | None, str]:
        version = json.dumps(variables, sort_keys=True)
        assert cold == (version not in self._sandboxes)
        if cold:
            sandbox = LocalSandbox(self._artefact, {**variables, **self._s3})
            self._sandboxes[version] = self._stack.enter_context(sandbox)
        done = self._sandboxes[version].invoke(event)
        lines = "".join(json.dumps(line) + "\n" for line in done.log)
        assert done.duration_ms is not None
        start = {} if done.init_ms is None else {"init": done.init_ms}
        used = (done.peak_rss_bytes or 0) >> 20
        report = report_line(
            duration=done.duration_ms, billed=done.duration_ms + 1, size=1769, used=used, **start
        )
        return done.result, done.error, f"{lines}{report}"


@pytest.fixture
def s3() -> Iterator[S3Server]:
    with S3Server() as server:
        server.bucket_path(BUCKET)
        yield server


@pytest.mark.timeout(600)
def test_a_real_function_is_compared_like_a_deployed_one(s3: S3Server, tmp_path: Path) -> None:
    artefact = built("go")
    assert isinstance(artefact, Artefact), artefact
    env = s3.env()
    client = boto3.client(
        "s3",
        endpoint_url=env["AWS_ENDPOINT_URL_S3"],
        region_name=env["AWS_REGION"],
        aws_access_key_id=env["AWS_ACCESS_KEY_ID"],
        aws_secret_access_key=env["AWS_SECRET_ACCESS_KEY"],
    )
    aws = FakeAws()
    for function in aws.functions.values():
        for settings in (function.latest, *function.versions.values()):
            settings["Environment"] = {
                "Variables": {
                    **artefact.implementation.environment,
                    **dict.fromkeys(PLACES, "-"),
                }
            }
    clients = replace(aws.clients(), s3=client)
    request = Request(
        Recipe(objects=40), languages=("go",), clients=("sdk", "light"), cold=1, warm=2, on_aws=True
    )
    with ExitStack() as sandboxes:
        aws.run = EmulatedFunction(artefact, env, sandboxes)
        stack = read_stack(clients, "rosetta")
        template = load_implementations()
        with aws_target(clients, stack, template, lambda _: None, print, tmp_path) as target:
            assert client.list_objects_v2(Bucket=BUCKET)["KeyCount"] == 0
            done = compare(request, target, print)
    assert [row.name for row in done.rows] == ["go sdk", "go light"]
    for row in done.rows:
        assert row.verdict.kind is VerdictKind.MATCH, row.verdict.reason
        kinds = [sample.kind for sample in row.samples]
        assert kinds.count(SampleKind.WARM) == kinds.count(SampleKind.HALF) == 2
        warm = next(each for each in row.samples if each.kind is SampleKind.WARM)
        assert warm.phases is not None
        assert {"get", "publish"} <= warm.phases.keys()
        assert warm.peak_rss_bytes is not None
    assert client.list_objects_v2(Bucket=BUCKET)["KeyCount"] == 0
