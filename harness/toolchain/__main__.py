"""``python -m harness.toolchain [NAME...]`` makes the named tools and prints their paths.

Without a name it makes all of them, but not crane and Trino, which few need.
"""

from __future__ import annotations

import sys
from collections.abc import Callable, Mapping, Sequence
from pathlib import Path

from harness.model import NotReady
from harness.scratch import end_abandoned_processes, is_abandoned, is_own, remove_folders
from harness.terminal import interruptible, to_stderr
from harness.toolchain.paths import MADE
from harness.toolchain.tools import (
    browser_modules,
    checkov_python,
    companion_python,
    crane_binary,
    find_node,
    java_ric_jars,
    maven,
    ministack_python,
    python_for_runtime,
    rie_binary,
    s3_server_binary,
    toxiproxy_binary,
    trino_home,
)

TOOLS: Mapping[str, Callable[[], Path]] = {
    "rie": rie_binary,
    "python": lambda: python_for_runtime("3.13"),
    "floor": lambda: companion_python("floor"),
    "node": find_node,
    "browser": browser_modules,
    "maven": maven,
    "java-ric": java_ric_jars,
    "s3": s3_server_binary,
    "toxiproxy": toxiproxy_binary,
    "ministack": ministack_python,
    "checkov": checkov_python,
    "crane": crane_binary,
    "trino": trino_home,
}
#: Made on their first use only.
ON_DEMAND = ("crane", "trino")


def main(names: Sequence[str]) -> int:
    ready = True
    for name in names or (each for each in TOOLS if each not in ON_DEMAND):
        try:
            print(TOOLS[name](), flush=True)
        except NotReady as error:
            ready = False
            to_stderr(f"{name}: {error}")
    return 0 if ready else 3


if __name__ == "__main__":
    try:
        with interruptible():
            end_abandoned_processes()
            remove_folders(is_abandoned, MADE)
            sys.exit(main(sys.argv[1:]))
    except KeyboardInterrupt:
        remove_folders(is_own, MADE)
        sys.exit(130)
