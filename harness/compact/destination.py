"""The two kinds of destinations: that of a deployed stack, and a local copy of its bucket."""

from __future__ import annotations

import re
from collections.abc import Callable, Iterator, Sequence
from contextlib import ExitStack, contextmanager
from dataclasses import dataclass
from datetime import date
from pathlib import Path

from harness.compact.engines import Engine, OnAthena, OnTrino
from harness.compact.places import FOLDER, Part, require_plain
from harness.compact.store import Store
from harness.model import HarnessError, UsageError
from harness.targets.aws.athena import Athena
from harness.targets.aws.session import open_clients
from harness.targets.aws.stack import read_stack
from harness.targets.local.s3_access import open_s3
from harness.targets.local.s3server import S3Server
from harness.targets.local.trino_server import TrinoServer
from harness.terminal import Progress

_ACCOUNT = re.compile(r"\d{12}")


@dataclass(frozen=True, slots=True)
class Destination:
    store: Store
    prefix: str
    open_engine: Callable[[], Engine]

    def parts(self, days: Sequence[date], *, by_account: bool) -> list[Part]:
        """All days; with ``by_account`` once for each account that has a folder."""
        accounts: list[str | None] = [None]
        if by_account:
            names = self.store.folders(self.prefix)
            accounts = [each for each in names if _ACCOUNT.fullmatch(each)]
            if not accounts:
                raise HarnessError(
                    f"s3://{self.store.bucket}/{self.prefix} has no folder of an account: "
                    "leave --by-account out"
                )
        bucket = self.store.bucket
        return [Part(bucket, self.prefix, day, each) for each in accounts for day in days]


def of_stack(
    name: str,
    region: str | None,
    progress: Progress,
    *,
    workgroup: str,
    output: str | None,
    database: str,
) -> Destination:
    clients = open_clients(region)
    stack = read_stack(clients, name)
    bucket, prefix = stack.output("DestinationBucket"), stack.outputs.get("DestinationPrefix", "")
    require_plain(prefix)
    athena = Athena(clients, workgroup, output, progress)
    store = Store(clients.s3, bucket, f"{prefix}{FOLDER}")
    return Destination(store, prefix, lambda: OnAthena(athena, database))


@contextmanager
def of_folder(folder: Path, prefix: str, progress: Progress) -> Iterator[Destination]:
    """A server makes a bucket of the folder, with the folder's name. Trino starts when needed."""
    if not folder.is_dir():
        raise UsageError(f"{folder} is not a folder")
    folder = folder.resolve()
    if not re.fullmatch(r"[a-z0-9][a-z0-9.-]{1,61}[a-z0-9]", folder.name):
        raise UsageError(f"{folder}: give the copy the name of its bucket")
    require_plain(prefix)
    with ExitStack() as stack:
        server = stack.enter_context(S3Server())
        client = open_s3(server)
        stack.callback(client.close)  # else the server waits for its connections
        store = Store(client, server.link_bucket(folder), f"{prefix}{FOLDER}")

        def open_engine() -> Engine:
            return OnTrino(stack.enter_context(TrinoServer(server, progress=progress)))

        yield Destination(store, prefix, open_engine)
