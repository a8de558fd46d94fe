"""Every artefact over TLS, as on AWS: with a certificate that it trusts, and with another."""

from __future__ import annotations

import ssl
import subprocess
from collections.abc import Iterator, Mapping
from pathlib import Path

import pytest
import trustme

from harness.model import Artefact
from harness.targets.local.sandbox import LocalSandbox
from harness.toolchain.programs import find_jdk
from harness.verify.scripted_s3.server import ScriptedS3
from harness.verify.vectors.cases import SOURCE_BUCKET, load_cases
from harness.verify.vectors.judge import judge
from harness.verify.vectors.sandbox_pool import SandboxPool

pytestmark = pytest.mark.slow

(CASE,) = load_cases(glob="chunks-across-sources")
EVENT = CASE.steps[0].payload


class TlsS3(ScriptedS3):
    """The scripted S3 behind a certificate for ``localhost``."""

    def __init__(self, authority: trustme.CA) -> None:
        super().__init__()
        context = ssl.SSLContext(ssl.PROTOCOL_TLS_SERVER)
        authority.issue_cert("localhost").configure_cert(context)
        # the handshake is for the connection's thread: a refused one must not end the server
        self._server.socket = context.wrap_socket(
            self._server.socket, server_side=True, do_handshake_on_connect=False
        )

    @property
    def endpoint(self) -> str:
        return super().endpoint.replace("http://127.0.0.1", "https://localhost")


@pytest.fixture(scope="module")
def authority() -> trustme.CA:
    return trustme.CA()


@pytest.fixture
def s3(authority: trustme.CA) -> Iterator[TlsS3]:
    with TlsS3(authority) as server:
        yield server


@pytest.fixture
def trusting(artefact: Artefact, authority: trustme.CA, tmp_path: Path) -> Mapping[str, str]:
    """The variables that make a runtime trust one more authority."""
    name = artefact.implementation.name
    if name == "python light":
        pytest.skip("awscrt takes authorities from the system only; its unit tests have TLS")
    pem = tmp_path / "authority.pem"
    authority.cert_pem.write_to_path(str(pem))
    if not name.startswith("java "):
        return {
            variable: str(pem)
            for variable in ("AWS_CA_BUNDLE", "SSL_CERT_FILE", "NODE_EXTRA_CA_CERTS")
        }
    store, secret = tmp_path / "authority.p12", "of-no-worth"
    subprocess.run(
        [
            *(find_jdk(25) / "bin/keytool", "-importcert", "-noprompt", "-alias", "ca"),
            *("-file", pem, "-keystore", store, "-storetype", "PKCS12", "-storepass", secret),
        ],
        check=True,
        capture_output=True,
    )
    options = {"trustStore": store, "trustStorePassword": secret, "trustStoreType": "PKCS12"}
    given = " ".join(f"-Djavax.net.ssl.{option}={value}" for option, value in options.items())
    return {"JAVA_TOOL_OPTIONS": given}


def test_a_day_over_tls(artefact: Artefact, s3: TlsS3, trusting: Mapping[str, str]) -> None:
    with SandboxPool(artefact) as functions:
        problems = judge(CASE, s3, lambda env, timeout_s: functions({**env, **trusting}, timeout_s))
    assert not problems, "\n".join(problems)


def test_a_server_that_is_not_trusted_gets_no_request(artefact: Artefact, s3: TlsS3) -> None:
    s3.begin({SOURCE_BUCKET: CASE.sources})
    env = {**s3.env(), **CASE.steps[0].settings, **artefact.implementation.choice}
    with LocalSandbox(artefact, {name: value for name, value in env.items() if value}) as sandbox:
        invocation = sandbox.invoke(EVENT)
    assert invocation.error is not None
    assert invocation.error.startswith("S3_ERROR: put ")
    assert s3.take_requests() == ([], 0)
