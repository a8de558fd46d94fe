"""``python -m harness.feed.naive``: a client like many that people write, for contrast.

One PutRecord for each message, a random partition key, every exception swallowed, and 30 seconds of
sleep before it connects again. It asks for no missed messages, and keeps no position.
"""

from __future__ import annotations

import os
import time
import uuid
from typing import Any

import boto3
from botocore.config import Config
from msgspec import MsgspecError
from websockets.sync.client import connect

from harness.feed.client.journal import log
from harness.feed.client.protocol import Message, Subscribe, decode, encode
from harness.feed.third_party import END


def main() -> None:
    # The SDK would repeat a refused request after waits that the run can't make shorter.
    config = Config(retries={"total_max_attempts": 1}, connect_timeout=2, read_timeout=2)
    kinesis = boto3.client("kinesis", config=config)
    stream, url = os.environ["STREAM_NAME"], os.environ["FEED_URL"]
    sleep_s = float(os.environ["SLEEP_S"])
    log("INFO", "started")
    while True:
        try:
            with connect(url) as socket:
                socket.send(encode(Subscribe()).decode())
                while (text := socket.recv()) != END:
                    _put(kinesis, stream, text)
                return
        except Exception:  # this is the fault that it shows
            time.sleep(sleep_s)


def _put(kinesis: Any, stream: str, text: str | bytes) -> None:
    try:
        message = decode(text)
        if isinstance(message, Message):
            kinesis.put_record(
                StreamName=stream, Data=bytes(message.record), PartitionKey=str(uuid.uuid4())
            )
    except Exception as error:
        if not isinstance(error, MsgspecError):
            log("ERROR", "swallowed", reason=type(error).__name__)


if __name__ == "__main__":
    main()
