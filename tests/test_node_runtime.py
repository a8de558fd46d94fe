"""The Node runtime loop with a fake Runtime API."""

from __future__ import annotations

import json
import queue
import subprocess
import threading
import time
from collections.abc import Callable, Iterator, Mapping
from dataclasses import dataclass
from http.server import BaseHTTPRequestHandler, ThreadingHTTPServer
from pathlib import Path
from typing import Any

import pytest

from harness.toolchain import tools

LOOP = Path(__file__).parent.parent / "harness/targets/local/node_runtime.mjs"
API = "/2018-06-01/runtime/"
WAIT_S = 60


@dataclass(frozen=True, slots=True)
class Posted:
    route: str
    body: Any
    headers: Mapping[str, str]


class RuntimeApi:
    """Hands out the queued events and collects what the runtime posts."""

    def __init__(self) -> None:
        self.events: queue.Queue[tuple[dict[str, str], bytes] | None] = queue.Queue()
        self.posted: queue.Queue[Posted] = queue.Queue()
        api = self

        class Handler(BaseHTTPRequestHandler):
            protocol_version = "HTTP/1.1"

            def do_GET(self) -> None:
                assert self.path == f"{API}invocation/next"
                event = api.events.get()
                if event is None:
                    self.close_connection = True
                    return
                self.answer(200, event[1], event[0])

            def do_POST(self) -> None:
                body = self.rfile.read(int(self.headers["Content-Length"]))
                route = self.path.removeprefix(API)
                api.posted.put(Posted(route, json.loads(body), dict(self.headers)))
                self.answer(202, b"{}", {})

            def answer(self, status: int, body: bytes, headers: Mapping[str, str]) -> None:
                self.send_response(status)
                for name, value in headers.items():
                    self.send_header(name, value)
                self.send_header("Content-Length", str(len(body)))
                self.end_headers()
                self.wfile.write(body)

            def log_message(self, format: str, *args: object) -> None:
                pass

        self.server = ThreadingHTTPServer(("127.0.0.1", 0), Handler)
        self.address = f"127.0.0.1:{self.server.server_port}"
        self.thread = threading.Thread(target=self.server.serve_forever, args=(0.01,))
        self.thread.start()

    def send(self, request_id: str, event: object, **headers: str) -> None:
        body = event if isinstance(event, bytes) else json.dumps(event).encode()
        lambda_headers = {
            "Lambda-Runtime-Aws-Request-Id": request_id,
            "Lambda-Runtime-Deadline-Ms": str(int(time.time() * 1000) + 60_000),
            "Lambda-Runtime-Invoked-Function-Arn": "arn:aws:lambda:us-east-1:1:function:f",
        }
        self.events.put((lambda_headers | headers, body))

    def receive(self) -> Posted:
        return self.posted.get(timeout=WAIT_S)

    def close(self) -> None:
        self.events.put(None)
        self.server.shutdown()
        self.thread.join()
        self.server.server_close()


@pytest.fixture
def api() -> Iterator[RuntimeApi]:
    started = RuntimeApi()
    yield started
    started.close()


Start = Callable[..., subprocess.Popen[bytes]]


@pytest.fixture
def start(api: RuntimeApi, tmp_path: Path) -> Iterator[Start]:
    """Start the loop over ``source``, written as ``file``."""
    processes = []

    def run(
        source: str, file: str = "app.mjs", handler: str = "app.handle"
    ) -> subprocess.Popen[bytes]:
        path = tmp_path / file
        path.parent.mkdir(exist_ok=True)
        path.write_text(source)
        process = subprocess.Popen(
            [tools.find_node(), LOOP, handler],
            env={
                "AWS_LAMBDA_RUNTIME_API": api.address,
                "LAMBDA_TASK_ROOT": str(tmp_path),
                "AWS_LAMBDA_FUNCTION_NAME": "f",
                "AWS_LAMBDA_FUNCTION_MEMORY_SIZE": "512",
            },
            stdout=subprocess.PIPE,
            stderr=subprocess.STDOUT,
        )
        processes.append(process)
        return process

    yield run
    for process in processes:
        process.kill()
        process.communicate()


@pytest.mark.parametrize(
    ("file", "handler", "source"),
    [
        ("app.mjs", "app.handle", "export const handle = async (event) => ({ got: event });"),
        ("app.mjs", "app.handle", "export const handle = (event) => ({ got: event });"),
        ("app.cjs", "app.handle", "exports.handle = async (event) => ({ got: event });"),
        ("app.js", "app.handle", "module.exports.handle = (event) => ({ got: event });"),
        ("in/app.mjs", "in/app.run", "export const run = async (event) => ({ got: event });"),
    ],
)
def test_every_form_of_handler_answers(
    api: RuntimeApi, start: Start, file: str, handler: str, source: str
) -> None:
    start(source, file, handler)
    for number in (1, 2):
        api.send(f"id-{number}", {"n": number, "text": "ä😀"})
        posted = api.receive()

        assert posted.route == f"invocation/id-{number}/response"
        assert posted.body == {"got": {"n": number, "text": "ä😀"}}


def test_undefined_is_null(api: RuntimeApi, start: Start) -> None:
    start("export const handle = async () => {};")
    api.send("id", {})

    assert api.receive().body is None


def test_the_context_tells_of_the_invocation(api: RuntimeApi, start: Start) -> None:
    start(
        "export const handle = async (event, context) => ({ ...context,"
        " left: context.getRemainingTimeInMillis(), trace: process.env._X_AMZN_TRACE_ID });"
    )
    api.send("id", {}, **{"Lambda-Runtime-Trace-Id": "Root=1"})
    body = api.receive().body

    assert body["awsRequestId"] == "id"
    assert body["functionName"] == "f"
    assert body["memoryLimitInMB"] == "512"
    assert body["invokedFunctionArn"].endswith(":function:f")
    assert body["trace"] == "Root=1"
    assert 0 < body["left"] <= 60_000

    api.send("id-2", {})
    assert "trace" not in api.receive().body


def test_an_error_of_the_handler_is_posted_and_the_loop_goes_on(
    api: RuntimeApi, start: Start
) -> None:
    start(
        "class BadDay extends Error { name = 'BadDay' }\n"
        "export const handle = async ({ bad }) => { if (bad) throw new BadDay('no'); return 1; };"
    )
    api.send("id", {"bad": True})
    posted = api.receive()

    assert posted.route == "invocation/id/error"
    assert posted.body["errorType"] == "BadDay"
    assert posted.body["errorMessage"] == "no"
    assert any("app.mjs" in line for line in posted.body["trace"])
    assert posted.headers["Lambda-Runtime-Function-Error-Type"] == "BadDay"

    api.send("id-2", {})
    assert api.receive().body == 1


@pytest.mark.parametrize(
    ("thrown", "kind", "message"),
    [("'text'", "string", "text"), ("undefined", "undefined", "undefined")],
)
def test_a_handler_may_throw_any_value(
    api: RuntimeApi, start: Start, thrown: str, kind: str, message: str
) -> None:
    start(f"export const handle = () => {{ throw {thrown}; }};")
    api.send("id", {})

    assert api.receive().body == {"errorType": kind, "errorMessage": message, "trace": []}


def test_an_event_that_is_not_json_is_an_error(api: RuntimeApi, start: Start) -> None:
    start("export const handle = async () => 1;")
    api.send("id", b"not json")

    assert api.receive().route == "invocation/id/error"


@pytest.mark.parametrize(
    ("body", "code"),
    [
        ("Promise.reject(new Error('lost')); await new Promise((r) => setTimeout(r, 9e3));", 128),
        ("setTimeout(() => { throw new Error('lost'); }); await new Promise(() => {});", 129),
    ],
)
def test_an_uncaught_error_is_posted_and_ends_the_process(
    api: RuntimeApi, start: Start, body: str, code: int
) -> None:
    process = start(f"export const handle = async () => {{ {body} }};")
    api.send("id", {})
    posted = api.receive()

    assert posted.route == "invocation/id/error"
    assert posted.body["errorMessage"] == "lost"
    assert process.wait(WAIT_S) == code


@pytest.mark.parametrize(
    ("source", "handler", "kind"),
    [
        ("export const handle = 1;", "app.handle", "Runtime.HandlerNotFound"),
        ("", "absent.handle", "Runtime.ImportModuleError"),
        ("", "nodot", "Runtime.MalformedHandlerName"),
        ("throw new RangeError('x');", "app.handle", "RangeError"),
        ("export const = 1;", "app.handle", "SyntaxError"),
    ],
)
def test_a_function_that_does_not_load_is_an_init_error(
    api: RuntimeApi, start: Start, source: str, handler: str, kind: str
) -> None:
    process = start(source, handler=handler)
    posted = api.receive()

    assert posted.route == "init/error"
    assert posted.body["errorType"] == kind
    assert process.wait(WAIT_S) == 1


def test_the_loop_ends_when_the_api_is_gone(api: RuntimeApi, start: Start) -> None:
    process = start("export const handle = async () => 1;")
    api.events.put(None)

    assert process.wait(WAIT_S) == 1
