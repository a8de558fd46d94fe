"""S3 under the names that it has on AWS, in a network and a hosts file of this process alone.

    unshare --user --map-root-user --net --mount python tests/as_on_aws.py IN OUT

``IN`` is a pickled list of artefacts. Each aggregates a day in three partitions without any setting
of an endpoint. In one more region it meets the certificate of another one. ``OUT`` has the findings
as JSON.
"""

from __future__ import annotations

import json
import pickle
import subprocess
import sys
from collections.abc import Mapping, Sequence
from concurrent.futures import ThreadPoolExecutor
from contextlib import ExitStack
from dataclasses import asdict, dataclass
from datetime import date
from pathlib import Path

from harness.fixtures.recipe import Recipe, make_day
from harness.fixtures.staging import ExpectedDay, StagedObject, stage
from harness.model import Artefact
from harness.scratch import scratch
from harness.targets.local.s3server import S3Server, Site
from harness.targets.local.sandbox import LocalSandbox
from harness.verify.outputs import verify_destination

DAY = date(2024, 2, 8)
EVENT = {"year": DAY.year, "month": DAY.month, "day": DAY.day}
#: One bucket has a name for a host, and the other one a dot, which no certificate of S3's covers.
SOURCES, CHUNKS = "trail-sources", "trail.chunks"
SETTINGS = {"SRC_BUCKET": SOURCES, "DST_BUCKET": CHUNKS, "CHUNK_BYTES": "30000"}
HOSTS = Path("/etc/hosts")


def _site(number: int, region: str, suffix: str) -> Site:
    return Site(region, f"s3.{region}.{suffix}", f"127.0.0.{number}")


SITES = (
    _site(2, "eu-central-1", "amazonaws.com"),
    _site(3, "cn-north-1", "amazonaws.com.cn"),
    _site(4, "us-gov-west-1", "amazonaws.com"),
)
#: Its names lead to the server of another region.
ELSEWHERE = Site("eu-west-1", "s3.eu-west-1.amazonaws.com", SITES[0].address)


@dataclass(frozen=True, slots=True)
class Finding:
    """What one client did at one site; ``styles`` has where its requests named each bucket."""

    client: str
    site: str
    error: str | None
    difference: str | None = None
    styles: Sequence[tuple[str, str]] = ()


def hosts_file() -> str:
    names = (
        f"{site.address} {site.domain} {SOURCES}.{site.domain} {CHUNKS}.{site.domain}\n"
        for site in (*SITES, ELSEWHERE)
    )
    return "".join(("127.0.0.1 localhost\n", *names))


class Servers:
    """A running server for each site, with the same day in it."""

    def __init__(self, running: ExitStack, folder: Path) -> None:
        self.at: dict[str, S3Server] = {}
        self.expected: ExpectedDay
        for site in SITES:
            server = running.enter_context(S3Server(tls=True, site=site, access_log=True))
            self.at[site.region] = server
            server.bucket_path(CHUNKS)
            self.expected = _stage(server, folder / site.region)

    def aggregate(self, artefact: Artefact, site: Site) -> Finding:
        """The day at a site, by a sandbox that knows its region, and trusts its authority."""
        server = self.at[site.region]
        server.clear(CHUNKS)
        before = server.access_log.stat().st_size
        error = self.invoke(artefact, server.env())
        with server.access_log.open() as log:
            log.seek(before)
            styles = sorted({_style(line) for line in log})
        difference = verify_destination(self.expected, server.read_tree(CHUNKS))
        told = None if difference is None else str(difference)
        return Finding(artefact.implementation.name, site.region, error, told, styles)

    def invoke(self, artefact: Artefact, env: Mapping[str, str]) -> str | None:
        own = {name: value for name, value in env.items() if name != "AWS_ENDPOINT_URL_S3"}
        variables = {**artefact.implementation.environment, **SETTINGS, **own}
        with LocalSandbox(artefact, variables) as sandbox:
            return sandbox.invoke(EVENT).error

    def visit(self, artefact: Artefact, site: Site) -> Finding:
        if site != ELSEWHERE:
            return self.aggregate(artefact, site)
        env = {**self.at[SITES[0].region].env(), "AWS_REGION": site.region}
        return Finding(artefact.implementation.name, site.region, self.invoke(artefact, env))


def _stage(server: S3Server, folder: Path) -> ExpectedDay:
    def put(each: StagedObject) -> None:
        server.put_file(SOURCES, each.key, each.body, each.content_encoding)

    return stage(make_day(Recipe(objects=12)), put, folder, DAY, int(SETTINGS["CHUNK_BYTES"]))


def _style(line: str) -> tuple[str, str]:
    """A bucket, and where the request of this line of a log names it: ``host`` or ``path``."""
    fields = line.split()
    bucket, asked = fields[1], fields[9]
    return bucket, "path" if f"{asked}/".startswith((f"/{bucket}/", f"/{bucket}?")) else "host"


def main(given: Path, out: Path) -> None:
    artefacts: list[Artefact] = pickle.loads(given.read_bytes())
    subprocess.run(("ip", "link", "set", "lo", "up"), check=True)
    with ExitStack() as running:
        folder = running.enter_context(scratch("as-on-aws"))
        own = folder / "hosts"
        own.write_text(hosts_file())
        subprocess.run(("mount", "--bind", own, HOSTS), check=True)
        servers = Servers(running, folder)
        with ThreadPoolExecutor(2) as pool:
            found = pool.map(
                lambda site: [servers.visit(each, site) for each in artefacts], (*SITES, ELSEWHERE)
            )
            findings = [finding for each in found for finding in each]
    out.write_text(json.dumps([asdict(each) for each in findings]))


if __name__ == "__main__":
    main(*map(Path, sys.argv[1:]))
