"""The local target: artefacts run under the Runtime Interface Emulator, beside an S3 server."""
