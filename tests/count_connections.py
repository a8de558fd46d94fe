"""Counts the connections of docs/tls.md: ``.venv/bin/python tests/count_connections.py``.

A language after it counts those of this language only.
"""

from __future__ import annotations

import sys
import time
from pathlib import Path

OBJECTS, INVOCATIONS, PAUSE_S = 2000, 3, 5.5
EVENT = {"year": 2024, "month": 2, "day": 8}


def main(languages: list[str]) -> None:
    # here, so that it runs as a script from anywhere
    sys.path.insert(0, str(Path(__file__).parent.parent))
    from conftest import EACH_CLIENT, IMPLEMENTATIONS, built
    from test_tls import TlsDay

    from harness.build.choice import by_client
    from harness.model import Artefact
    from harness.targets.interface import Limits
    from harness.targets.local.s3server import S3Server
    from harness.targets.local.sandbox import LocalSandbox

    made = {each: built(each) for each in languages or IMPLEMENTATIONS}
    chosen = [each for each in EACH_CLIENT if each.language in made]
    with S3Server(tls=True) as server:
        day = TlsDay(server, OBJECTS)
        for artefact in by_client(chosen, made).values():
            assert isinstance(artefact, Artefact), artefact
            with LocalSandbox(artefact, day.env_of(artefact), limits=Limits()) as sandbox:
                for _ in range(INVOCATIONS):
                    invocation = sandbox.invoke(EVENT)
                    assert invocation.error is None, invocation.error
                    opened = day.watched.take()
                    resumed = sum(each.resumed for each in opened)
                    kinds = sorted({f"{each.cipher} {each.group}" for each in opened})
                    name = artefact.implementation.name
                    print(f"{name}: {len(opened)}, {resumed} resumed, {', '.join(kinds)}")
                    time.sleep(PAUSE_S)
        day.watched.stop()


if __name__ == "__main__":
    main(sys.argv[1:])
