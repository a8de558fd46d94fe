"""``python -m harness.feed.consumer``: from Kinesis to small files in CloudTrail's layout.

It stands for Firehose with dynamic partitioning by account and region. The reading of the shards,
the puts to S3, the checkpoints and the restart are real; the buffers are a model, as
``harness/feed/buffers.py`` says. Two things are unlike Firehose: a file has CloudTrail's envelope
``{"Records":[...]}``, which Firehose can't write around its records, and the partitions may be
smaller than its 64 MiB.

The checkpoint of a shard is the last record up to which all are in files. It is written after the
file. So a killed consumer reads some records twice, and loses none.
"""

from __future__ import annotations

import argparse
import signal
import sys
import time
from collections.abc import Iterable, Mapping, Sequence
from pathlib import Path
from typing import Any

import boto3
import msgspec
from botocore.config import Config
from botocore.exceptions import BotoCoreError, ClientError

from harness.feed.buffers import Buffered, Buffers, Hint
from harness.feed.client.journal import log
from harness.feed.client.sequence import Watermark
from harness.feed.clock import Clock, date_of
from harness.feed.files import Place, body_of, key_of, place_of

_AT_ONCE = 1000
_PAUSE_S = 0.05

#: A shard and a sequence number.
type _Mark = tuple[str, str]


class Shard:
    """Reads one shard from its checkpoint, or from the oldest record."""

    def __init__(self, kinesis: Any, stream: str, name: str, checkpoint: str | None) -> None:
        self._kinesis = kinesis
        self.name = name
        start: Mapping[str, str] = (
            {"ShardIteratorType": "TRIM_HORIZON"}
            if checkpoint is None
            else {
                "ShardIteratorType": "AFTER_SEQUENCE_NUMBER",
                "StartingSequenceNumber": checkpoint,
            }
        )
        answer = kinesis.get_shard_iterator(StreamName=stream, ShardId=name, **start)
        self._iterator = answer["ShardIterator"]
        self.watermark = Watermark[str | None](checkpoint)

    def read(self) -> list[Mapping[str, Any]]:
        """The next records; none where the shard has no more for now."""
        answer = self._kinesis.get_records(ShardIterator=self._iterator, Limit=_AT_ONCE)
        self._iterator = answer["NextShardIterator"]
        return list(answer["Records"])


class Consumer:
    """Goes on from the checkpoints, if there are some."""

    def __init__(self, arguments: argparse.Namespace, kinesis: Any, s3: Any) -> None:
        self._s3 = s3
        self._bucket: str = arguments.bucket
        self._clock = Clock(arguments.began, arguments.speed)
        self._checkpoints: Path = arguments.checkpoints
        self._buffers = Buffers[Place, _Mark](Hint(arguments.size_mib, arguments.seconds))
        known: Mapping[str, str] = {}
        if self._checkpoints.exists():
            known = msgspec.json.decode(self._checkpoints.read_bytes())
        listed = kinesis.list_shards(StreamName=arguments.stream)["Shards"]
        names = [each["ShardId"] for each in listed]
        self._shards = {
            name: Shard(kinesis, arguments.stream, name, known.get(name)) for name in names
        }
        log("INFO", "started", checkpoints=dict(known))

    def turn(self) -> int:
        """Read each shard once, and write the files that are due. The number of records read."""
        read = 0
        for shard in self._shards.values():
            for each in shard.read():
                read += 1
                self._add(shard, each["SequenceNumber"], each["Data"])
        self._write(self._buffers.due(self._clock.now()))
        return read

    def finish(self) -> None:
        """Read to the end, and write all files."""
        while self.turn():
            pass
        self._write(self._buffers.rest())

    def _add(self, shard: Shard, sequence: str, text: bytes) -> None:
        shard.watermark.begin(sequence)
        try:
            place = place_of(text)
        except msgspec.MsgspecError as error:
            log("ERROR", "no_record", sequence=sequence, reason=str(error))
            shard.watermark.end(sequence)
            return
        full = self._buffers.add(place, text, (shard.name, sequence), self._clock.now())
        if full is not None:
            self._write([full])

    def _write(self, buffers: Iterable[Buffered[Place, _Mark]]) -> None:
        for each in buffers:
            body = body_of(each.texts)
            key = key_of(each.partition, date_of(self._clock.now()), body)
            self._s3.put_object(
                Bucket=self._bucket,
                Key=key,
                Body=body,
                ContentType="application/json",
                ContentEncoding="gzip",
            )
            for shard, sequence in each.marks:
                self._shards[shard].watermark.end(sequence)
            self._write_checkpoints()
            log("INFO", "file", key=key, records=len(each.texts), stored=len(body))

    def _write_checkpoints(self) -> None:
        values = {name: each.watermark.value for name, each in self._shards.items()}
        unfinished = self._checkpoints.with_suffix(".unfinished")
        known = {name: value for name, value in values.items() if value is not None}
        unfinished.write_bytes(msgspec.json.encode(known))
        unfinished.replace(self._checkpoints)


def read_arguments(given: Sequence[str]) -> argparse.Namespace:
    parser = argparse.ArgumentParser(prog="python -m harness.feed.consumer")
    for name in ("--stream", "--bucket"):
        parser.add_argument(name, required=True)
    parser.add_argument("--checkpoints", type=Path, required=True)
    parser.add_argument("--size-mib", type=int, required=True)
    parser.add_argument("--seconds", type=int, required=True)
    parser.add_argument("--began", type=float, required=True)
    parser.add_argument("--speed", type=float, required=True)
    return parser.parse_args(given)


def main() -> int:
    arguments = read_arguments(sys.argv[1:])
    once_more = Config(retries={"mode": "standard", "total_max_attempts": 5})
    kinesis = boto3.client("kinesis", config=once_more)
    s3 = boto3.client("s3", config=once_more)
    stopped: list[int] = []
    signal.signal(signal.SIGTERM, lambda number, _: stopped.append(number))
    consumer = Consumer(arguments, kinesis, s3)
    while not stopped:
        if not consumer.turn():
            time.sleep(_PAUSE_S)
    consumer.finish()
    log("INFO", "finished")
    return 0


if __name__ == "__main__":
    try:
        sys.exit(main())
    except (BotoCoreError, ClientError) as error:
        log("ERROR", "failed", reason=f"{type(error).__name__}: {error}")
        sys.exit(1)
