import os
from threading import Thread

import pytest

from aggregator.tuning.event_thread import settle_event_thread

pytestmark = pytest.mark.skipif(not hasattr(os, "SCHED_BATCH"), reason="only Linux has it")


def policy_of_a_settled_thread() -> int:
    policies: list[int] = []

    def settle() -> None:
        settle_event_thread()
        settle_event_thread()
        policies.append(os.sched_getscheduler(0))

    thread = Thread(target=settle)
    thread.start()
    thread.join()
    [policy] = policies
    return policy


def test_only_that_thread_does_not_interrupt() -> None:
    assert policy_of_a_settled_thread() == os.SCHED_BATCH
    assert os.sched_getscheduler(0) == os.SCHED_OTHER


def test_a_refusal_changes_nothing(monkeypatch: pytest.MonkeyPatch) -> None:
    def refuse(*_: object) -> None:
        raise PermissionError

    monkeypatch.setattr(os, "sched_setscheduler", refuse)
    assert policy_of_a_settled_thread() == os.SCHED_OTHER
    monkeypatch.delattr(os, "SCHED_BATCH")
    assert policy_of_a_settled_thread() == os.SCHED_OTHER
