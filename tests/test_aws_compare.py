"""`compare --target aws`: its requests to AWS, its use of the answers, and its cleaning up."""

from __future__ import annotations

import gzip
import json
import os
import re
import shutil
import signal
import threading
from collections.abc import Callable, Mapping, Sequence
from pathlib import Path
from typing import Any

import pytest
from fake_aws import FakeAws, Refused, report_line

from harness.build.template import load_implementations
from harness.compare.aws_estimate import Estimate, ask, estimate_request
from harness.compare.orchestrate import compare
from harness.compare.request import Request
from harness.fixtures.recipe import Recipe
from harness.fixtures.sources import read_records
from harness.model import (
    Artefact,
    Comparison,
    HarnessError,
    Implementation,
    NotReady,
    SampleKind,
    Start,
    UsageError,
    VerdictKind,
)
from harness.report.start_tables import snap_start_cost_table, starts_table
from harness.targets.aws.deployed import read_deployed, variables_of
from harness.targets.aws.report_line import ReportLine, read_report
from harness.targets.aws.session import Clients
from harness.targets.aws.settings import SettingsKeeper
from harness.targets.aws.stack import read_stack
from harness.targets.aws.target import aws_target

TEMPLATE = load_implementations()
(OPTIONS_OF_SNAP_START,) = (each.with_snap_start for each in TEMPLATE if each.language == "java")
KILLED = "RequestId: 6f747a63 Error: Runtime exited with error: signal: killed"
FEW = {"cold": 1, "warm": 1, "rerun": 1}


def aggregated(aws: FakeAws, variables: Mapping[str, str], event: Mapping[str, Any]) -> object:
    """The output of an implementation for the objects in memory."""
    day = f"{event['year']:04d}/{event['month']:02d}/{event['day']:02d}"
    pattern = rf"{variables['SRC_PREFIX']}AWSLogs/\d{{12}}/CloudTrail/[^/]+/{day}/.+"
    keys = sorted(key for _, key in aws.objects if re.fullmatch(pattern, key))
    records = [
        record + b"\n"
        for key in keys
        for record in read_records(aws.objects[variables["SRC_BUCKET"], key])
    ]
    chunks = [b""]
    for record in records:
        if len(chunks[-1]) >= int(variables["CHUNK_BYTES"]):
            chunks.append(b"")
        chunks[-1] += record
    prefix = f"{variables['DST_PREFIX']}{day}/"
    listed = []
    for number, text in enumerate(chunks, 1):
        key = f"{prefix}{number:06d}.ndjson.gz"
        aws.objects[variables["DST_BUCKET"], key] = gzip.compress(text, 1, mtime=0)
        listed.append({"key": key, "records": text.count(b"\n"), "bytes": len(text)})
    result = {
        "day": day.replace("/", "-"),
        "sources": len(keys),
        "bad": 0,
        "records": len(records),
        "bytes": sum(map(len, records)),
        "chunks": len(chunks),
        "deleted": 0,
    }
    manifest = json.dumps({"result": result, "chunks": listed}).encode()
    aws.objects[variables["DST_BUCKET"], f"{prefix}_manifest.json"] = manifest
    return result


def runs(aws: FakeAws, **report: float) -> None:
    """Functions that work, cold once per version; ``report`` is how they start, if not by init."""

    def run(variables: Mapping[str, str], event: Mapping[str, Any], cold: bool) -> Any:
        result = aggregated(aws, variables, event)
        end = {"event": "end", "phases": {"get": {"count": 3, "sum_ms": 5}}, "wait_ms": 2}
        start = (report or {"init": 412.5}) if cold else {}
        line = report_line(duration=120.25, billed=121, size=1769, used=77, **start)
        return result, None, f"START\n{json.dumps(end)}\n{line}"

    aws.run = run


def compared(
    aws: FakeAws, tmp_path: Path, agree: Callable[[Estimate], None] = lambda _: None, **asked: Any
) -> Comparison:
    asked = {"languages": ("go",), "clients": ("sdk",), **FEW, **asked}
    request = Request(Recipe(objects=12), on_aws=True, **asked)
    clients = aws.clients()
    stack = read_stack(clients, "rosetta")

    def agree_to(functions: Sequence[Implementation]) -> None:
        agree(estimate_request(request, functions, stack.architecture))

    with aws_target(clients, stack, TEMPLATE, agree_to, print, tmp_path) as target:
        return compare(request, target, print)


def state(aws: FakeAws) -> object:
    """The state of AWS that a comparison must not change."""
    return (
        sorted(aws.objects),
        {name: (each.latest, each.versions, each.aliases) for name, each in aws.functions.items()},
    )


def snapshot(aws: FakeAws) -> str:
    return json.dumps(state(aws), sort_keys=True, default=str)


@pytest.fixture
def aws() -> FakeAws:
    made = FakeAws(objects={("chunks", "day/2024/02/08/000001.ndjson.gz"): b"the daily work's"})
    runs(made)
    return made


def test_the_report_lines_figures_become_samples(aws: FakeAws, tmp_path: Path) -> None:
    (row,) = compared(aws, tmp_path).rows
    assert row.verdict.kind is VerdictKind.MATCH, row.verdict.reason
    cold, warm, rerun = (
        next(each for each in row.samples if each.kind is kind)
        for kind in (SampleKind.COLD, SampleKind.WARM, SampleKind.RERUN)
    )
    assert (cold.init_ms, cold.duration_ms, cold.first_ms) == (412.5, 120.25, 532.75)
    assert (warm.init_ms, warm.duration_ms, warm.billed_ms) == (None, 120.25, 121)
    assert (warm.peak_rss_bytes, warm.cpu_ms, warm.server_cpu_ms) == (77 << 20, None, None)
    assert warm.phases == {"get": {"count": 3, "sum_ms": 5}}
    assert cold.publish_ms is not None
    assert warm.publish_ms is None
    assert rerun.wait_ms == 2
    assert row.zip_bytes == 1_500_000


def test_it_invokes_its_own_aliases_and_leaves_nothing(aws: FakeAws, tmp_path: Path) -> None:
    before = snapshot(aws)
    compared(aws, tmp_path)
    qualifiers = {each["Qualifier"] for each in aws.asked("Invoke")}
    assert all(each.startswith("compare-") for each in qualifiers)
    assert len(qualifiers) == 4  # to verify, one cold sample, a warm one and it once more
    assert snapshot(aws) == before
    assert list(tmp_path.iterdir()) == []


def test_a_function_gets_the_deployed_environment_except_the_places(
    aws: FakeAws, tmp_path: Path
) -> None:
    compared(aws, tmp_path, memory_mb=(512,))
    changes = aws.asked("UpdateFunctionConfiguration")
    assert len(changes) == 2 * 4  # one for each sandbox, and back
    for changed in changes[::2]:
        variables = changed["Environment"]["Variables"]
        assert changed["MemorySize"] == 512
        assert variables["CHUNK_BYTES"] == "50000"
        assert re.fullmatch(r"day/_compare/\w+/in/", variables["SRC_PREFIX"])
        assert re.fullmatch(r"day/_compare/\w+/out/", variables["DST_PREFIX"])
    assert {each["MemorySize"] for each in changes[1::2]} == {1769}


@pytest.mark.parametrize("is_deployed_so", [False, True])
def test_a_sweep_of_snap_start_is_for_the_runtimes_that_have_it(
    aws: FakeAws, tmp_path: Path, is_deployed_so: bool
) -> None:
    runs(aws, restore=210.5, billed_restore=211)
    if is_deployed_so:
        java = aws.functions["rosetta-Java"]
        for each in (java.latest, *java.versions.values()):
            each["SnapStart"] = {"ApplyOn": "PublishedVersions"}
            each["Environment"] = {
                "Variables": {**each["Environment"]["Variables"], **OPTIONS_OF_SNAP_START}
            }
    rows = compared(
        aws, tmp_path, languages=("java", "go"), snap_start=(False, True), again=False
    ).rows
    assert [row.name for row in rows] == [
        "java sdk no SnapStart",
        "go sdk no SnapStart",
        "java sdk SnapStart",
    ]
    cold = next(each for each in rows[2].samples if each.kind is SampleKind.COLD)
    assert (cold.init_ms, cold.restore_ms, cold.first_ms) == (None, 210.5, 330.75)
    (option,) = OPTIONS_OF_SNAP_START
    applied = {
        (each["SnapStart"]["ApplyOn"], each["Environment"]["Variables"].get(option))
        for each in aws.asked("UpdateFunctionConfiguration")
    }
    assert applied == {("None", None), ("PublishedVersions", OPTIONS_OF_SNAP_START[option])}


def test_a_sweep_of_snap_start_has_the_table_of_starts(aws: FakeAws, tmp_path: Path) -> None:
    runs(aws, restore=210.5, billed_restore=211)
    found = compared(
        aws, tmp_path, languages=("python", "java"), snap_start=(False, True), again=False
    )
    names = ["python sdk no SnapStart", "java sdk no SnapStart"]
    names += ["python sdk SnapStart", "java sdk SnapStart"]
    table = starts_table(found)
    assert [each[0] for each in table.rows] == names
    assert "measured on AWS only" not in table.text  # here it is measured
    assert table.rows[3][1:7] == ("-", "210", "-", "331", "-", "120")
    python, java = snap_start_cost_table(found).rows
    assert (python[0], java[0]) == (names[2], names[3])
    assert (python[2], java[2]) == ("0.2415", "0.0000")  # 1,769 MB by 0.0001397998, by a thousand


def test_a_deployed_function_has_no_start_of_this_machine(aws: FakeAws, tmp_path: Path) -> None:
    with pytest.raises(UsageError, match="on AWS use --snap-start off,on"):
        compared(aws, tmp_path, starts=(Start.AOT,))


@pytest.mark.parametrize("at", ["verify", "warm"])
def test_an_interruption_gives_everything_back(aws: FakeAws, tmp_path: Path, at: str) -> None:
    before, run, calls = snapshot(aws), aws.run, 0

    def interrupted(*arguments: Any) -> Any:
        nonlocal calls
        calls += 1
        if calls == (1 if at == "verify" else 4):
            raise KeyboardInterrupt
        assert run is not None
        return run(*arguments)

    aws.run = interrupted
    if at == "verify":
        with pytest.raises(KeyboardInterrupt):
            compared(aws, tmp_path)
    else:
        assert compared(aws, tmp_path).interrupted
    assert snapshot(aws) == before


def test_after_a_kill_the_next_run_undoes_all_of_it(
    aws: FakeAws, tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    before = snapshot(aws)

    def killed(keeper: SettingsKeeper) -> None:
        if keeper.made:
            raise SystemExit("nothing of it runs any more")

    with monkeypatch.context() as patched:
        patched.setattr(SettingsKeeper, "restore", killed)
        with pytest.raises(SystemExit):
            compared(aws, tmp_path)
    assert snapshot(aws) != before
    compared(aws, tmp_path)
    assert snapshot(aws) == before


class Killed(BaseException):
    """Nothing of the process runs any more."""


def killed_at(aws: FakeAws, number: int, tmp_path: Path, *, is_done: bool) -> bool:
    """Whether Lambda got that many requests from two sandboxes. The process dies at the last one,
    which ``is_done`` or not.
    """
    answer, asked = aws._answer, 0

    def dying(service: str, model: Any, parameters: Mapping[str, Any]) -> Any:
        nonlocal asked
        asked += service == "lambda"
        if asked > number or (asked == number and service == "lambda" and not is_done):
            raise Killed
        answered = answer(service, model, parameters)
        if asked == number and service == "lambda":
            raise Killed
        return answered

    clients = aws.clients()
    stack = read_stack(clients, "rosetta")
    aws._answer = dying  # type: ignore[method-assign]
    try:
        with aws_target(clients, stack, TEMPLATE, lambda _: None, print, tmp_path) as target:
            go = next(each for each in target.load() if each.language == "go")
            artefact = target.build([go], print)["go"]
            assert isinstance(artefact, Artefact)
            for _ in range(2):
                with target.sandbox(artefact, {"DST_PREFIX": "x/"}):
                    pass
    except Killed:
        return True
    finally:
        aws._answer = answer  # type: ignore[method-assign]
    return False


@pytest.mark.parametrize(("is_done", "has_record"), [(False, True), (True, False)])
def test_a_kill_at_any_request_never_arms_the_next_deployment(
    tmp_path: Path, *, is_done: bool, has_record: bool
) -> None:
    """A deployment of code alone publishes the settings of ``$LATEST``."""
    untouched, marked, number = FakeAws(), 0, 1
    while killed_at(aws := FakeAws(), number, tmp_path / f"{number}", is_done=is_done):
        records, clients = tmp_path / f"{number}", aws.clients()
        if not has_record:
            shutil.rmtree(records, ignore_errors=True)
        stack, latest = read_stack(clients, "rosetta"), aws.functions["rosetta-Go"].latest
        if "COMPARE_SANDBOX" in latest["Environment"]["Variables"]:
            marked += 1
            with pytest.raises(HarnessError, match="before you deploy, run `python -m harness c"):
                read_deployed(clients, stack, TEMPLATE)
        else:
            assert latest == untouched.functions["rosetta-Go"].latest
            read_deployed(clients, stack, TEMPLATE)
        with aws_target(clients, stack, TEMPLATE, lambda _: None, print, records):
            pass
        for name, function in aws.functions.items():
            assert function.latest == untouched.functions[name].latest
            assert function.aliases["live"] == "1"
            if has_record:
                assert function.versions.keys() == {"1"}
        number += 1
    assert number > 20
    assert marked == 2 * 3  # from the update to the publication, of each of two sandboxes


def left_with_its_settings(tmp_path: Path) -> FakeAws:
    """A stack whose ``$LATEST`` of Go has the settings of a killed comparison, with its record."""
    number = 1
    while killed_at(aws := FakeAws(), number, tmp_path, is_done=True):
        if "COMPARE_SANDBOX" in variables_of(aws.functions["rosetta-Go"].latest):
            return aws
        (tmp_path / "eu-central-1-rosetta.json").unlink(missing_ok=True)
        number += 1
    raise AssertionError("no kill leaves them")


def deploy(aws: FakeAws, **changed: Any) -> None:
    """Publish ``$LATEST`` with what the deployment changes, and move the alias."""
    go = aws.functions["rosetta-Go"]
    go.latest |= changed
    aws.clients().functions.publish_version(FunctionName="rosetta-Go")
    go.aliases["live"] = str(go.newest)


def test_a_deployment_of_code_that_came_first_is_told(tmp_path: Path) -> None:
    aws = left_with_its_settings(tmp_path)
    deploy(aws, CodeSha256="other")
    stack = read_stack(aws.clients(), "rosetta")
    words = "the alias live .* daily work reads and writes its fixtures: deploy with another LogL"
    with pytest.raises(HarnessError, match=words):
        read_deployed(aws.clients(), stack, TEMPLATE)
    asked = len(aws.asked("PublishVersion"))
    with pytest.raises(HarnessError, match=words):
        compared(aws, tmp_path)
    assert len(aws.asked("PublishVersion")) == asked


def test_settings_that_a_deployment_has_replaced_stay(tmp_path: Path) -> None:
    """The record of the killed comparison has those from before the deployment."""
    aws = left_with_its_settings(tmp_path)
    untouched = FakeAws().functions["rosetta-Go"].latest
    deploy(aws, MemorySize=2048, Environment=untouched["Environment"])
    stack = read_stack(aws.clients(), "rosetta")
    with aws_target(aws.clients(), stack, TEMPLATE, lambda _: None, print, tmp_path):
        pass
    assert aws.functions["rosetta-Go"].latest["MemorySize"] == 2048
    assert list(tmp_path.iterdir()) == []


def comparison_killed_at(aws: FakeAws, number: int, records: Path) -> bool:
    """Whether a comparison makes that many requests. The process dies before the last one."""
    answer, asked, lock = aws._answer, 0, threading.Lock()

    def dying(service: str, model: Any, parameters: Mapping[str, Any]) -> Any:
        nonlocal asked
        with lock:  # puts come from several threads
            asked += 1
            if asked >= number:
                raise Killed
            return answer(service, model, parameters)

    aws._answer = dying  # type: ignore[method-assign]
    try:
        compared(aws, records, again=False)
    except Killed:
        return True
    finally:
        aws._answer = answer  # type: ignore[method-assign]
    return False


def test_whatever_a_killed_comparison_leaves_the_next_one_removes(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    """At any request to any service; the daily work's object and Athena's files stay."""
    commit = {"commit": "a", "clean": True}
    monkeypatch.setattr("harness.targets.aws.target.describe", lambda: commit)  # git takes long
    kept = {("chunks", "day/2024/02/08/000001.ndjson.gz"), ("chunks", "day/_compare/sql/a")}
    runs(aws := FakeAws(objects=dict.fromkeys(kept, b"1")))
    before, number = snapshot(aws), 1
    untouched = dict(aws.functions["rosetta-Go"].latest)
    while comparison_killed_at(aws, number, tmp_path):
        for function in aws.functions.values():  # what takes messages
            assert function.aliases["live"] == "1"
            assert "COMPARE_SANDBOX" not in function.at("live")["Environment"]["Variables"]
        stack = read_stack(aws.clients(), "rosetta")
        if aws.functions["rosetta-Go"].latest == untouched:
            read_deployed(aws.clients(), stack, TEMPLATE)
        else:  # a deployment of code alone would publish this
            with pytest.raises(HarnessError, match="has the settings of a comparison"):
                read_deployed(aws.clients(), stack, TEMPLATE)
        with aws_target(aws.clients(), stack, TEMPLATE, agreed, print, tmp_path):
            pass
        assert snapshot(aws) == before
        assert not list(tmp_path.iterdir())
        number += 1
    seen = {name for name, _ in aws.done}
    assert {"Invoke", "PutObject", "DeleteObjects", "PublishVersion", "DeleteFunction"} <= seen
    assert number > 60


def agreed(_: object) -> None:
    """The cost is accepted."""


@pytest.mark.parametrize("number", [signal.SIGINT, signal.SIGTERM, signal.SIGHUP])
def test_a_version_is_known_before_anything_can_interrupt(
    aws: FakeAws, tmp_path: Path, monkeypatch: pytest.MonkeyPatch, number: signal.Signals
) -> None:
    before, publish = snapshot(aws), aws._lambda_PublishVersion

    def interrupted(**parameters: Any) -> Any:
        answer = publish(**parameters)
        os.kill(os.getpid(), number)
        return answer

    monkeypatch.setattr(aws, "_lambda_PublishVersion", interrupted)
    # a shell lets its background jobs ignore the signal
    former = signal.signal(number, signal.default_int_handler)
    try:
        with pytest.raises(KeyboardInterrupt):
            compared(aws, tmp_path)
    finally:
        signal.signal(number, former)
    assert snapshot(aws) == before


def test_the_next_run_undoes_what_one_could_not(aws: FakeAws, tmp_path: Path) -> None:
    before = snapshot(aws)
    aws.refuse["DeleteAlias"] = Refused("ServiceException", "not now")
    with pytest.raises(HarnessError, match="some changes could not be undone"):
        compared(aws, tmp_path)
    assert snapshot(aws) != before
    del aws.refuse["DeleteAlias"]
    compared(aws, tmp_path)
    assert snapshot(aws) == before
    assert list(tmp_path.iterdir()) == []


def test_a_sandbox_that_lambda_replaces_costs_no_row(aws: FakeAws, tmp_path: Path) -> None:
    run, calls = aws.run, 0

    def replaced(variables: Mapping[str, str], event: Mapping[str, Any], cold: bool) -> Any:
        nonlocal calls
        calls += 1
        assert run is not None
        return run(variables, event, cold or calls == 7)  # the first warm sample

    aws.run = replaced
    (row,) = compared(aws, tmp_path).rows
    assert row.verdict.kind is VerdictKind.MATCH, row.verdict.reason
    assert row.discarded == 1
    assert [each.kind for each in row.samples] == ["cold", "warm", "rerun", "half"]


def test_a_wrong_output_is_no_match(aws: FakeAws, tmp_path: Path) -> None:
    run = aws.run

    def spoilt(variables: Mapping[str, str], event: Mapping[str, Any], cold: bool) -> Any:
        assert run is not None
        answer = run(variables, event, cold)
        (place,) = (
            place for place in aws.objects if place[1].endswith("out/2024/02/08/000001.ndjson.gz")
        )
        text = gzip.decompress(aws.objects[place])
        aws.objects[place] = gzip.compress(text[:-2] + b" }\n")
        return answer

    aws.run = spoilt
    (row,) = compared(aws, tmp_path).rows
    assert row.verdict.kind is VerdictKind.MISMATCH


@pytest.mark.parametrize(
    ("error", "used", "kind"),
    [
        ("BAD_SOURCES: 1 of 2: a (BAD_GZIP)", 77, VerdictKind.FAILED),
        ("2026-11-25T08:00:00Z 6f747a63 Task timed out after 900.00 seconds", 77, "timed out"),
        (
            "RequestId: 6f747a63 Error: Runtime exited with error: signal: killed",
            1769,
            "out of memory",
        ),
        (
            "RequestId: 6f747a63 Error: Runtime exited with error: signal: killed",
            77,
            VerdictKind.FAILED,
        ),
    ],
)
def test_kinds_of_failure_are_distinguished(
    aws: FakeAws, tmp_path: Path, error: str, used: float, kind: str
) -> None:
    line = report_line(duration=1, billed=2, size=1769, used=used, init=3)
    aws.run = lambda *_: (None, error, line)
    (row,) = compared(aws, tmp_path).rows
    assert row.verdict.kind == kind
    assert row.verdict.reason


def test_an_alias_behind_latest_is_refused(aws: FakeAws, tmp_path: Path) -> None:
    aws.functions["rosetta-Go"].latest["MemorySize"] = 2048
    with pytest.raises(HarnessError) as refused:
        compared(aws, tmp_path)
    assert "the alias live (version 1) is behind $LATEST: MemorySize 1769 against 2048" in str(
        refused.value
    )
    assert "Deploy the stack again" in str(refused.value)
    variables = dict(aws.functions["rosetta-Go"].latest["Environment"]["Variables"], LOG_LEVEL="X")
    aws.functions["rosetta-Go"].latest |= {
        "MemorySize": 1769,
        "Environment": {"Variables": variables},
    }
    with pytest.raises(HarnessError, match="variables LOG_LEVEL"):
        read_deployed(aws.clients(), read_stack(aws.clients(), "rosetta"), TEMPLATE)


@pytest.mark.parametrize(
    ("operation", "code", "words"),
    [
        ("DescribeStacks", "ExpiredToken", "log in again"),
        ("GetFunctionConfiguration", "AccessDeniedException", "lambda:GetFunctionConfiguration"),
        ("UpdateFunctionConfiguration", "ResourceConflictException", "another process"),
        ("PublishVersion", "TooManyRequestsException", "throttled at lambda:PublishVersion"),
        ("PutObject", "PermanentRedirect", "need the same region"),
        ("PutObject", "NoSuchBucket", "deploy the stack with an existing bucket"),
    ],
)
def test_a_refusal_says_what_to_do(
    aws: FakeAws, tmp_path: Path, operation: str, code: str, words: str
) -> None:
    aws.refuse[operation] = Refused(code)
    try:
        (row,) = compared(aws, tmp_path).rows
        said = str(row.verdict.reason)
    except HarnessError as error:
        said = str(error)
    assert words in said


def test_throttled_invocations_are_not_repeated(aws: FakeAws, tmp_path: Path) -> None:
    aws.refuse["Invoke"] = Refused("TooManyRequestsException", "Rate Exceeded.", 429)
    (row,) = compared(aws, tmp_path).rows
    assert "throttled at lambda:InvokeFunction" in str(row.verdict.reason)
    assert len(aws.asked("Invoke")) == 1


@pytest.mark.parametrize(
    ("status", "words"),
    [
        ("UPDATE_IN_PROGRESS", "wait until it is done"),
        ("ROLLBACK_COMPLETE", "delete it and deploy again"),
        ("UPDATE_ROLLBACK_FAILED", "continue-update-rollback --stack-name rosetta"),
    ],
)
def test_an_unusable_stack_is_told(aws: FakeAws, status: str, words: str) -> None:
    aws.status = status
    with pytest.raises(HarnessError, match=words):
        read_stack(aws.clients(), "rosetta")
    with pytest.raises(UsageError, match="no stack other in eu-central-1"):
        read_stack(aws.clients(), "other")


def test_flags_of_the_emulator_are_refused_on_aws(aws: FakeAws, tmp_path: Path) -> None:
    with pytest.raises(UsageError, match="need the local target"):
        compared(aws, tmp_path, limits=None)


def test_the_cost_is_agreed_to_before_anything_is_made(
    aws: FakeAws,
    tmp_path: Path,
    monkeypatch: pytest.MonkeyPatch,
    capsys: pytest.CaptureFixture[str],
) -> None:
    monkeypatch.setattr("sys.stdin.isatty", lambda: False, raising=False)
    with pytest.raises(UsageError, match="--yes"):
        compared(aws, tmp_path, ask(yes=False))
    assert not aws.asked("PutObject")
    assert not aws.asked("UpdateFunctionConfiguration")
    estimates: list[Estimate] = []
    compared(aws, tmp_path, estimates.append)
    compared(aws, tmp_path, ask(yes=True))
    (found,) = estimates
    half = 1  # the slope needs another size after each warm sample
    assert found.invocations == 1 + 1 + 2 + 1 + half + 1 + (2 + 1)
    assert 0 < found.likely < found.most
    assert str(found) in capsys.readouterr().err
    assert len(aws.asked("Invoke")) == 2 * found.invocations


def test_the_estimate_has_the_snapshots_of_python_and_of_nothing_else() -> None:
    def snapshots(language: str, *swept: bool, deployed: bool = False) -> float:
        asked: dict[str, Any] = {"languages": (language,), "clients": ("sdk",), **FEW}
        request = Request(snap_start=swept, again=False, on_aws=True, **asked)
        return estimate_request(request, TEMPLATE, "arm64", snap_start=deployed).snapshots

    assert snapshots("python") == snapshots("python", False, deployed=True) == 0
    assert snapshots("java", True) == snapshots("go", deployed=True) == 0
    gigabytes = 1769 / 1024
    a_version = gigabytes * (0.0000015046 * 3 * 3600 + 0.0001397998)
    three = pytest.approx(3 * a_version)  # to verify, for the cold sample, for the warm one
    assert snapshots("python", True) == snapshots("python", deployed=True) == three
    assert snapshots("python", False, True) == three


@pytest.mark.parametrize(
    ("line", "expected"),
    [
        (
            # https://docs.aws.amazon.com/lambda/latest/dg/python-logging.html
            "REPORT RequestId: 8f507cfc-xmpl-4697-b07a-ac58fc914c95\tDuration: 15.74 ms\t"
            "Billed Duration: 16 ms\tMemory Size: 128 MB\tMax Memory Used: 56 MB\t"
            "Init Duration: 130.49 ms",
            ReportLine(15.74, 16, 128, 56, 130.49),
        ),
        (
            # https://docs.aws.amazon.com/lambda/latest/dg/snapstart-monitoring.html
            "REPORT RequestId: b\tDuration: 12.66 ms\tBilled Duration: 259 ms\t"
            "Memory Size: 512 MB\tMax Memory Used: 140 MB\tRestore Duration: 706.11 ms\t"
            "Billed Restore Duration: 245 ms",
            ReportLine(12.66, 259, 512, 140, None, 706.11, 245),
        ),
        ("START RequestId: c", ReportLine()),
    ],
)
def test_a_report_line_is_read_and_absent_is_none(line: str, expected: ReportLine) -> None:
    assert read_report(f"{{}}\n{line}\n") == expected
    begun = (expected.init_ms, expected.restore_ms)
    assert read_report(line).cold == (begun != (None, None))


def test_without_credentials_or_region_it_says_so(monkeypatch: pytest.MonkeyPatch) -> None:
    from harness.targets.aws.session import open_clients

    for name in ("AWS_REGION", "AWS_DEFAULT_REGION", "AWS_PROFILE", "AWS_ACCESS_KEY_ID"):
        monkeypatch.delenv(name, raising=False)
    for name in ("AWS_CONFIG_FILE", "AWS_SHARED_CREDENTIALS_FILE"):
        monkeypatch.setenv(name, "/nowhere")
    monkeypatch.setenv("AWS_EC2_METADATA_DISABLED", "true")
    with pytest.raises(NotReady, match="no AWS credentials"):
        open_clients(None)
    monkeypatch.setenv("AWS_ACCESS_KEY_ID", "a")
    monkeypatch.setenv("AWS_SECRET_ACCESS_KEY", "b")
    with pytest.raises(UsageError, match="--region"):
        open_clients(None)
    clients = open_clients("eu-west-1")
    assert isinstance(clients, Clients)
    # a silent invocation outlives the 350 s of a NAT gateway
    assert clients.invoker.meta.config.tcp_keepalive
