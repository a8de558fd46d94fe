"""The client that feed.yaml deploys: from a WebSocket stream into Kinesis.

It imports nothing of the harness, so a container needs this folder, ``websockets``, ``boto3`` and
``msgspec`` alone.
"""
