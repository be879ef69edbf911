"""A chat-completions endpoint of our own: says what a script says, whole or as a stream, or fails as it says."""

from __future__ import annotations

import json
import threading
import time
from collections.abc import Callable, Mapping, Sequence
from dataclasses import dataclass, field
from http.server import BaseHTTPRequestHandler
from typing import Any

from servers.blobs import HOST, Quiet


@dataclass(frozen=True)
class Says:
    """An answer: `pieces` joined, or one an event; what may be wrong with it stands in the other fields.

    Attributes
    ----------
    cut : int or None
        The connection ends after so many pieces.
    done : bool
        False: the stream ends in order, but without the end of the answer.
    usage : (int, int) or None
        Tokens in and out that are told.
    pause : float
        Seconds before each piece.
    whole : bool
        Not as a stream, whatever was asked.
    thought : str
        Reasoning sent apart.
    """

    pieces: Sequence[str] = ("<think>Water is in the middle.</think>", "<answer>A</answer>")
    finish: str = "stop"
    usage: tuple[int, int] | None = (1000, 20)
    cut: int | None = None
    done: bool = True
    pause: float = 0.0
    whole: bool = False
    thought: str = ""


@dataclass(frozen=True)
class Status:
    """Another status than 200."""

    code: int
    headers: Mapping[str, str] = field(default_factory=dict)
    body: str = '{"error": {"message": "no"}}'


@dataclass(frozen=True)
class Raw:
    """A body as it is."""

    body: str
    kind: str = "application/json"


@dataclass(frozen=True)
class Hangs:
    """No byte for so many seconds, or till the client is gone."""

    seconds: float = 30.0


class ChatServer:
    """Serves ``{url}/chat/completions``.

    Parameters
    ----------
    key : str
        What a request must bear; «»: anything goes.

    Attributes
    ----------
    plan : list or callable
        What to answer, in order, the last again and again; or request body → answer.
    asked : list of dict
        The bodies of all requests.
    headers : list of dict
        Their headers, names in lower case.
    times : list of float
        When they came (monotonic).
    gone : threading.Event
        Set when a client left in the middle of an answer.
    """

    def __init__(self, key: str = "") -> None:
        self.key = key
        self.plan: list[Any] | Callable[[dict[str, Any]], Any] = [Says()]
        self.asked: list[dict[str, Any]] = []
        self.headers: list[dict[str, str]] = []
        self.times: list[float] = []
        self.gone = threading.Event()
        self.lock = threading.Lock()
        self._server = Quiet((HOST, 0), type("Handler", (_Handler,), {"chat": self}))
        self.url = f"http://{HOST}:{self._server.server_address[1]}/v1"

    def next_for(self, body: dict[str, Any]) -> Any:
        """What the plan has for a request."""
        with self.lock:
            self.asked.append(body)
            self.times.append(time.monotonic())
            if callable(self.plan):
                return self.plan(body)
            return self.plan[min(len(self.asked), len(self.plan)) - 1]

    def __enter__(self) -> ChatServer:
        threading.Thread(target=self._server.serve_forever, kwargs={"poll_interval": 0.02}, daemon=True).start()
        return self

    def __exit__(self, *exc: object) -> None:
        self._server.shutdown()
        self._server.server_close()


class _Handler(BaseHTTPRequestHandler):
    chat: ChatServer
    protocol_version = "HTTP/1.1"
    disable_nagle_algorithm = True

    def do_POST(self) -> None:
        body = json.loads(self.rfile.read(int(self.headers.get("Content-Length") or 0)))
        headers = {k.lower(): v for k, v in self.headers.items()}
        with self.chat.lock:
            self.chat.headers.append(headers)
        step = self.chat.next_for(body)
        if self.path != "/v1/chat/completions":
            step = Status(404, body='{"detail": "Not Found"}')
        elif self.chat.key and headers.get("authorization") != f"Bearer {self.chat.key}":
            said = {"error": {"message": f"Incorrect API key provided: {headers.get('authorization')}"}}
            step = Status(401, body=json.dumps(said))
        try:
            self._play(step, body)
        except (BrokenPipeError, ConnectionResetError):
            self.chat.gone.set()
            self.close_connection = True

    def _play(self, step: Any, body: dict[str, Any]) -> None:
        if isinstance(step, Hangs):
            self._hang(step.seconds)
        elif isinstance(step, Status):
            self._answer(step.code, {"Content-Type": "application/json", **step.headers}, step.body.encode())
        elif isinstance(step, Raw):
            self._answer(200, {"Content-Type": step.kind}, step.body.encode())
        elif body.get("stream") and not step.whole:
            self._events(step, body)
        else:
            self._whole(step, body)

    def _hang(self, seconds: float) -> None:
        self.connection.settimeout(seconds)
        try:
            if not self.connection.recv(1):
                self.chat.gone.set()
        except TimeoutError:
            pass
        self.close_connection = True

    def _whole(self, step: Says, body: dict[str, Any]) -> None:
        message = {"role": "assistant", "content": "".join(step.pieces)}
        if step.thought:
            message["reasoning_content"] = step.thought
        out = {"model": body["model"], "choices": [{"index": 0, "message": message, "finish_reason": step.finish}]}
        data = json.dumps(out | self._usage(step), ensure_ascii=False).encode()
        if step.cut is None:
            self._answer(200, {"Content-Type": "application/json"}, data)
        else:
            self._answer(200, {"Content-Type": "application/json"}, data[: len(data) // 2], announced=len(data))
            self.close_connection = True

    def _events(self, step: Says, body: dict[str, Any]) -> None:
        self.send_response(200)
        self.send_header("Content-Type", "text/event-stream")
        self.send_header("Transfer-Encoding", "chunked")
        self.end_headers()
        if step.thought:
            self._event({"choices": [{"delta": {"reasoning_content": step.thought}, "finish_reason": None}]})
        for k, piece in enumerate(step.pieces):
            if k == step.cut:
                self.close_connection = True
                self.connection.close()
                return
            time.sleep(step.pause)
            self._event({"model": body["model"], "choices": [{"delta": {"content": piece}, "finish_reason": None}]})
        if step.done:
            self._event({"choices": [{"delta": {}, "finish_reason": step.finish}]})
            if body.get("stream_options", {}).get("include_usage") and step.usage:
                self._event({"choices": [], **self._usage(step)})
            self._chunk(b"data: [DONE]\n\n")
        self.wfile.write(b"0\r\n\r\n")

    def _usage(self, step: Says) -> dict[str, Any]:
        if step.usage is None:
            return {}
        return {"usage": {"prompt_tokens": step.usage[0], "completion_tokens": step.usage[1]}}

    def _event(self, data: dict[str, Any]) -> None:
        """One event, cut into two chunks in the middle, wherever in a letter that may be."""
        raw = b"data: " + json.dumps(data, ensure_ascii=False).encode() + b"\n\n"
        self._chunk(raw[: len(raw) // 2])
        self._chunk(raw[len(raw) // 2 :])

    def _chunk(self, data: bytes) -> None:
        self.wfile.write(f"{len(data):x}\r\n".encode() + data + b"\r\n")
        self.wfile.flush()

    def _answer(self, status: int, headers: Mapping[str, str], body: bytes, announced: int | None = None) -> None:
        self.send_response(status)
        for name, value in {**headers, "Content-Length": str(len(body) if announced is None else announced)}.items():
            self.send_header(name, value)
        self.end_headers()
        self.wfile.write(body)
        self.wfile.flush()

    def log_message(self, *args: object) -> None:
        pass
