"""``python -m harness.verify.protocol``: count the trials of runs at the same time, per client."""

from __future__ import annotations

import argparse
import sys

from tabulate import tabulate

from harness.build.sam_build import build
from harness.build.template import load_implementations
from harness.model import Artefact, HarnessError
from harness.verify.protocol.trials import CHANGES, Outcome, Trials


def main() -> int:
    parser = argparse.ArgumentParser(prog="python -m harness.verify.protocol", description=__doc__)
    parser.add_argument("--languages", help="comma-separated; default: all of the template")
    parser.add_argument("--seeds", type=int, default=25, help="orders of each kind (25)")
    wanted = parser.parse_args()
    found = load_implementations()
    names = wanted.languages.split(",") if wanted.languages else [each.language for each in found]
    if unknown := set(names) - {each.language for each in found}:
        parser.error(f"--languages: {', '.join(sorted(unknown))} is not in template.yaml")
    made = build([each for each in found if each.language in names])
    rows, failed = [], False
    for language, artefact in made.items():
        if not isinstance(artefact, Artefact):
            raise HarnessError(str(artefact))
        for client in ("light", "sdk"):
            row = {"client": f"{language} {client}"}
            for title, runs, kill in (
                ("2 runs", 2, False),
                ("2, 1 killed", 2, True),
                ("3 runs", 3, False),
            ):
                outcomes = _outcomes(artefact.with_client(client), runs, wanted.seeds, kill=kill)
                broken = [each for each in outcomes if each.problems]
                failed = failed or bool(broken)
                row[title] = f"{len(broken)} of {len(outcomes)}"
                for each in broken:
                    print(f"{language} {client}, {title}: {each}", file=sys.stderr)
            rows.append(row)
    print("Trials that break a promise:\n")
    print(tabulate(rows, headers="keys"))
    return 1 if failed else 0


def _outcomes(artefact: Artefact, runs: int, seeds: int, *, kill: bool) -> list[Outcome]:
    with Trials(artefact, runs) as trials:
        return [trials.run(seed, change, kill=kill) for seed in range(seeds) for change in CHANGES]


if __name__ == "__main__":
    sys.exit(main())
