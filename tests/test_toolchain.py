"""The search for programs of the machine, and the builds of the pinned tools."""

import errno
import os
import re
import shutil
import subprocess
import threading
import time
from collections.abc import Callable
from pathlib import Path
from types import SimpleNamespace

import pytest

from harness.build.doctor import check_machine
from harness.model import Implementation, NotReady
from harness.toolchain import programs, tools
from harness.toolchain.check import check
from harness.toolchain.paths import ROOT


def implementation(runtime: str) -> Implementation:
    return Implementation("any", "AnyFunction", runtime, "a.b", Path(), 128, 3, {})


@pytest.fixture
def made(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> Path:
    folder = tmp_path / "made"
    monkeypatch.setattr(tools, "MADE", folder)
    monkeypatch.setattr(tools, "_whole", set())
    return folder


def test_a_tool_is_made_once(made: Path) -> None:
    calls = []

    def make(folder: Path) -> None:
        calls.append(folder)
        (folder / "tool").write_text("x")

    first = tools._made("tool", "abc", make, "tool")
    second = tools._made("tool", "abc", make, "tool")

    assert first == second == made / "tool-abc/tool"
    assert first.read_text() == "x"
    assert len(calls) == 1


def test_a_failed_making_leaves_nothing_that_looks_made(made: Path) -> None:
    def fail(folder: Path) -> None:
        (folder / "half").write_text("x")
        raise NotReady("no")

    with pytest.raises(NotReady, match=f"no\nIt belongs into {made}/tool-abc: then run make setup"):
        tools._made("tool", "abc", fail, "tool")

    assert [path.name for path in made.iterdir()] == ["tool.lock"]


def test_two_at_once_make_once(made: Path) -> None:
    calls = []

    def make(folder: Path) -> None:
        calls.append(folder)
        (folder / "tool").write_text("x")
        time.sleep(0.1)

    threads = [
        threading.Thread(target=tools._made, args=("tool", "abc", make, "tool")) for _ in range(4)
    ]
    for thread in threads:
        thread.start()
    for thread in threads:
        thread.join()

    assert len(calls) == 1


def empty(folder: Path) -> None:
    for each in folder.iterdir():
        each.unlink()


def halve(folder: Path) -> None:
    (folder / "tool").write_text("x" * 50)


def lose_a_library(folder: Path) -> None:
    (folder / "library").unlink()


def replace_by_a_file(folder: Path) -> None:
    empty(folder)
    folder.rmdir()
    folder.write_text("?")


@pytest.mark.parametrize("damage", [empty, halve, lose_a_library, replace_by_a_file])
def test_a_damaged_tool_is_made_again(
    damage: Callable[[Path], None],
    made: Path,
    monkeypatch: pytest.MonkeyPatch,
    capsys: pytest.CaptureFixture[str],
) -> None:
    def make(folder: Path) -> None:
        (folder / "tool").write_text("x" * 100)
        (folder / "library").write_text("y")

    tool = tools._made("tool", "abc", make, "tool")
    damage(tool.parent)
    monkeypatch.setattr(tools, "_whole", set())  # as in the next run
    is_folder = tool.parent.is_dir()
    assert tools.damaged_folders() == ([tool.parent] if is_folder else [])
    findings = [each for each in check_machine() if each.name == "tools"]
    assert [each.ok for each in findings] == [not is_folder]

    assert tools._made("tool", "abc", make, "tool").read_text() == "x" * 100

    assert (tool.parent / "library").exists()
    assert f"{tool.parent} was damaged and is made again" in capsys.readouterr().err
    assert tools.damaged_folders() == []
    assert {each.name for each in made.iterdir()} == {"tool-abc", "tool.lock"}


def test_a_tool_of_an_earlier_version_is_kept(made: Path) -> None:
    (made / "tool-abc").mkdir(parents=True)
    (made / "tool-abc/tool").write_text("x")

    def fail(_: Path) -> None:
        raise AssertionError("it is there")

    assert tools._made("tool", "abc", fail, "tool").read_text() == "x"
    assert tools.damaged_folders() == []


def test_a_lock_that_another_run_holds_is_told(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    def hold() -> None:
        with tools.locked(tmp_path / "lock"):
            held.set()
            told.wait(60)
            done.append("the other")

    def tell(text: str) -> None:
        done.append(text)
        told.set()

    monkeypatch.setattr(tools, "to_stderr", tell)
    done: list[str] = []
    held, told = threading.Event(), threading.Event()
    other = threading.Thread(target=hold)
    other.start()
    held.wait()
    with tools.locked(tmp_path / "lock"):
        done.append("this one")
    other.join()
    assert done == [f"waiting: another run works in {tmp_path}", "the other", "this one"]


@pytest.mark.parametrize("size", [None, 7])
def test_an_emulator_that_is_absent_or_half_is_a_finding(
    size: int | None, tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    half = tmp_path / "rie"
    if size is not None:
        half.write_bytes(bytes(size))
    name = f"samcli/local/rapid/aws-lambda-rie-{programs.host_architecture()}"
    listed = SimpleNamespace(as_posix=lambda: name, size=100, locate=lambda: half)
    monkeypatch.setattr("importlib.metadata.files", lambda _: [listed])
    (finding,) = (each for each in check(implementation("provided.x")) if each.name == "emulator")
    assert not finding.ok
    assert finding.detail == f"{half} is absent or damaged"
    assert finding.remedy == "remove .venv and run make setup"


def test_a_failed_program_gives_its_last_words() -> None:
    with pytest.raises(NotReady, match=r"(?s)the thing failed \(exit 3\):.*last words"):
        programs.run(["sh", "-c", "echo last words >&2; exit 3"], "the thing")


def test_a_full_disk_is_no_fault_of_a_build() -> None:
    with pytest.raises(OSError, match="the build failed: No space left on device") as caught:
        programs.run(["sh", "-c", "echo link: no space left on device; exit 1"], "the build")
    assert caught.value.errno == errno.ENOSPC


def test_a_jdk_is_found_by_its_release_file(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    (tmp_path / "bin").mkdir()
    (tmp_path / "bin/java").touch()
    (tmp_path / "release").write_text('JAVA_VERSION="99.0.1"\n')
    monkeypatch.setenv("JAVA_HOME", str(tmp_path))

    assert programs.find_jdk(99) == tmp_path
    with pytest.raises(NotReady, match=r"JDK 98 was not found .*: install JDK 98"):
        programs.find_jdk(98)


def test_a_missing_program_is_a_finding_with_its_remedy(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setenv("PATH", os.devnull)
    monkeypatch.delenv("JAVA_HOME", raising=False)

    missing = {each.name: each for each in check(implementation("java25")) if not each.ok}

    assert missing["Maven"].detail == "mvn is not on PATH"
    assert missing["Maven"].remedy == "install Apache Maven 3.8 or newer"
    assert "go for the S3 server" in missing


def test_an_unknown_runtime_is_a_finding() -> None:
    assert not check(implementation("ruby3.4"))[-1].ok


def test_another_operating_system_gets_one_sentence(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr("platform.system", lambda: "Darwin")

    with pytest.raises(NotReady, match="needs Linux"):
        programs.host_architecture()


# ---- Maven ----

OLD, NEW = "Apache Maven 3.8.7", "Apache Maven 3.9.0"


def player(folder: Path, version: str, download: str = "") -> Path:
    """A Maven that says this version, and whose downloads have this content."""
    program = folder / "mvn"
    program.write_text(
        "#!/bin/sh\n"
        f'[ "$1" = --version ] && echo "{version}" && exit\n'
        'for each; do case "$each" in -DoutputDirectory=*) folder=${each#*=};; esac; done\n'
        f'printf "{download}" > "$folder/apache-maven-3.9.11-bin.zip"\n'
    )
    program.chmod(0o755)
    return program


@pytest.mark.parametrize(
    ("version", "does"), [(OLD, False), (NEW, True), ("Apache Maven 4.0.0-rc", True), ("", False)]
)
def test_a_maven_that_checks_hashes(version: str, does: bool, tmp_path: Path) -> None:
    assert tools.checks_hashes(player(tmp_path, version)) == does


def test_a_new_maven_of_the_machine_is_used(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    own = player(tmp_path, NEW)
    monkeypatch.setattr(tools, "find_maven", lambda: own)
    assert tools.maven() == own


def test_a_pinned_maven_with_another_hash_is_refused(
    made: Path, tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr(tools, "find_maven", lambda: player(tmp_path, OLD, "something else"))
    with pytest.raises(NotReady, match=r"has not the hash that .*apache-maven\.sha512 expects"):
        tools.maven(lambda _: None)
    assert not list(made.glob("maven-*"))


@pytest.mark.slow
@pytest.mark.parametrize(
    ("find", "put", "message"),
    [
        (r"[0-9a-f]{64}(  com/fasterxml/.*/jackson-core-\S+\.jar)", r"00\1", "jackson-core"),
        (r"[0-9a-f]{64}  com/fasterxml/.*/jackson-core-\S+\.jar\n", "", "jackson-core"),
        (
            r"[0-9a-f]{64}(  .*/maven-dependency-plugin-\S+\.jar)",
            r"00\1",
            "maven-dependency-plugin",
        ),
    ],
)
def test_maven_refuses_a_file_with_another_hash_or_none(
    find: str, put: str, message: str, tmp_path: Path
) -> None:
    """Of a library and of a plugin."""
    java = tmp_path / "java"
    shutil.copytree(ROOT / "java/.mvn", java / ".mvn")
    shutil.copy(ROOT / "java/pom.xml", java)
    goal = ("dependency:list", "-DincludeScope=runtime")
    command = [str(tools.maven()), "-q", "-B", "-f", str(java), *goal]
    programs.run(command, "Maven")

    lock = java / ".mvn/checksums/checksums.sha256"
    changed, count = re.subn(find, put, lock.read_text())
    assert count == 1
    lock.write_text(changed)

    with pytest.raises(NotReady, match=f"(?s){message}.*(mismatch|Missing from)"):
        programs.run(command, "Maven")


def test_the_python_runtime_holds_the_interface_client_and_nothing_of_ours() -> None:
    python = tools.python_for_runtime("3.13")
    probe = (
        "from importlib.util import find_spec\n"
        "print(*(bool(find_spec(n)) for n in ('awslambdaric', 'boto3', 'pytest')))"
    )

    done = subprocess.run([python, "-c", probe], capture_output=True, text=True, check=True)

    assert done.stdout.split() == ["True", "False", "False"]


def test_the_node_of_the_template_is_found() -> None:
    node = tools.find_node(24)

    done = subprocess.run([node, "--version"], capture_output=True, text=True, check=True)

    assert done.stdout.startswith("v24.")


def test_the_functions_libraries_are_the_ones_that_its_unit_tests_see() -> None:
    ours, shipped = (
        set(re.findall(r"^(\S+==\S+)", (ROOT / file).read_text(), re.MULTILINE))
        for file in ("requirements.txt", "python/src/requirements.txt")
    )

    assert shipped
    assert shipped <= ours


def test_the_emulator_is_executable() -> None:
    assert os.access(tools.rie_binary(), os.X_OK)


def test_every_call_of_maven_checks_hashes() -> None:
    wanted = (ROOT / "java/.mvn/maven.config").read_text()
    for tool in ("java-ric", "trino"):
        assert (ROOT / "tools" / tool / ".mvn/maven.config").read_text() == wanted


# ---- Trino, by a Maven that has small archives ----

MAVEN = """\
#!/bin/sh
[ "$1" = --version ] && echo "Apache Maven 3.9.9" && exit
for each; do case $each in -DoutputDirectory=*) to=${each#*=} ;; esac; done
[ -e UNPACKED ] || { echo "no such host: repo.maven.apache.org"; exit 1; }
mkdir -p "$to" && cp -r UNPACKED/* "$to/"
"""


@pytest.fixture
def unpacked(made: Path, tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> Path:
    """The content of three archives, for a Maven on PATH; two connectors share a jar."""
    folder = tmp_path / "unpacked"
    for name, inner in (
        ("trino-server-core", "lib/main.jar"),
        ("trino-hive", "shared.jar"),
        ("trino-iceberg", "shared.jar"),
    ):
        file = folder / f"{name}-476" / inner
        file.parent.mkdir(parents=True)
        file.write_text(file.name)
    programs_folder = tmp_path / "bin"
    programs_folder.mkdir()
    maven = programs_folder / "mvn"
    maven.write_text(MAVEN.replace("UNPACKED", str(folder)))
    maven.chmod(0o755)
    monkeypatch.setenv("PATH", f"{programs_folder}:{os.environ['PATH']}")
    return folder


def test_trino_is_made_of_the_server_and_two_connectors(unpacked: Path) -> None:
    home = tools.trino_home()

    files = {str(path.relative_to(home)) for path in home.rglob("*.jar")}
    assert files == {"lib/main.jar", "plugin/hive/shared.jar", "plugin/iceberg/shared.jar"}
    assert (home / "plugin/hive/shared.jar").samefile(home / "plugin/iceberg/shared.jar")


def test_trino_that_cannot_be_fetched_names_the_remedy(made: Path, unpacked: Path) -> None:
    shutil.rmtree(unpacked)

    with pytest.raises(
        NotReady, match=r"(?s)Trino can't be fetched: let Maven reach.*no such host"
    ):
        tools.trino_home()

    assert [path.name for path in made.iterdir()] == ["trino.lock"]


def test_without_maven_trino_names_the_remedy(
    unpacked: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setenv("PATH", os.devnull)

    with pytest.raises(NotReady, match="install Apache Maven"):
        tools.trino_home()
