"""The SBOM of each package."""

from __future__ import annotations

import json

import pytest
from conftest import IMPLEMENTATIONS, built

from harness.build.sam_build import package_zip
from harness.build.sbom import _checked, sbom_of
from harness.build.third_party.components import components_of
from harness.model import Artefact, HarnessError


@pytest.mark.slow
@pytest.mark.timeout(900)
@pytest.mark.parametrize("language", IMPLEMENTATIONS)
def test_the_sbom_names_each_component(language: str) -> None:
    made = built(language)
    assert isinstance(made, Artefact), made
    package = package_zip(made.implementation)

    text = sbom_of(made.implementation, made.folder, package)

    document = json.loads(text)
    components = components_of(made.implementation.code, made.folder)
    purls = {f"{each.name}@{each.version}" for each in components}
    assert len(purls) >= 10
    assert {each["purl"] for each in document["components"]} == purls
    for each in document["components"]:
        assert each["licenses"], each["purl"]
        if each["name"] != "std":  # Go's own library has no lock
            assert each["externalReferences"][0]["hashes"], each["purl"]
    assert text == sbom_of(made.implementation, made.folder, package)


def test_an_sbom_that_the_schema_refuses_is_an_error() -> None:
    with pytest.raises(HarnessError, match="the SBOM is not valid"):
        _checked('{"bomFormat": "CycloneDX", "specVersion": "1.6", "components": [{"name": "a"}]}')
