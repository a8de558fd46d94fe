"""``python -m harness.build.sbom [LANGUAGE...]`` writes the SBOM of each package.

An SBOM (software bill of materials) is a list of components in the form of CycloneDX. The same
package gives the same bytes.
"""

from __future__ import annotations

import hashlib
import json
import uuid
from collections.abc import Sequence
from pathlib import Path

from cyclonedx.contrib.license.factories import LicenseFactory
from cyclonedx.model import (
    ExternalReference,
    ExternalReferenceType,
    HashAlgorithm,
    HashType,
    XsUri,
)
from cyclonedx.model.bom import Bom
from cyclonedx.model.component import Component as CdxComponent
from cyclonedx.model.component import ComponentType
from cyclonedx.output.json import JsonV1Dot6
from cyclonedx.schema import SchemaVersion
from cyclonedx.validation.json import JsonStrictValidator
from packageurl import PackageURL

from harness.build.choice import choose
from harness.build.sam_build import build, package_zip
from harness.build.template import load_implementations
from harness.build.third_party.components import Component, components_of
from harness.build.third_party.licences import FILE, read
from harness.model import Artefact, HarnessError, Implementation
from harness.terminal import end_with, to_stderr
from harness.toolchain.paths import ROOT

SBOMS = ROOT / ".build/sbom"

_LICENCES = LicenseFactory()


def sbom_of(implementation: Implementation, folder: Path, package: Path) -> str:
    """The SBOM of the package in ``folder``, whose zip is ``package``.

    Raises ``HarnessError`` if it is not valid by CycloneDX's schema.
    """
    licences = read((folder / FILE).read_text()).stated
    digest = hashlib.sha256(package.read_bytes()).hexdigest()
    root = CdxComponent(
        name=f"rosetta-{implementation.language}",
        type=ComponentType.APPLICATION,
        bom_ref=package.name,
        hashes=[_hash("SHA-256", digest)],
        licenses=[_LICENCES.make_from_string("MIT")],
    )
    inside = [
        _component(each, licences[each.name]) for each in components_of(implementation.code, folder)
    ]
    bom = Bom(components=inside, serial_number=uuid.UUID(digest[:32], version=4))
    bom.metadata.component = root
    bom.register_dependency(root, inside)
    return _checked(_without_time(JsonV1Dot6(bom).output_as_string()))


def _component(component: Component, licence: str) -> CdxComponent:
    purl = PackageURL.from_string(f"{component.name}@{component.version}")
    # a lock of Python has the hash of each platform's file, and one of them was installed
    lock = ExternalReference(
        type=ExternalReferenceType.DISTRIBUTION,
        url=XsUri(purl.to_string()),
        hashes=[_hash(*each) for each in component.hashes],
    )
    return CdxComponent(
        name=purl.name,
        group=purl.namespace,
        version=component.version,
        type=ComponentType.LIBRARY,
        bom_ref=purl.to_string(),
        purl=purl,
        licenses=[_LICENCES.make_from_string(licence)],
        external_references=[lock] if component.hashes else (),
    )


def _hash(algorithm: str, digest: str) -> HashType:
    return HashType(alg=HashAlgorithm(algorithm), content=digest)


def _without_time(text: str) -> str:
    document = json.loads(text)
    del document["metadata"]["timestamp"]
    return f"{json.dumps(document, indent=2)}\n"


def _checked(text: str) -> str:
    if error := JsonStrictValidator(SchemaVersion.V1_6).validate_str(text):
        raise HarnessError(f"the SBOM is not valid: {error}")
    return text


def main(languages: Sequence[str]) -> int:
    chosen = choose(load_implementations(), languages)
    made = build(chosen)
    SBOMS.mkdir(parents=True, exist_ok=True)
    ready = True
    for implementation in chosen:
        artefact = made[implementation.language]
        if isinstance(artefact, Artefact):
            file = SBOMS / f"{implementation.language}.cdx.json"
            file.write_text(sbom_of(implementation, artefact.folder, package_zip(implementation)))
            print(f"{implementation.language}: {file}")
        else:
            ready = False
            to_stderr(str(artefact))
    return 0 if ready else 3


if __name__ == "__main__":
    end_with(main)
