import asyncio
import importlib
import json
import os
from collections.abc import Callable
from typing import Any

import pytest
from memory_store import (
    DESTINATION,
    SOURCE,
    FakeContext,
    MemoryStore,
    log_lines,
    make_config,
    prepared,
    source_body,
)

from aggregator import attempts, handler
from aggregator.errors import AggregationError
from aggregator.handler import Prepared, run
from aggregator.store import Store

FOLDER = "AWSLogs/111122223333/CloudTrail/eu-west-1/2024/02/08/"
EVENT: dict[str, object] = {"year": 2024, "month": 2, "day": 8}


def preparing(store: Store, **settings: str) -> Callable[[], Prepared]:
    return lambda: prepared(make_config(**settings), store)


def store_of(*bodies: bytes) -> MemoryStore:
    store = MemoryStore()
    store.buckets[SOURCE] = {f"{FOLDER}{n:02d}": body for n, body in enumerate(bodies)}
    return store


def test_result_and_log(capsys: pytest.CaptureFixture[str]) -> None:
    store = store_of(source_body([{"a": 1}, {"b": 2}]), source_body([]))
    result = run(EVENT, FakeContext(), preparing(store, LOG_LEVEL="DEBUG"))
    assert json.dumps(result, separators=(",", ":")) == (
        '{"day":"2024-02-08","sources":2,"bad":0,"records":2,"bytes":16,"chunks":1,"deleted":0}'
    )
    start, chunk, end = log_lines(capsys.readouterr().out)
    assert start == {
        "level": "INFO",
        "event": "start",
        "request_id": "test-request",
        "day": "2024-02-08",
        "account": None,
        "force": False,
    }
    assert (chunk["level"], chunk["records"], chunk["bytes"]) == ("DEBUG", 2, 16)
    assert (end["event"], end["error"], end["result"]) == ("end", None, result)
    phases: Any = end["phases"]
    counts = {name: phase["count"] for name, phase in phases.items()}
    assert counts == {"list": 3, "get": 2, "decode": 2, "compress": 1, "put": 1, "publish": 1}


def test_bad_sources_are_named_after_publishing() -> None:
    store = store_of(source_body([{}]), *[b"x"] * 12)
    with pytest.raises(AggregationError) as caught:
        run(EVENT, FakeContext(), preparing(store))
    message = str(caught.value)
    assert message.startswith(f"BAD_SOURCES: 12 of 13: {FOLDER}01 (BAD_JSON), {FOLDER}02 (")
    assert message.endswith(f"{FOLDER}10 (BAD_JSON), and 2 more")
    assert "2024/02/08/000001.ndjson.gz" in store.buckets[DESTINATION]
    forced = run(EVENT | {"force": True}, FakeContext(), preparing(store))
    assert (forced["sources"], forced["bad"]) == (13, 12)


def test_unforeseen_fault_is_internal(capsys: pytest.CaptureFixture[str]) -> None:
    class Broken(MemoryStore):
        async def get(self, bucket: str, key: str, limit: int) -> bytes:
            raise ZeroDivisionError("told in the log only")

    store = Broken()
    store.buckets[SOURCE][f"{FOLDER}a"] = b""
    with pytest.raises(AggregationError, match=r"^INTERNAL: see the log$"):
        run(EVENT, FakeContext(), preparing(store))
    end = log_lines(capsys.readouterr().out)[-1]
    assert end["cause"] == "ZeroDivisionError: told in the log only"


def test_a_run_that_fails_gives_its_claim_back_last() -> None:
    key = f"{FOLDER}00"
    store = MemoryStore(faults={("get", key): "InternalError"})
    store.buckets[SOURCE][key] = b""
    with pytest.raises(AggregationError, match=r"^S3_ERROR: get "):
        run(EVENT, FakeContext(), preparing(store))
    claim = "2024/02/08/_claim.json"
    assert store.requests[0] == ("put", claim)
    assert store.requests[-1] == ("delete", claim)
    assert store.buckets[DESTINATION] == {}


def test_an_allocation_that_fails_ends_the_process(monkeypatch: pytest.MonkeyPatch) -> None:
    class Exhausted(MemoryStore):
        async def get(self, bucket: str, key: str, limit: int) -> bytes:
            raise MemoryError

    class EndOfProcess(BaseException):  # no error
        pass

    def end(status: int) -> None:
        raise EndOfProcess(status)

    monkeypatch.setattr(os, "_exit", end)
    store = Exhausted()
    store.buckets[SOURCE][f"{FOLDER}a"] = b""
    with pytest.raises(EndOfProcess):
        run(EVENT, FakeContext(), preparing(store))


def test_out_of_time_while_a_source_hangs() -> None:
    class Hanging(MemoryStore):
        async def get(self, bucket: str, key: str, limit: int) -> bytes:
            if key.endswith("02"):
                await asyncio.sleep(60)
            return await super().get(bucket, key, limit)

    store = Hanging()
    store.buckets[SOURCE] = {f"{FOLDER}{n:02d}": source_body([{}]) for n in range(9)}
    with pytest.raises(AggregationError, match=r"^OUT_OF_TIME: 2 sources read$"):
        run(EVENT, FakeContext(remaining_ms=1500), preparing(store))
    assert store.buckets[DESTINATION] == {}
    store.buckets[SOURCE] = {f"{FOLDER}a": source_body([{}])}
    assert run(EVENT, FakeContext(), preparing(store))["sources"] == 1


def test_publishing_is_not_stopped_by_the_time(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(attempts, "_ENDING_S", -60)  # the last second comes after this test

    class Slow(MemoryStore):
        async def copy(self, bucket: str, from_key: str, to_key: str) -> None:
            await asyncio.sleep(1.4)
            await super().copy(bucket, from_key, to_key)

    store = Slow()
    store.buckets[SOURCE] = {f"{FOLDER}a": source_body([{}])}
    assert run(EVENT, FakeContext(remaining_ms=1500), preparing(store))["chunks"] == 1


def test_bad_settings_fail_invocations_not_the_import(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.delenv("SRC_BUCKET", raising=False)
    importlib.reload(handler)
    for _ in range(2):
        with pytest.raises(AggregationError, match=r"^BAD_SETTINGS: SRC_BUCKET$"):
            handler.handle("no event", FakeContext())


def test_runtime_client_parses_long_integers() -> None:
    assert json.loads("1" * 5000) > 0


def test_client_is_made_once(monkeypatch: pytest.MonkeyPatch) -> None:
    for name, value in (("SRC_BUCKET", SOURCE), ("DST_BUCKET", DESTINATION)):
        monkeypatch.setenv(name, value)
    monkeypatch.setenv("AWS_REGION", "us-east-1")
    monkeypatch.setenv("AWS_ACCESS_KEY_ID", "test")
    monkeypatch.setenv("AWS_SECRET_ACCESS_KEY", "test")
    importlib.reload(handler)
    assert handler.prepare.cache_info().currsize == 1
    assert handler.prepare() is handler.prepare()
    with pytest.raises(AggregationError, match="INVALID_EVENT"):
        handler.handle([], FakeContext())
