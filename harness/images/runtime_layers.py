"""The layers below a package: what Lambda's machine has, and a container has not.

All is of a release of Debian, and Node of its own release. ``tools/`` pins both by hash.
"""

from __future__ import annotations

import hashlib
import json
import shutil
import warnings
from collections.abc import Callable
from pathlib import Path

from cryptography import x509
from cryptography.hazmat.primitives.hashes import SHA256
from cryptography.hazmat.primitives.serialization import NoEncryption, pkcs12
from cryptography.utils import CryptographyDeprecationWarning

from harness.build.archive import files_of
from harness.images.layers import Layer, layer
from harness.model import NotReady
from harness.scratch import scratch
from harness.terminal import Progress
from harness.toolchain import debian
from harness.toolchain.paths import SOURCES
from harness.toolchain.tools import debian_packages, node_release

#: The folder of a package, as in Lambda.
PLACE = Path("var/task")
#: The user of the task, who owns no file.
USER = 65532
_USERS = {
    "etc/passwd": f"root:x:0:0:root:/root:/sbin/nologin\n"
    f"task:x:{USER}:{USER}:task:/nonexistent:/sbin/nologin\n",
    "etc/group": f"root:x:0:\ntask:x:{USER}:\n",
    "etc/nsswitch.conf": "hosts: files dns\n",
}
_AUTHORITIES = Path("etc/ssl/certs/ca-certificates.crt")
#: Folders that a container's runtime fills.
_MOUNTED = ("dev", "proc", "sys", "tmp")
#: Only people read these; /usr/share/doc/*/copyright stays.
_DOCUMENTS = ("bug", "info", "lintian", "locale", "man", "zoneinfo")
_JAVA = Path("usr/lib/jvm")


def layers_below(runtime: str, architecture: str, progress: Progress) -> list[Layer]:
    """From the ground up. Equal layers of two languages have the same digest."""

    def made(name: str, fill: Callable[[Path], None], *more: str) -> Layer:
        packages = debian.locked_packages(name, architecture)
        named = ", ".join(each.file.removesuffix(".deb") for each in packages)
        made_of = "; ".join(each for each in (named, *more) if each)
        hashes = [each.sha256 for each in packages]
        key = f"{hashes} {made_of} {_code()}"

        def fill_folder(folder: Path) -> None:
            if packages:
                _unpack(name, architecture, folder, progress)
            progress(f"packing the layer {name} of {architecture}")
            fill(folder)

        return layer(f"{name}-{architecture}", key, made_of, fill_folder)

    base = made("base", _fill_base)
    if runtime.startswith("provided"):
        return [base]
    libraries = made("libraries", lambda _: None)
    if runtime.startswith("python"):
        return [base, libraries, made("python", lambda folder: _fill_python(folder, runtime))]
    if runtime.startswith("java"):

        def fill_java(folder: Path) -> None:
            _fill_java(folder, architecture, progress)

        return [base, libraries, made("java", fill_java)]
    if runtime.startswith("nodejs"):

        def fill_node(folder: Path) -> None:
            _fill_node(folder, node_release(architecture, progress))

        return [base, libraries, made("javascript", fill_node, _node())]
    raise NotReady(f"no layers are known for {runtime}: give an image with it by --base")


def folder_layer(name: str, made_of: str, folder: Path) -> Layer:
    """The files of a folder, at the place that a package has in Lambda."""
    digest = hashlib.sha256(f"{made_of} {_code()}".encode())
    for path in files_of(folder):
        content = hashlib.sha256(path.read_bytes()).hexdigest()
        digest.update(f"{path.relative_to(folder)} {path.stat().st_mode} {content}\n".encode())

    def fill(into: Path) -> None:
        shutil.copytree(folder, into / PLACE, symlinks=True)

    return layer(name, digest.hexdigest(), made_of, fill)


def _code() -> str:
    """The hash of this room's code, on which a layer depends besides its content."""
    digest = hashlib.sha256()
    for file in sorted(Path(__file__).parent.glob("*.py")):
        digest.update(file.read_bytes())
    return digest.hexdigest()


def _node() -> str:
    lock = json.loads((SOURCES / "node/package.json").read_text())
    (version,) = set(lock["optionalDependencies"].values())
    return f"Node {version}"


def _unpack(name: str, architecture: str, folder: Path, progress: Progress) -> None:
    for package in debian_packages(name, architecture, progress):
        debian.unpack(package, folder)
    for documents in _DOCUMENTS:
        shutil.rmtree(folder / "usr/share" / documents, ignore_errors=True)
    for each in folder.glob("usr/share/doc/*/*"):
        if each.name != "copyright":
            shutil.rmtree(each) if each.is_dir() and not each.is_symlink() else each.unlink()


def _fill_base(folder: Path) -> None:
    given = folder / "usr/share/ca-certificates"
    _write(folder / _AUTHORITIES, _joined(given))
    shutil.rmtree(given)
    for name, text in _USERS.items():
        _write(folder / name, text.encode())
    for each in _MOUNTED:
        (folder / each).mkdir(exist_ok=True)
    (folder / "tmp").chmod(0o1777)


def _joined(folder: Path) -> bytes:
    return b"".join(each.read_bytes() for each in sorted(folder.rglob("*.crt")))


def _fill_python(folder: Path, runtime: str) -> None:
    (folder / "usr/bin/python3").symlink_to(runtime)
    (folder / "usr/lib/ssl").mkdir()  # where OpenSSL looks
    (folder / "usr/lib/ssl/cert.pem").symlink_to(f"/{_AUTHORITIES}")


def _fill_java(folder: Path, architecture: str, progress: Progress) -> None:
    below = (folder / _JAVA).iterdir()
    (home,) = (each for each in below if each.is_dir() and not each.is_symlink())
    (folder / "usr/bin").mkdir()
    (folder / "usr/bin/java").symlink_to(f"/{_JAVA / home.name}/bin/java")
    with scratch("authorities") as place:
        for package in debian_packages("base", architecture, progress):
            debian.unpack(package, place)
        pem = _joined(place / "usr/share/ca-certificates")
    _write(folder / "etc/ssl/certs/java/cacerts", _of_java(pem))


def _of_java(pem: bytes) -> bytes:
    """The authorities in a file like a JDK's own: without a password, and without a salt."""
    with warnings.catch_warnings():
        # one authority of 2001 has a serial number that is no longer allowed
        warnings.simplefilter("ignore", CryptographyDeprecationWarning)
        found = x509.load_pem_x509_certificates(pem)
    named = [
        pkcs12.PKCS12Certificate(each, each.fingerprint(SHA256()).hex().encode()) for each in found
    ]
    return pkcs12.serialize_java_truststore(named, NoEncryption())


def _fill_node(folder: Path, release: Path) -> None:
    _copy(release / "bin/node", folder / "usr/bin/node")
    _copy(release / "LICENSE", folder / "usr/share/doc/node/copyright")


def _copy(file: Path, to: Path) -> None:
    to.parent.mkdir(parents=True, exist_ok=True)
    shutil.copy(file, to)


def _write(file: Path, content: bytes) -> None:
    file.parent.mkdir(parents=True, exist_ok=True)
    file.write_bytes(content)
