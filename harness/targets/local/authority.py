"""An authority of one run, and the certificate that it gives to the run's S3 server.

The chain and the kind of key are those of S3: RSA of 2,048 bits, and an authority between the root
and the server. The private keys of both authorities stay in memory.
"""

from __future__ import annotations

from dataclasses import dataclass
from datetime import UTC, datetime, timedelta
from pathlib import Path

import trustme
from cryptography import x509
from cryptography.hazmat.primitives.serialization import BestAvailableEncryption, pkcs12

_HOST = "127.0.0.1"
_VALID = timedelta(days=7)  # longer than any run
_ONE_DAY = timedelta(days=1)  # for clocks that differ
#: Java opens no file of authorities without one. It hides nothing: the file has no private key.
JAVA_PASSWORD = "changeit"


@dataclass(frozen=True, slots=True)
class Certificate:
    """PEM files: ``authority`` is for the clients, ``chain`` and ``key`` are for the server."""

    authority: Path
    chain: Path
    key: Path


def certify(folder: Path, *names: str) -> Certificate:
    """A certificate of a new authority for ``names``, by default the loopback address."""
    root = trustme.CA(key_type=trustme.KeyType.RSA)
    between = root.create_child_ca(key_type=trustme.KeyType.RSA)
    now = datetime.now(UTC)
    issued = between.issue_cert(
        *(names or (_HOST,)),
        not_before=now - _ONE_DAY,
        not_after=now + _VALID,
        key_type=trustme.KeyType.RSA,
    )
    made = Certificate(folder / "authority.pem", folder / "chain.pem", folder / "key.pem")
    root.cert_pem.write_to_path(made.authority)
    for number, each in enumerate(issued.cert_chain_pems):
        each.write_to_path(made.chain, append=number > 0)
    made.key.touch(0o600)
    issued.private_key_pem.write_to_path(made.key)
    return made


def write_java_authorities(pem: Path, file: Path) -> None:
    """Write the certificates of ``pem`` in the form that a JVM reads."""
    certificates = x509.load_pem_x509_certificates(pem.read_bytes())
    file.write_bytes(
        pkcs12.serialize_java_truststore(
            [pkcs12.PKCS12Certificate(each, b"authority") for each in certificates],
            BestAvailableEncryption(JAVA_PASSWORD.encode()),
        )
    )
