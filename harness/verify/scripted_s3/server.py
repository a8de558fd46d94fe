"""An in-memory S3 on loopback that records every request and misbehaves on command.

It holds what no file tree can (``//``, control characters, a key below another key), answers in
the order of UTF-8 bytes, fails the requests that a vector names, and keeps a log from which the
judge reads what an implementation really did. It speaks just the five operations of the contract.
"""

from __future__ import annotations

import threading
from collections.abc import Callable, Mapping, Sequence
from contextlib import AbstractContextManager, nullcontext
from typing import Self

from harness.verify.scripted_s3.handler import Handler, Server
from harness.verify.scripted_s3.scene import DEFAULT_PAGE, Fault, Request, Scene, Stored


def at_once(_access_key: str, _request: Request) -> AbstractContextManager[None]:
    """Serve a request without waiting."""
    return nullcontext()


class ScriptedS3:
    """``with ScriptedS3() as s3: s3.begin(buckets, faults)``; then point a function at ``env()``.

    ``accepts`` decides about a request's access key and session token (default: all are
    accepted); a refused one gets 400 ``ExpiredToken``, as S3 answers to keys that have expired.
    ``page`` is the most entries that a listing answers with; every answer takes ``delay_s``.
    ``hold`` gets the access key and the request, and gives the context in which it is served.
    """

    def __init__(self, accepts: Callable[[str, str], bool] | None = None) -> None:
        self.scene = Scene({}, ())
        self.page = DEFAULT_PAGE
        self.delay_s = 0.0
        self.hold: Callable[[str, Request], AbstractContextManager[None]] = at_once
        self.accepts = accepts or (lambda _key, _token: True)
        handler = type("BoundHandler", (Handler,), {"s3": self})
        self._server = Server(("127.0.0.1", 0), handler)
        self._thread = threading.Thread(target=self._server.serve_forever, daemon=True)

    def __enter__(self) -> Self:
        self._thread.start()
        return self

    def __exit__(self, *_: object) -> None:
        self._server.shutdown()
        self._server.server_close()
        self._thread.join()

    @property
    def port(self) -> int:
        return self._server.server_port

    @property
    def endpoint(self) -> str:
        return f"http://127.0.0.1:{self.port}"

    def env(self) -> dict[str, str]:
        """The variables that point a function here."""
        return {
            "AWS_ENDPOINT_URL_S3": self.endpoint,
            "AWS_REGION": "us-east-1",
            "AWS_ACCESS_KEY_ID": "test",
            "AWS_SECRET_ACCESS_KEY": "test",
        }

    def begin(
        self, buckets: Mapping[str, Mapping[str, Stored]], faults: Sequence[Fault] = ()
    ) -> None:
        """Start a scene: these buckets, these faults, an empty log."""
        self.scene = Scene(
            {name: dict(objects) for name, objects in buckets.items()}, tuple(faults)
        )

    def change(self, bucket: str, add: Mapping[str, Stored], remove: Sequence[str] = ()) -> None:
        """Put and delete objects behind the function's back."""
        with self.scene.lock:
            objects = self.scene.buckets[bucket]
            objects.update(add)
            for key in remove:
                del objects[key]

    def objects(self, bucket: str) -> dict[str, Stored]:
        with self.scene.lock:
            return dict(self.scene.buckets.get(bucket, {}))

    def settle(self) -> None:
        """Return when every request that was sent before this call is known to the scene."""
        self._server.settle()

    def take_requests(self) -> tuple[list[Request], int]:
        """The requests that came since the last call, as they were answered; the most in flight."""
        self._server.settle()
        scene = self.scene
        with scene.lock:
            requests, scene.requests = scene.requests, []
            most, scene.most_in_flight = scene.most_in_flight, scene.in_flight
            scene.failed.clear()
            return list(requests), most  # an answer that is still due goes to no list
