"""Datasets for the fuzzer: keys, days, accounts, earlier output and settings, in a few runs each.

``dataset_model`` computes the expected output, and the vectors' judge compares. So a dataset is a
vector that hypothesis draws, and shrinks if an implementation fails it.
"""

from __future__ import annotations

import gzip
import json
from dataclasses import dataclass
from random import Random

from hypothesis import strategies as st

from harness.verify.fuzz.body_maker import Bodies
from harness.verify.fuzz.dataset_model import DatasetModel, Limits, Run, stored
from harness.verify.fuzz.oracle import truth
from harness.verify.fuzz.subjects import MAX_SOURCE_BYTES
from harness.verify.vectors.cases import DESTINATION_BUCKET, SOURCE_BUCKET, Case, Step

_ACCOUNTS = ("111122223333", "111122223334", "000000000000")
_NO_ACCOUNTS = ("11112222333", "1111222233334", "11112222333x", "111122223333 ", "o-a1", "")
_ORGANISATIONS = ("o-a1", "o-0z9")
_NO_ORGANISATIONS = ("o-", "O-a1", "o-A1", "o-a_1", "a1", "o-a1/o-a1")
_REGIONS = ("eu-west-1", "us-east-1", "eu-west-1x", "é", "a b+c", "%2F", "\U0001f30d", "\uffee")
_NEIGHBOURS = ("CloudTrail-Digest", "CloudTrail-Insight", "Cloudtrail", "Config", "CloudTrail ")
_DAYS = ((2024, 2, 29), (2024, 3, 1), (2023, 12, 31))
_OFTEN = (*[_DAYS[0]] * 5, *_DAYS)
_NO_DAYS = ("2024/2/29/", "2024/02/29x/", "2024/02/2/", "2024/02/", "02/29/", "")
# UTF-16 and UTF-8 sort the last two otherwise
_LETTERS = "ab.0-_ +%~\t\n\x7f\x85&'\"<é\uff5e\U00010000"
_BROKEN = (b"", b"{}", b'{"Records":[1]}', b'{"Records":[{}]', b"\x1f\x8b\x08", b"\xff")
_MANIFESTS = (
    *(b"", b"[]", b'{"result":{}}', b'{"result":{"sources":1,"bad":true}}'),
    *(b'{"result":{"sources":%d,"bad":%d}}' % each for each in ((0, 0), (3, 1), (2, 0), (1, 2))),
    *(b'{"result":{"sources":2.0,"bad":1e0}}', b'{"result":{"sources":1.5,"bad":0}}'),
    *(b'{"result":{"sources":-1,"bad":-2}}', b'{"result":{"sources":1e400,"bad":0}}', b"\xff{}"),
    *(b'{"result":{"sources":"1","bad":0}}', b'{"result":{"sources":9007199254740993,"bad":0}}'),
)
_EARLIER = (
    *("000001.ndjson.gz", "000002.ndjson.gz", "000009.ndjson.gz", "1000000.ndjson.gz"),
    *(
        "_old-000001.ndjson.gz",
        "__-000002.ndjson.gz",
        "_-1234567.ndjson.gz",
        "_a b-000003.ndjson.gz",
    ),
    # objects of others, which no run may change
    *("0000001.ndjson.gz", "00001.ndjson.gz", "000001.ndjson.gz.gz", "x000001.ndjson.gz"),
    *(
        "_old-00001.ndjson.gz",
        "old-000001.ndjson.gz",
        "a/000001.ndjson.gz",
        "notes.txt",
        "_manifest",
    ),
)


@dataclass(frozen=True, slots=True)
class Scenery:
    """The common settings of a round of datasets. New settings would need a new sandbox."""

    limits: Limits
    concurrency: int
    gzip_level: int
    page: int

    def settings(self) -> dict[str, str | None]:
        return {
            "SRC_BUCKET": SOURCE_BUCKET,
            "DST_BUCKET": DESTINATION_BUCKET,
            "SRC_PREFIX": self.limits.source_prefix,
            "DST_PREFIX": self.limits.destination_prefix,
            "CHUNK_BYTES": str(self.limits.chunk_bytes),
            "MAX_SOURCE_BYTES": str(self.limits.max_source_bytes),
            "CONCURRENCY": str(self.concurrency),
            "GZIP_LEVEL": str(self.gzip_level),
        }


def draw_scenery(rng: Random) -> Scenery:
    """The settings of a round, and the number of entries on a page of S3's listing."""
    limits = Limits(
        rng.choice(("", "", "a/", "AWSLogs/", "trail é +%/")),
        rng.choice(("", "", "out/", "AWS Logs/é+/")),
        rng.choice((1, 16, 32, 48, 64, 200, 67108864)),
        MAX_SOURCE_BYTES,
    )
    return Scenery(
        limits, rng.choice((1, 2, 3, 16)), rng.randint(1, 9), rng.choice((1, 2, 3, 1000))
    )


def datasets(scenery: Scenery) -> st.SearchStrategy[Case]:
    """Vectors with up to four runs over one dataset that changes between them."""
    objects = st.dictionaries(
        _keys(scenery.limits.source_prefix), _bodies(), min_size=1, max_size=8
    )
    changes = st.tuples(objects, st.sets(st.integers(0, 7), max_size=4), _runs())
    earlier = st.dictionaries(_earlier_keys(scenery.limits.destination_prefix), st.just(b"old\n"))
    manifests = st.dictionaries(
        _day_prefixes(scenery.limits.destination_prefix), st.sampled_from(_MANIFESTS), max_size=2
    )
    steps = st.lists(changes, min_size=1, max_size=4)
    return st.builds(_case, st.just(scenery), earlier, manifests, steps)


def _case(
    scenery: Scenery,
    earlier: dict[str, bytes],
    manifests: dict[str, bytes],
    changes: list[tuple[dict[str, bytes], set[int], Run]],
) -> Case:
    found = earlier | {f"{prefix}_manifest.json": text for prefix, text in manifests.items()}
    model = DatasetModel(scenery.limits, {}, dict(found))
    steps = []
    for add, places, run in changes:
        known = sorted(model.sources)
        remove = tuple(known[place] for place in places if place < len(known))
        model.sources |= add
        removed = tuple(key for key in remove if key not in add)
        for key in removed:
            del model.sources[key]
        expect = model.run(run)
        payload = json.dumps(run.event()).encode()
        steps.append(Step(payload, scenery.settings(), stored(add), removed, None, expect))
    return Case(
        "dataset",
        "A drawn dataset",
        ("L1",),
        {},
        stored({key: _zipped(key, text) for key, text in found.items()}),
        (),
        tuple(steps),
        dict(model.destination),
    )


def _zipped(key: str, text: bytes) -> bytes:
    return gzip.compress(text, mtime=0) if key.endswith(".gz") else text


def _keys(source_prefix: str) -> st.SearchStrategy[str]:
    """Keys, most of them of sources, the others of objects beside the sources."""
    account = _mostly(_ACCOUNTS, _NO_ACCOUNTS)
    owner = st.one_of(
        account,
        st.builds("{}/{}".format, _mostly(_ORGANISATIONS, _NO_ORGANISATIONS), account),
    )
    service = _mostly(("CloudTrail",), _NEIGHBOURS)
    day = _mostly(tuple("{:04d}/{:02d}/{:02d}/".format(*each) for each in _OFTEN), _NO_DAYS)
    name = st.one_of(
        st.sampled_from(("", "a", "a.json.gz", "b/", "b/c", "/", "//a", "é")),
        st.text(_LETTERS + "/", min_size=1, max_size=6),
    )
    root = _mostly((f"{source_prefix}AWSLogs/",), ("AWSLogs/", "awslogs/", "x/AWSLogs/"))
    parts = st.tuples(owner, service, st.sampled_from(_REGIONS))
    return st.builds(lambda r, p, d, n: f"{r}{'/'.join(p)}/{d}{n}", root, parts, day, name)


def _mostly(usual: tuple[str, ...], odd: tuple[str, ...]) -> st.SearchStrategy[str]:
    return st.integers(0, 24).flatmap(lambda n: st.sampled_from(odd if n == 24 else usual))


def _runs() -> st.SearchStrategy[Run]:
    accounts = st.one_of(st.none(), st.none(), st.sampled_from(_ACCOUNTS))
    force = st.sampled_from((False, False, True))
    return st.builds(
        lambda day, account, force: Run(day[0], day[1], day[2], account, force),
        st.sampled_from(_OFTEN),
        accounts,
        force,
    )


def _day_prefixes(destination_prefix: str) -> st.SearchStrategy[str]:
    return _runs().map(
        lambda run: f"{destination_prefix}{f'{run.account}/' if run.account else ''}{run.folder}"
    )


def _earlier_keys(destination_prefix: str) -> st.SearchStrategy[str]:
    return st.builds(str.__add__, _day_prefixes(destination_prefix), st.sampled_from(_EARLIER))


def _bodies() -> st.SearchStrategy[bytes]:
    """Bodies with records whose sizes meet the borders of chunks, and some of ``body_maker``.

    None of them allows more than one fault.
    """
    record = st.one_of(
        st.integers(0, 60).map(lambda size: b'{"a":"%s"}' % (b"x" * size)),
        st.sampled_from((b"{}", b'{\r\n"a":1}', b'{"a" :\t1.0}', '{"é":"\u2028"}'.encode())),
    )
    text = st.lists(record, max_size=5).map(lambda each: b'{"Records":[%s]}' % b",".join(each))
    whole = st.tuples(text, st.booleans()).map(
        lambda each: gzip.compress(each[0], mtime=0) if each[1] else each[0]
    )
    fuzzed = st.integers(0, 1 << 32).map(lambda seed: Bodies(Random(seed), MAX_SOURCE_BYTES).body())
    clear = fuzzed.filter(lambda body: len(truth(body).codes) <= 1)
    return st.one_of(whole, whole, whole, st.sampled_from(_BROKEN), clear)
