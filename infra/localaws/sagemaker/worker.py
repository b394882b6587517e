"""Runs inside a model's container: loads the user's script and answers requests, one at a time.

It speaks frames over the socket that is its stdin, and imports nothing of ours. A frame is two lengths (big-endian
32 bit), a JSON header and a body. What the script prints goes to the log.

Answers are those of the serving layer of the SageMaker XGBoost image, a Flask application: text alone is sent as
`text/html`, a pair says its content type, and an exception becomes Flask's page for a 500, which holds no reason.
"""

import importlib
import json
import os
import socket
import struct
import sys
import traceback
from types import ModuleType
from typing import Any

LENGTHS = struct.Struct(">II")
TEXT_TYPES = ("application/json", "text/csv")
HTML = "text/html; charset=utf-8"
ERROR_PAGE = b"""<!doctype html>
<html lang=en>
<title>500 Internal Server Error</title>
<h1>Internal Server Error</h1>
<p>The server encountered an internal error and was unable to complete your request. Either the server is overloaded or there is an error in the application.</p>
"""  # noqa: E501


def send(channel: socket.socket, header: dict[str, Any], body: bytes = b"") -> None:
    head = json.dumps(header).encode()
    channel.sendall(LENGTHS.pack(len(head), len(body)) + head + body)


def receive(stream: Any) -> tuple[dict[str, Any], bytes] | None:
    """The next frame; None when the other side is gone."""
    lengths = stream.read(LENGTHS.size)
    if len(lengths) < LENGTHS.size:
        return None
    head_length, body_length = LENGTHS.unpack(lengths)
    return json.loads(stream.read(head_length)), stream.read(body_length)


class Handler:
    """The functions of the user's script: `model_fn` with `transform_fn`, or with the three others."""

    def __init__(self, script: ModuleType, model_dir: str) -> None:
        if not hasattr(script, "model_fn"):
            raise NotImplementedError("Please provide a model_fn implementation.")
        self.transform = getattr(script, "transform_fn", None)
        functions: list[Any] = [getattr(script, name, None) for name in ("input_fn", "predict_fn", "output_fn")]
        if self.transform and any(functions):
            raise ValueError("Cannot use transform_fn implementation with input_fn, predict_fn, and/or output_fn")
        if not self.transform and not all(functions):
            raise NotImplementedError(
                "local AWS has none of the container's default functions: the script needs input_fn, predict_fn and "
                "output_fn, or transform_fn"
            )
        self.input, self.predict, self.output = functions
        self.model = script.model_fn(model_dir)

    def answer(self, header: dict[str, Any], body: bytes) -> tuple[dict[str, Any], bytes]:
        """Header (`status`, `content_type`) and body of the response."""
        content_type, accept = header["content_type"], header["accept"]
        try:
            data: Any = body.decode() if content_type in TEXT_TYPES else body
            if self.transform:
                result = self.transform(self.model, data, content_type, accept)
            else:
                result = self.output(self.predict(self.input(data, content_type), self.model), accept)
            return as_response(result)
        except Exception:
            traceback.print_exc()
            return {"status": 500, "content_type": HTML}, ERROR_PAGE


def as_response(result: Any) -> tuple[dict[str, Any], bytes]:
    """What Flask makes of a handler's result: data, or (data, content type)."""
    data, content_type = result if isinstance(result, tuple) else (result, HTML)
    if not isinstance(data, str | bytes | bytearray):
        raise TypeError(f"The handler returned {type(data).__name__}, not text or bytes")
    if content_type.startswith("text/") and "charset" not in content_type:
        content_type += "; charset=utf-8"
    return {"status": 200, "content_type": content_type}, data.encode() if isinstance(data, str) else bytes(data)


def load(model_dir: str, code_dir: str) -> Handler:
    program = os.environ.get("SAGEMAKER_PROGRAM", "")
    if not program:
        raise ValueError("SAGEMAKER_PROGRAM is not set: local AWS serves models by their own script")
    sys.path.insert(0, code_dir)
    return Handler(importlib.import_module(program.removesuffix(".py").replace("/", ".")), model_dir)


def main() -> None:
    """`worker.py MODEL_DIR CODE_DIR`: say ready or why not, then answer until the socket closes."""
    channel = socket.socket(fileno=os.dup(0))
    os.dup2(os.open(os.devnull, os.O_RDONLY), 0)
    try:
        handler = load(sys.argv[1], sys.argv[2])
    except BaseException as error:
        traceback.print_exc()
        send(channel, {"ready": False, "error": f"{type(error).__name__}: {error}"})
        raise SystemExit(1) from None
    send(channel, {"ready": True})
    stream = channel.makefile("rb")
    while (frame := receive(stream)) is not None:
        header, body = handler.answer(*frame)
        send(channel, header, body)


if __name__ == "__main__":
    main()
