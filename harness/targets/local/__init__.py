"""The local target: artefacts under the Runtime Interface Emulator, an S3 server beside them."""
