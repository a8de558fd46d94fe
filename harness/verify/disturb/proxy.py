"""Connections that are late, cut, reset, throttled or silent: toxiproxy before the scripted S3."""

from __future__ import annotations

from collections.abc import Callable, Iterator, Mapping
from contextlib import contextmanager
from random import Random

from harness.model import Artefact
from harness.targets.local.toxiproxy import Proxy, Toxic, proxied
from harness.verify.disturb.bench import FAILED_BY_S3, Bench
from harness.verify.disturb.small_day import CLAIM, EVENT, FOLDER, differences, small_day
from harness.verify.disturb.trials import Outcome, Trial

_CHUNK_BYTES = 10_000
#: Records with a pad, so that a day has 60 kB each way and a toxic has something to cut.
_DAY = small_day(
    {
        f"{FOLDER}{name}.json": [
            f'{{"source":"{name}","n":{n},"pad":"{"x" * 500}"}}'.encode() for n in range(15)
        ]
        for name in "abcdefgh"
    },
    _CHUNK_BYTES,
)

#: The attributes of each toxic. All end a trial within seconds: a silence of 10 s (E5) has its
#: own vectors.
_ATTRIBUTES: Mapping[str, Callable[[Random], Mapping[str, int]]] = {
    "latency": lambda rng: {"latency": rng.randint(1, 60), "jitter": rng.randint(0, 40)},
    "reset_peer": lambda rng: {"timeout": rng.randint(0, 100)},
    "limit_data": lambda rng: {"bytes": rng.randint(0, 6_000)},
    "slow_close": lambda rng: {"delay": rng.randint(1, 500)},
    "bandwidth": lambda rng: {"rate": rng.randint(40, 400)},
    "timeout": lambda rng: {"timeout": rng.randint(1, 800)},
    "slicer": lambda rng: {"average_size": rng.randint(1, 60), "size_variation": 0, "delay": 50},
}


@contextmanager
def proxy_faults(artefact: Artefact) -> Iterator[Trial]:
    settings = {"CHUNK_BYTES": str(_CHUNK_BYTES), "CONCURRENCY": "4"}
    with Bench(artefact, settings, timeout_s=60) as bench, proxied(bench.s3.port) as proxy:
        bench.renew({"AWS_ENDPOINT_URL_S3": f"http://127.0.0.1:{proxy.port}"})
        bench.invoke([])  # no trigger: it only starts the runtime
        yield lambda seed: _trial(bench, proxy, seed)


def _trial(bench: Bench, proxy: Proxy, seed: int) -> Outcome:
    toxics = _toxics(seed)
    outcome = Outcome(seed, note=", ".join(map(_words, toxics)))
    bench.begin(_DAY.sources)
    for toxic in toxics:
        proxy.add(toxic)
    run = bench.invoke(EVENT)
    proxy.begin_anew()
    bench.wait_for_rest()
    outcome.problems += bench.log_problems(run)
    if run.error is not None and not run.error.startswith(FAILED_BY_S3):
        outcome.problems.append(f"the run fails with {run.error}")
    if run.error is None:
        objects = bench.destination()
        objects.pop(CLAIM, None)  # W13: a claim that can't be released expires
        outcome.problems += differences(_DAY.expected, objects)
    outcome.problems += bench.repeat_problems(EVENT, _DAY.expected)
    return outcome


def _toxics(seed: int) -> list[Toxic]:
    """One toxic or two of different kinds, for some connections or all."""
    rng = Random(f"proxy {seed}")
    kinds = list(_ATTRIBUTES)
    chosen = [kinds[seed % len(kinds)]]
    if rng.random() < 0.4:
        chosen.append(rng.choice([kind for kind in kinds if kind not in chosen]))
    return [
        Toxic(
            kind,
            rng.choice(("downstream", "upstream")),
            _ATTRIBUTES[kind](rng),
            rng.choice((0.1, 0.3, 0.6, 1.0)),
        )
        for kind in chosen
    ]


def _words(toxic: Toxic) -> str:
    attributes = " ".join(f"{name}={value}" for name, value in toxic.attributes.items())
    return f"{toxic.kind} {toxic.stream} {attributes} of {toxic.toxicity:.0%}"
