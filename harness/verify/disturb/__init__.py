"""An artefact is disturbed on purpose, often, and must keep the promises of SPEC.md."""
