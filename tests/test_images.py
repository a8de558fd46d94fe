"""`image`: layouts from files, the same bytes each time, and a run of what is in them."""

from __future__ import annotations

import gzip
import hashlib
import io
import json
import os
import re
import shutil
import subprocess
import tarfile
import time
from collections.abc import Callable, Iterator
from concurrent.futures import ProcessPoolExecutor, ThreadPoolExecutor
from dataclasses import replace
from datetime import date
from multiprocessing import get_context
from pathlib import Path
from typing import Any

import psutil
import pytest
from conftest import IMPLEMENTATIONS

from harness.build.third_party.licences import problems_of_licences
from harness.cli import main
from harness.feed.clock import Clock
from harness.feed.plan import Recipe as Stream
from harness.feed.plan import make_plan
from harness.feed.third_party import ThirdParty
from harness.images import layers
from harness.images.assemble import Commit, Recipe
from harness.images.layers import Layer, layer, pack
from harness.images.layout import Image, read_image, write_layout
from harness.images.make import make, make_feed_client
from harness.images.programs import FEED_CLIENT, Program, feed_client
from harness.images.run import unpacked
from harness.images.unpacked import unpack
from harness.model import Artefact, HarnessError, NotReady
from harness.scratch import scratch
from harness.targets.local.own_network import enter_own_network
from harness.targets.local.runtimes import task_words
from harness.targets.local.task_bundle import TaskRun, TaskSize, run_bundle
from harness.targets.ministack.local_aws import REGION, LocalAws
from harness.terminal import to_stderr
from harness.toolchain import debian
from harness.toolchain.paths import ROOT
from harness.toolchain.programs import host_architecture
from harness.toolchain.tools import crane_binary
from harness.verify.task_runs import Order, Unpacked, run_tasks

HERE = host_architecture()
OF = Commit("0123456789abcdef", "2024-02-08T00:00:00Z")
SIZE = TaskSize(vcpus=1, memory_mb=512)


# ---- layers ----


@pytest.fixture(autouse=True, scope="module")
def own_place(tmp_path_factory: pytest.TempPathFactory) -> Iterator[None]:
    """Packed layers of the tests' own, and packed fast: that of Java has 245 MB."""
    with pytest.MonkeyPatch.context() as patch:
        patch.setattr(layers, "LAYERS", tmp_path_factory.mktemp("layers"))
        patch.setattr(layers, "_GZIP_LEVEL", 1)
        yield


def fill(folder: Path) -> None:
    (folder / "tmp").mkdir()
    (folder / "tmp").chmod(0o1777)
    (folder / "bin").mkdir()
    (folder / "bin/run").write_text("#!/bin/sh\n")
    (folder / "bin/run").chmod(0o700)
    (folder / "bin/link").symlink_to("/bin/run")
    (folder / "empty").write_bytes(b"")


def test_a_layer_is_found_again_in_a_checkout_that_was_moved(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr(layers, "LAYERS", tmp_path / "before")
    made = layer("any", "key", "a file", fill)
    (tmp_path / "before").rename(tmp_path / "after")
    monkeypatch.setattr(layers, "LAYERS", tmp_path / "after")
    found = layer("any", "key", "a file", lambda _: pytest.fail("is packed again"))
    assert found.digest == made.digest
    assert Path(found.file).is_file()


def entries(made: Layer) -> list[tuple[str, bytes, int, int, int, str]]:
    with tarfile.open(made.file) as archive:
        return [
            (each.name, each.type, each.mode, int(each.mtime), each.uid, each.linkname)
            for each in archive
        ]


def test_a_layer_is_an_archive_without_times_and_owners(tmp_path: Path) -> None:
    made = layer("any", "key", "a file", fill)
    assert entries(made) == [
        ("bin", tarfile.DIRTYPE, 0o755, 0, 0, ""),
        ("bin/link", tarfile.SYMTYPE, 0o777, 0, 0, "/bin/run"),
        ("bin/run", tarfile.REGTYPE, 0o755, 0, 0, ""),
        ("empty", tarfile.REGTYPE, 0o644, 0, 0, ""),
        ("tmp", tarfile.DIRTYPE, 0o1777, 0, 0, ""),
    ]
    packed = Path(made.file).read_bytes()
    assert made.digest == f"sha256:{hashlib.sha256(packed).hexdigest()}"
    assert made.diff_id == f"sha256:{hashlib.sha256(gzip.decompress(packed)).hexdigest()}"
    assert (made.packed_bytes, made.unpacked_bytes) == (len(packed), len(gzip.decompress(packed)))

    before = os.umask(0o077)
    try:
        fill_again = tmp_path / "another place"
        fill_again.mkdir()
        fill(fill_again)
        os.utime(fill_again / "empty", (1, 1))
        assert pack(fill_again, tmp_path / "again")[0] == made.digest
    finally:
        os.umask(before)


def test_a_layer_is_packed_once() -> None:
    calls = []

    def counted(folder: Path) -> None:
        calls.append(folder)
        fill(folder)

    first = layer("once", "key", "a file", counted)
    assert layer("once", "key", "a file", counted) == first
    assert len(calls) == 1
    layer("once", "other key", "a file", counted)
    assert len(calls) == 2


# ---- layouts ----


def image(*made: Layer, architecture: str = HERE) -> Image:
    names = {"x86_64": "amd64", "arm64": "arm64"}
    config = {
        "architecture": names[architecture],
        "os": "linux",
        "config": {
            "User": "65532:65532",
            "Env": ["PATH=/bin"],
            "Entrypoint": ["/bin/run"],
            "WorkingDir": "/",
            "Labels": {},
        },
        "rootfs": {"type": "layers", "diff_ids": [each.diff_id for each in made]},
    }
    return Image(architecture, config, made)


def of_archive(tmp_path: Path, *members: tarfile.TarInfo) -> Layer:
    """A layer that no folder gives."""
    archive = io.BytesIO()
    with tarfile.open(fileobj=archive, mode="w") as tar:
        for each in members:
            tar.addfile(each, io.BytesIO(b"x" * each.size))
    file = tmp_path / "odd.tar.gz"
    file.write_bytes(gzip.compress(archive.getvalue(), mtime=0))
    packed, whole = (
        f"sha256:{hashlib.sha256(each).hexdigest()}"
        for each in (file.read_bytes(), archive.getvalue())
    )
    return Layer("odd", "", str(file), packed, whole, file.stat().st_size, 0)


def member(
    name: str, kind: bytes = tarfile.REGTYPE, link: str = "", size: int = 0
) -> tarfile.TarInfo:
    made = tarfile.TarInfo(name)
    made.type, made.linkname, made.size = kind, link, size
    return made


def test_a_layout_is_read_as_it_was_written(tmp_path: Path) -> None:
    made = layer("any", "key", "a file", fill)
    layout = tmp_path / "layout"
    (written,) = write_layout(layout, [image(made)], "tag")
    blob = layout / "blobs/sha256" / written.digest.removeprefix("sha256:")
    assert f"sha256:{hashlib.sha256(blob.read_bytes()).hexdigest()}" == written.digest

    read = read_image(layout, HERE)
    root = tmp_path / "root"
    root.mkdir()
    unpack(read, root)

    assert read.config == written.image.config
    assert (root / "bin/run").read_text() == "#!/bin/sh\n"
    assert (root / "bin/link").readlink() == Path("/bin/run")
    assert (root / "tmp").stat().st_mode & 0o7777 == 0o1777


def test_the_upper_layer_wins(tmp_path: Path) -> None:
    lower = layer("any", "key", "a file", fill)
    upper = of_archive(tmp_path, member("bin/link", size=3), member("empty", size=2))
    root = tmp_path / "root"
    root.mkdir()
    unpack(image(lower, upper), root)
    assert (root / "bin/link").read_text() == "xxx"
    assert (root / "empty").read_text() == "xx"
    assert (root / "bin/run").read_text() == "#!/bin/sh\n"


@pytest.mark.parametrize(
    ("members", "reason"),
    [
        ([member("bin/.wh.run")], "bin/.wh.run is a whiteout: flatten the image first"),
        ([member("null", tarfile.CHRTYPE)], "null is a device"),
        ([member("../outside", size=1)], "can't be unpacked"),
        ([member("out", tarfile.SYMTYPE, ".."), member("out/side", size=1)], "can't be unpacked"),
    ],
)
def test_a_layer_that_could_harm_is_refused(
    members: list[tarfile.TarInfo], reason: str, tmp_path: Path
) -> None:
    (tmp_path / "root").mkdir()
    with pytest.raises(HarnessError, match=reason):
        unpack(image(of_archive(tmp_path, *members)), tmp_path / "root")
    assert not (tmp_path / "outside").exists()
    assert not (tmp_path / "side").exists()


def test_a_damaged_layout_is_refused(tmp_path: Path) -> None:
    made = layer("any", "key", "a file", fill)
    layout = tmp_path / "layout"
    other = "arm64" if HERE == "x86_64" else "x86_64"
    write_layout(layout, [image(made)], "tag")
    with pytest.raises(HarnessError, match=f"make it with --architecture {other}"):
        read_image(layout, other)
    with pytest.raises(HarnessError, match="has another content than"):
        unpack(image(replace_diff_id(made)), tmp_path)
    blob = layout / "blobs/sha256" / made.digest.removeprefix("sha256:")
    blob.write_bytes(b"x")
    with pytest.raises(HarnessError, match="has another hash than its name"):
        read_image(layout, HERE)
    blob.unlink()
    with pytest.raises(HarnessError, match=f"has no blob {made.digest}"):
        read_image(layout, HERE)
    with pytest.raises(HarnessError, match="is no OCI image layout"):
        read_image(tmp_path, HERE)


def replace_diff_id(made: Layer) -> Layer:
    return Layer(made.name, "", made.file, made.digest, "sha256:0", made.packed_bytes, 0)


# ---- Debian's packages ----


@pytest.mark.parametrize("architecture", ["x86_64", "arm64"])
def test_each_package_is_locked(architecture: str) -> None:
    found = [
        each
        for name in ("base", "libraries", "python", "java")
        for each in debian.locked_packages(name, architecture)
    ]
    assert [each.name for each in found] == debian.all_names()
    for each in found:
        assert re.fullmatch(r"[0-9a-f]{64}", each.sha256)
        assert re.match(r"pool/(updates/)?main/", each.path)


@pytest.fixture
def mirror(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> debian.Package:
    if not Path("/usr/lib/apt/apt-helper").exists():
        pytest.skip("no packages of Debian: this machine has no apt")
    for name, variable in debian.ARCHIVES.items():
        monkeypatch.setenv(variable, f"copy:{tmp_path / name}")
    file = tmp_path / "debian/pool/main/some_1_all.deb"
    file.parent.mkdir(parents=True)
    file.write_text("content")
    digest = hashlib.sha256(b"content").hexdigest()
    return debian.Package(digest, "debian", "pool/main/some_1_all.deb")


def test_a_package_is_fetched_by_its_hash(mirror: debian.Package, tmp_path: Path) -> None:
    debian.fetch([mirror], tmp_path)
    assert (tmp_path / "some_1_all.deb").read_text() == "content"
    changed = replace(mirror, sha256="0" * 64)
    (tmp_path / "some_1_all.deb").unlink()
    with pytest.raises(NotReady, match=r"Hash Sum mismatch(.|\n)*snapshot\.debian\.org"):
        debian.fetch([changed], tmp_path)
    assert not (tmp_path / "some_1_all.deb").exists()
    with pytest.raises(NotReady, match=r"snapshot\.debian\.org"):
        debian.fetch([replace(mirror, path="pool/main/old_1_all.deb")], tmp_path)


def test_a_machine_without_debian_is_told_the_remedy(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    for variable in debian.ARCHIVES.values():
        monkeypatch.delenv(variable, raising=False)
    monkeypatch.setenv("PATH", str(tmp_path))
    with pytest.raises(NotReady, match="set DEBIAN_MIRROR and DEBIAN_SECURITY_MIRROR"):
        debian.mirrors()


# ---- images ----


@pytest.fixture(scope="module", params=IMPLEMENTATIONS)
def real(request: pytest.FixtureRequest, tmp_path_factory: pytest.TempPathFactory) -> Path:
    """The folder with the image of a language for this machine."""
    out = tmp_path_factory.mktemp("images")
    return out / write(request.param, out)


def write(language: str, out: Path, *architectures: str) -> str:
    template = ROOT / "template.yaml"
    try:
        make(
            [IMPLEMENTATIONS[language]],
            architectures or (HERE,),
            Recipe(512),
            OF,
            out,
            template,
            to_stderr,
        )
    except NotReady as error:
        if "apt" in str(error):
            pytest.skip(f"no packages of Debian: {error}")
        raise
    return language


@pytest.mark.slow
@pytest.mark.timeout(900)
def test_an_image_is_what_the_task_needs(real: Path) -> None:
    made = IMPLEMENTATIONS[real.name]
    read = read_image(real, HERE)
    told: dict[str, Any] = read.config["config"]
    entry = [str(each) for each in task_words(made, Path("/var/task"), 512)]
    assert told["Entrypoint"] == entry
    assert (told["User"], told["WorkingDir"]) == ("65532:65532", "/var/task")
    labels = {name.rpartition(".")[2]: text for name, text in told["Labels"].items()}
    assert labels["revision"] == OF.name
    assert "MIT" in labels["licenses"].split(" AND ")
    assert len(labels["licenses"].split(" AND ")) >= 2
    assert len(read.config["history"]) == len(read.layers)


@pytest.mark.slow
@pytest.mark.timeout(900)
def test_a_second_image_has_the_same_bytes(
    real: Path, tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    """Java's and Node's runtimes are packed once: the code is the same as for Python's."""
    again = tmp_path / "layers"
    again.mkdir()
    for each in layers.LAYERS.iterdir():
        if each.name.startswith(("java-", "javascript-")):
            (again / each.name).symlink_to(each)
    monkeypatch.setattr(layers, "LAYERS", tmp_path / "layers")
    write(real.name, tmp_path)
    assert (tmp_path / real.name / "index.json").read_bytes() == (real / "index.json").read_bytes()
    assert blobs(tmp_path / real.name) == blobs(real)


def blobs(layout: Path) -> set[str]:
    return {each.name for each in (layout / "blobs/sha256").iterdir()}


@pytest.mark.slow
@pytest.mark.timeout(900)
def test_no_file_names_this_checkout_or_this_home(real: Path) -> None:
    told = [str(each).encode() for each in (ROOT, Path.home()) if len(each.parts) > 2]
    assert told
    read = read_image(real, HERE)
    for each in read.layers:
        if each.packed_bytes > 30_000_000:
            continue  # a runtime, unpacked from packages
        with tarfile.open(each.file) as archive:
            for member in archive:
                content = archive.extractfile(member) if member.isfile() else None
                text = content.read() if content else b""
                assert not any(path in text for path in told), member.name
    assert not any(path in json.dumps(read.config).encode() for path in told)


def test_an_image_of_another_machine_is_refused(
    tmp_path: Path, capsys: pytest.CaptureFixture[str]
) -> None:
    other = "arm64" if HERE == "x86_64" else "x86_64"
    made = layer("any", "key", "a file", fill)
    write_layout(tmp_path / "go", [image(made, architecture=other)], "tag")
    assert main(["task", "run", "--languages", "go", "--image", str(tmp_path)]) == 1
    assert f"and none for {debian.ARCHITECTURES[HERE]}: make it with" in capsys.readouterr().err


def test_wrong_flags_are_told(tmp_path: Path, capsys: pytest.CaptureFixture[str]) -> None:
    (tmp_path / "go").mkdir()
    (tmp_path / "go/file").touch()
    out = ["--out", str(tmp_path)]
    for words, reason in (
        (["--architecture", "i386"], "--architecture i386 is neither x86_64 nor arm64"),
        (["--base", "x"], "--base has the runtime of one language"),
        (["--languages", "go"], "go has other files than an image: choose another --out"),
        (["--languages", "go", "--feed"], "--feed makes no image of a language"),
    ):
        assert main(["image", *out, *words]) == 2
        assert reason in capsys.readouterr().err


@pytest.fixture(scope="module")
def bundled(real: Path) -> Iterator[dict[str, Unpacked]]:
    if shutil.which("bwrap") is None:
        pytest.skip("no bundles: bwrap is not on the PATH")
    with unpacked(real.parent, [real.name], to_stderr) as images:
        yield images


@pytest.mark.slow
@pytest.mark.timeout(900)
def test_a_day_is_right_in_the_image_alone(real: Path, bundled: dict[str, Unpacked]) -> None:
    """The root is the image's: nothing of this machine but its kernel is in the bundle."""
    made = IMPLEMENTATIONS[real.name].with_client("light")
    try:
        (judged,) = run_tasks(
            [Artefact(made, real, None, None)], Order(date(2024, 2, 8), 30, SIZE), bundled
        )
    except NotReady as error:
        pytest.skip(f"no bundles: {error}")
    assert (judged.run.exit_code, judged.problem) == (0, None)


FACTS = """
import os, pathlib
print(os.getuid(), os.getgid(), os.getpid(), os.getcwd(), sorted(os.listdir("/home")))
print(next(line for line in open("/proc/self/status") if line.startswith("CapEff")).split()[1])
for folder in ("/", "/tmp", "/run", "/var/task", "/usr/bin"):
    try:
        pathlib.Path(folder, "file").touch()
    except OSError as error:
        print(folder, error.strerror)
"""


@pytest.mark.slow
@pytest.mark.timeout(900)
@pytest.mark.parametrize("real", ["python"], indirect=True)
def test_a_bundle_with_an_image_is_closed(real: Path, bundled: dict[str, Unpacked]) -> None:
    image = bundled[real.name]
    command = [image.entry[0], "-c", FACTS]
    with ProcessPoolExecutor(1, get_context("spawn")) as process:
        try:
            process.submit(enter_own_network, []).result()
        except NotReady as error:
            pytest.skip(f"no bundles: {error}")
        env = {**image.env, "AWS_CA_BUNDLE": __file__}
        run = process.submit(run_in_image, command, image, env).result()
    assert run.output.splitlines() == [
        "65532 65532 1 /var/task []",
        "0000000000000000",
        *(f"{each} Read-only file system" for each in ("/", "/tmp", "/run", "/var/task")),
        "/usr/bin Read-only file system",
    ]
    assert run.exit_code == 0


def run_in_image(command: list[str], image: Unpacked, env: dict[str, str]) -> TaskRun:
    return run_bundle(command, image.folder, env, SIZE, root=image.root)


# ---- the client of the feed ----


@pytest.fixture(scope="module")
def client_layers() -> dict[str, Program]:
    return {each: feed_client(each, to_stderr) for each in debian.ARCHITECTURES}


def content(made: Program, folder: Path) -> Path:
    """The files of a program, without its runtime."""
    for each in made.layers:
        with tarfile.open(each.file) as archive:
            archive.extractall(folder, filter="data")
    return folder / "var/task"


def test_the_feeds_client_has_the_same_bytes_each_time(
    client_layers: dict[str, Program], tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr(layers, "LAYERS", tmp_path)
    digests = {name: [each.digest for each in made.layers] for name, made in client_layers.items()}
    again = [each.digest for each in feed_client(HERE, to_stderr).layers]
    assert again == digests[HERE]
    (first, code), (second, same_code) = digests.values()
    assert code == same_code
    assert first != second


@pytest.mark.parametrize("architecture", debian.ARCHITECTURES)
def test_the_feeds_client_has_what_it_needs(
    client_layers: dict[str, Program], architecture: str, tmp_path: Path
) -> None:
    made = client_layers[architecture]
    files = content(made, tmp_path)
    named = {path.relative_to(files).as_posix() for path in files.rglob("*") if path.is_file()}
    assert {name for name in named if name.startswith("harness/")} == {
        "harness/__init__.py",
        "harness/feed/__init__.py",
        *(
            path.relative_to(ROOT).as_posix()
            for path in (ROOT / "harness/feed/client").glob("*.py")
        ),
    }
    compiled = {name for name in named if name.endswith(".so")}
    assert len(compiled) == 2
    machine = {"x86_64": "x86_64", "arm64": "aarch64"}[architecture]
    assert all(f"-{machine}-" in name for name in compiled)
    assert not any(name.startswith("bin/") or "__pycache__" in name for name in named)
    services = {path.name for path in (files / "botocore/data").iterdir() if path.is_dir()}
    assert services == {"kinesis", "ssm"}
    here = str(ROOT).encode()
    assert not any(here in (files / name).read_bytes() for name in named)

    whole = (ROOT / "requirements.txt").read_text()
    pinned = made.layers[0].made_of.split(", ")
    assert all(f"\n{each} \\\n" in whole for each in pinned)
    lock = tmp_path / "requirements.txt"
    lock.write_text("".join(f"{each} \\\n    --hash=sha256:{'0' * 64}\n" for each in pinned))
    assert [*problems_of_licences(tmp_path, files)] == []
    assert "LICENSE" in named
    assert made.licences == "Apache-2.0 AND BSD-3-Clause AND MIT"


@pytest.fixture(scope="module")
def client_image(tmp_path_factory: pytest.TempPathFactory) -> Path:
    """The folder with the image of the feed's client for this machine."""
    out = tmp_path_factory.mktemp("feed")
    try:
        make_feed_client([HERE], Recipe(512), OF, out, to_stderr)
    except NotReady as error:
        if "apt" in str(error):
            pytest.skip(f"no packages of Debian: {error}")
        raise
    return out / FEED_CLIENT


@pytest.mark.slow
@pytest.mark.timeout(900)
def test_the_feeds_image_is_what_its_task_needs(client_image: Path) -> None:
    read = read_image(client_image, HERE)
    told: dict[str, Any] = read.config["config"]
    assert told["Entrypoint"] == ["python3", "-m", "harness.feed.client"]
    assert (told["User"], told["WorkingDir"]) == ("65532:65532", "/var/task")
    assert told["StopSignal"] == "SIGTERM"
    assert told["Labels"]["org.opencontainers.image.title"] == "rosetta-feed-client"
    assert len(read.config["history"]) == len(read.layers) == 5


@pytest.mark.slow
@pytest.mark.timeout(900)
def test_the_feeds_client_follows_a_stream_in_its_image(client_image: Path) -> None:
    """From a third party into Kinesis, with nothing of this machine, until SIGTERM."""
    if shutil.which("bwrap") is None:
        pytest.skip("no bundles: bwrap is not on the PATH")
    plan = replace(make_plan(Stream(seed=2, seconds=4, rate=5.0)), cuts=())
    with (
        unpacked(client_image.parent, [FEED_CLIENT], to_stderr) as images,
        LocalAws() as aws,
        ThirdParty(plan, Clock(time.time(), 4.0), 1000) as third_party,
        ThreadPoolExecutor(1) as bundles,
    ):
        image = images[FEED_CLIENT]
        aws.client("kinesis").create_stream(StreamName="feed", ShardCount=1)
        ssm = aws.client("ssm")
        ssm.put_parameter(Name="/feed/position", Value="0", Type="String")
        env = {
            **image.env,
            **aws.env(),
            "AWS_ENDPOINT_URL": f"http://127.0.0.1:{aws.port}",
            "AWS_DEFAULT_REGION": REGION,
            "FEED_URL": f"ws://127.0.0.1:{third_party.port}",
            "STREAM_NAME": "feed",
            "POSITION": "ssm:/feed/position",
        }
        running = bundles.submit(
            run_bundle, image.entry, image.folder, env, SIZE, 300, root=image.root
        )

        def position() -> int:
            return int(ssm.get_parameter(Name="/feed/position")["Parameter"]["Value"])

        until(lambda: running.done() or third_party.followers > 0)
        third_party.play()
        until(lambda: running.done() or position() == plan.newest)
        for process in psutil.Process().children(recursive=True):
            if process.cmdline() == image.entry:
                process.terminate()
        run = running.result()
        assert (run.exit_code, run.was_told_to_stop) == (0, False), run.output
        assert json.loads(run.output.splitlines()[-1])["event"] == "stopped"
        assert texts(aws) == {each.text for each in plan.messages} - {
            each.text for each in plan.messages if each.number in plan.dropped
        }


def until(condition: Callable[[], bool]) -> None:
    end = time.monotonic() + 120
    while not condition():
        assert time.monotonic() < end
        time.sleep(0.05)


def texts(aws: LocalAws) -> set[bytes]:
    kinesis = aws.client("kinesis")
    (shard,) = kinesis.list_shards(StreamName="feed")["Shards"]
    place = kinesis.get_shard_iterator(
        StreamName="feed", ShardId=shard["ShardId"], ShardIteratorType="TRIM_HORIZON"
    )
    records = kinesis.get_records(ShardIterator=place["ShardIterator"])["Records"]
    return {each["Data"] for each in records}


# ---- a registry ----


@pytest.fixture(scope="module")
def registry() -> Iterator[str]:
    """The address of a registry of images on the loopback address, by crane."""
    with scratch("registry") as place, (place / "log").open("wb") as log:
        command: list[str | Path] = [
            crane_binary(),
            "registry",
            "serve",
            "--address",
            "127.0.0.1:0",
        ]
        server = subprocess.Popen(command, stdout=log, stderr=log)
        try:
            while not (found := re.search(r"on port (\d+)", (place / "log").read_text())):
                assert server.poll() is None, (place / "log").read_text()
                time.sleep(0.02)
            yield f"localhost:{found[1]}"
        finally:
            server.kill()
            server.wait()


def crane(*words: str | Path) -> str:
    done = subprocess.run(
        [crane_binary(), *words], capture_output=True, text=True, check=False, timeout=120
    )
    assert done.returncode == 0, done.stderr
    return done.stdout.strip()


@pytest.mark.slow
@pytest.mark.timeout(900)
@pytest.mark.parametrize("real", ["go"], indirect=True)
def test_a_registry_and_its_client_take_an_image(real: Path, registry: str, tmp_path: Path) -> None:
    """The layout is valid for a program that is not ours, and comes back as a base."""
    reference = crane("push", real, f"{registry}/go:tag")
    (described,) = json.loads((real / "index.json").read_text())["manifests"]
    assert reference == f"{registry}/go@{described['digest']}"
    crane("validate", "--remote", reference)

    crane("pull", "--format=oci", reference, tmp_path / "pulled")
    recipe = Recipe(512, tmp_path / "pulled", "https://example.com/sources")
    make([IMPLEMENTATIONS["go"]], [HERE], recipe, OF, tmp_path, ROOT / "template.yaml", to_stderr)

    base, upon = read_image(real, HERE), read_image(tmp_path / "go", HERE)
    assert [each.digest for each in upon.layers[:-1]] == [each.digest for each in base.layers]
    assert upon.layers[-1].digest == base.layers[-1].digest
    assert upon.config["config"]["Env"] == base.config["config"]["Env"]
    label = "org.opencontainers.image.source"
    assert upon.config["config"]["Labels"][label] == "https://example.com/sources"
