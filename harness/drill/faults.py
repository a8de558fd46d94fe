"""The faults of a drill. Each breaks one thing as it breaks on AWS, and has its repair."""

from __future__ import annotations

import json
import os
import re
import signal
import threading
import time
from contextlib import suppress
from datetime import timedelta

from harness.drill.deployment import DESTINATION, SOURCE
from harness.drill.fault import Fault, Needs
from harness.drill.front import Asked, Refusal, Rule, refuses
from harness.drill.night import Night
from harness.drill.trail import Trail
from harness.operate.ledger import Task
from harness.targets.ministack.roles import lacking

#: Some of the late sources, for faults of sources.
_SOME = 3
_KILLED_AT = 3  # the number of the copy at which the process is killed
_PACE_S = 5  # seconds that stand for the time-out where a run needs all of it
_SLOW_S = 3.0
#: A slow day ends between four fifths of its time, 24 s, and its last tenth (SPEC E6).
_LONG_PACE_S = 30
_LATE_S = 24.5
_PATIENT_S = 8.0  # an attempt fails after 10 s without a byte (SPEC E5)


class SlowDown(Fault):
    name = "slow-down"
    about = "S3 answers SlowDown to every read for three and a half hours"
    ending = "OUT_OF_TIME"
    alarm = "ErrorsAlarm"

    def breaks(self, night: Night, trail: Trail) -> None:
        rule = refuses("get", f"{trail.prefix}.*", 503, "SlowDown")
        night.side.active.sandboxes.pace(_PACE_S)
        night.front.rules.append(rule)

        def ends() -> None:
            night.front.rules.remove(rule)
            night.side.active.sandboxes.pace(None)

        night.at(night.now + timedelta(hours=3, minutes=30), ends)

    def mends(self, night: Night, trail: Trail, answer: int) -> bool:
        night.did("waited: S3 mends it, and the queue tries again")
        return True


class Killed(Fault):
    name = "killed"
    about = "the process is killed in the middle of publishing"
    ending = "died"
    alarm = "ErrorsAlarm"

    def breaks(self, night: Night, trail: Trail) -> None:
        lock, copies = threading.Lock(), 0

        def kill(asked: Asked) -> Refusal | None:
            nonlocal copies
            if asked.operation != "copy":
                return None
            with lock:
                copies += 1
                if copies < _KILLED_AT:
                    return None
                for pid in night.side.active.sandboxes.runtime_pids(0):
                    with suppress(ProcessLookupError):
                        os.kill(pid, signal.SIGKILL)
            return Refusal(503, "ServiceUnavailable")  # to nobody

        night.front.rules.append(kill)
        night.at(night.fires + timedelta(minutes=30), lambda: night.front.rules.remove(kill))

    def mends(self, night: Night, trail: Trail, answer: int) -> bool:
        night.did("waited: the claim expires, and the queue tries again")
        return True


class Expired(Fault):
    name = "expired"
    about = "a lifecycle rule has deleted sources of a day that is published"
    ending = "FEWER_SOURCES"
    alarm = "ErrorsAlarm"
    answered = "DeadLetterAlarm"
    all_early = True

    def breaks(self, night: Night, trail: Trail) -> None:
        trail.remove(trail.early[::2])

    def mends(self, night: Night, trail: Trail, answer: int) -> bool:
        night.did("looked at status: the day is published with more sources")
        night.drop_letters()
        night.delete_hidden()
        return True


class Archived(Fault):
    name = "archived"
    about = "late sources are in an archive when the run reads them"
    ending = "BAD_SOURCES"
    alarm = "ErrorsAlarm"
    answered = "DeadLetterAlarm"
    _rules: list[Rule]

    def breaks(self, night: Night, trail: Trail) -> None:
        keys = "|".join(re.escape(trail.prefix + each.key) for each in trail.late[:_SOME])
        self._rules = [refuses("get", keys, 403, "InvalidObjectState")]
        night.front.rules += self._rules

    def mends(self, night: Night, trail: Trail, answer: int) -> bool:
        for rule in self._rules:
            night.front.rules.remove(rule)
        night.did("restored the sources from the archive")
        night.redrive()
        return True


class Damaged(Fault):
    name = "damaged"
    about = "late sources break off in the middle"
    ending = "BAD_SOURCES"
    alarm = "ErrorsAlarm"
    answered = "DeadLetterAlarm"

    def breaks(self, night: Night, trail: Trail) -> None:
        for each in trail.late[:_SOME]:
            trail.put_body(each, each.body[: len(each.body) // 2])

    def mends(self, night: Night, trail: Trail, answer: int) -> bool:
        trail.put(trail.late[:_SOME])
        night.did("put sound copies of the sources in their places")
        night.redrive()
        return True


class EarlyRedrive(Damaged):
    name = "early-redrive"
    about = "dead letters are put back before the sources are repaired"

    def mends(self, night: Night, trail: Trail, answer: int) -> bool:
        if answer > 1:
            return super().mends(night, trail, answer)
        night.redrive()
        return False


class OutOfTime(Fault):
    name = "out-of-time"
    about = "the day needs more time than Lambda gives"
    ending = "OUT_OF_TIME"
    alarm = "DurationAlarm"
    answered = "DeadLetterAlarm"

    def breaks(self, night: Night, trail: Trail) -> None:
        def slow(asked: Asked) -> Refusal | None:
            if asked.operation == "get" and asked.key.startswith(trail.prefix):
                threading.Event().wait(_SLOW_S)
            return None

        night.front.rules.append(slow)
        night.side.active.sandboxes.pace(_PACE_S)

    def mends(self, night: Night, trail: Trail, answer: int) -> bool:
        night.side.active.sandboxes.run_task(Task(night.day))
        night.did("ran the day as a task, which has hours")
        night.side.active.sandboxes.pace(None)
        night.front.rules.clear()
        night.drop_letters()
        return True


class Twice(Fault):
    name = "twice"
    about = "somebody queues the day at the moment when the schedule does"
    ending = "BUSY"
    alarm = "ErrorsAlarm"

    def breaks(self, night: Night, trail: Trail) -> None:
        night.at(night.fires, lambda: night.side.send(Task(night.day), night.now))

    def mends(self, night: Night, trail: Trail, answer: int) -> bool:
        night.did("waited: BUSY ends with the other run")
        return True


class TwoStacks(Fault):
    name = "two-stacks"
    about = "a second stack with another language writes to the same place"
    ending = "BUSY"
    alarm = "ErrorsAlarm"
    needs = Needs.STACK

    def breaks(self, night: Night, trail: Trail) -> None:
        night.sides[1].deployment.enable_schedule(on=True)

    def mends(self, night: Night, trail: Trail, answer: int) -> bool:
        other = night.sides[1]
        other.deployment.enable_schedule(on=False)
        night.did("deployed the second stack with ActiveLanguage none, after its last day")
        return True


class TwoMappings(Fault):
    name = "two-mappings"
    about = "somebody has mapped the queue to a second language, which is faster"
    ending = "ok"
    alarm = "Idle"
    needs = Needs.FUNCTION

    def breaks(self, night: Night, trail: Trail) -> None:
        assert night.other is not None
        night.side.mapped = night.other

    def mends(self, night: Night, trail: Trail, answer: int) -> bool:
        night.side.mapped = night.side.active
        night.did("deleted the second mapping")
        return True


class TrailStopped(Fault):
    name = "trail-stopped"
    about = "the trail has delivered no source yet when the day is aggregated"
    ending = "ok"
    alarm = "EmptyDayAlarm"
    unpublished = True

    def breaks(self, night: Night, trail: Trail) -> None:
        trail.remove([*trail.early, *trail.late])

    def mends(self, night: Night, trail: Trail, answer: int) -> bool:
        trail.put([*trail.early, *trail.late])
        night.did("started the trail, and waited for its sources")
        night.queue_day(night.day)
        return True


class ScheduleOff(Fault):
    name = "schedule-off"
    about = "somebody has disabled the schedule"
    ending = "none"
    alarm = "ScheduleSilentAlarm"
    lasting = ("ScheduleSilentAlarm",)  # until the schedule has fired

    def breaks(self, night: Night, trail: Trail) -> None:
        night.side.deployment.enable_schedule(on=False)

    def mends(self, night: Night, trail: Trail, answer: int) -> bool:
        night.side.deployment.enable_schedule(on=True)
        night.did("enabled the schedule")
        night.queue_day(night.day)
        return True


class ScheduleRights(Fault):
    name = "schedule-rights"
    about = "the schedule's role may send to no queue"
    ending = "none"
    alarm = "ScheduleDroppedAlarm"

    def breaks(self, night: Night, trail: Trail) -> None:
        _deny_schedule(night, "*")

    def mends(self, night: Night, trail: Trail, answer: int) -> bool:
        _restore_rights(night, "gave the schedule's role its rights back")
        night.queue_day(night.day)
        return True


class QueueRefuses(Fault):
    name = "queue-refuses"
    about = "the schedule's role may not send to the queue of the days"
    ending = "none"
    alarm = "ScheduleDeadLetterAlarm"

    def breaks(self, night: Night, trail: Trail) -> None:
        _deny_schedule(night, night.side.days.arn)

    def mends(self, night: Night, trail: Trail, answer: int) -> bool:
        _restore_rights(night, "gave the schedule's role its right back")
        night.redrive()
        return True


class Rights(Fault):
    name = "rights"
    about = "the functions' role may not write any more"
    ending = "S3_ERROR"
    alarm = "ErrorsAlarm"
    answered = "DeadLetterAlarm"

    def breaks(self, night: Night, trail: Trail) -> None:
        deployment = night.side.deployment
        policy = deployment.function_policy
        deployment.function.allow(lacking(policy, "WriteDestination", "s3:PutObject"))

    def mends(self, night: Night, trail: Trail, answer: int) -> bool:
        _restore_rights(night, "gave the functions' role its right back")
        night.redrive()
        return True


class Locked(Fault):
    name = "locked"
    about = "a policy of the destination bucket denies every deletion"
    ending = "S3_ERROR"
    alarm = "ErrorsAlarm"
    answered = "DeadLetterAlarm"

    def breaks(self, night: Night, trail: Trail) -> None:
        deny = {
            "Sid": "Locked",
            "Effect": "Deny",
            "Principal": "*",
            "Action": "s3:DeleteObject",
            "Resource": f"arn:aws:s3:::{DESTINATION}/*",
        }
        policy = json.dumps({"Version": "2012-10-17", "Statement": [deny]})
        night.destination.s3.put_bucket_policy(Bucket=DESTINATION, Policy=policy)

    def mends(self, night: Night, trail: Trail, answer: int) -> bool:
        night.destination.s3.delete_bucket_policy(Bucket=DESTINATION)
        night.did("removed the bucket's policy")
        night.redrive()
        return True


class NoRoom(Fault):
    name = "no-room"
    about = "other functions of the account use all its concurrency"
    ending = "throttled"
    alarm = "ThrottlesAlarm"

    def breaks(self, night: Night, trail: Trail) -> None:
        night.side.has_room = False

    def mends(self, night: Night, trail: Trail, answer: int) -> bool:
        night.side.has_room = True
        night.did("stopped the other functions: the queue tries again")
        return True


class NobodyTakes(Fault):
    name = "nobody-takes"
    about = "the mapping is disabled, and the first alarm is not answered"
    ending = "none"
    alarm = "NoDayAlarm"
    answered = "OldestMessageAlarm"
    unpublished = True

    def breaks(self, night: Night, trail: Trail) -> None:
        night.side.polls = False

    def mends(self, night: Night, trail: Trail, answer: int) -> bool:
        night.side.polls = True
        night.did("enabled the mapping")
        return True


class SlowDay(Fault):
    name = "slow-day"
    about = "S3 is slow, and the day succeeds after more than four fifths of its time"
    ending = "ok"
    alarm = "DurationAlarm"
    _rule: Rule

    def breaks(self, night: Night, trail: Trail) -> None:
        last = trail.prefix + max(each.key for each in [*trail.early, *trail.late])
        lock = threading.Lock()
        began: list[float] = []

        def slow(asked: Asked) -> Refusal | None:
            """Listings wait first, and then the last source, when the others are done."""
            if asked.bucket == SOURCE and (asked.operation == "list" or asked.key == last):
                with lock:
                    began[:] = began or [time.monotonic()]
                until = _LATE_S - (_PATIENT_S if asked.operation == "list" else 0)
                left = began[0] + until - time.monotonic()
                time.sleep(min(max(left, 0), _PATIENT_S))
            return None

        self._rule = slow
        night.front.rules.append(slow)
        night.side.active.sandboxes.pace(_LONG_PACE_S)

    def mends(self, night: Night, trail: Trail, answer: int) -> bool:
        night.front.rules.remove(self._rule)
        night.side.active.sandboxes.pace(None)
        night.did("looked at status: the day is published; Timeout can wait until the morning")
        return True


def _deny_schedule(night: Night, resource: str) -> None:
    """The schedule's role may send to no such queue, whatever its policy allows."""
    deployment = night.side.deployment
    policy = deployment.schedule_policy
    deny = {"Sid": "Frozen", "Effect": "Deny", "Action": "sqs:*", "Resource": resource}
    deployment.scheduler.allow({**policy, "Statement": [*policy["Statement"], deny]})


def _restore_rights(night: Night, words: str) -> None:
    night.side.deployment.restore_rights()
    night.did(words)


FAULTS: tuple[type[Fault], ...] = (
    SlowDown,
    Killed,
    Expired,
    Archived,
    Damaged,
    OutOfTime,
    Twice,
    TwoStacks,
    TwoMappings,
    TrailStopped,
    EarlyRedrive,
    ScheduleOff,
    ScheduleRights,
    QueueRefuses,
    Rights,
    Locked,
    NoRoom,
    NobodyTakes,
    SlowDay,
)
