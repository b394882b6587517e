"""Runs inside a model's container: loads the user's script and answers requests, one at a time.

It speaks frames over the socket that is its stdin, and imports nothing of ours. A frame is two lengths (big-endian
32 bit), a JSON header and a body. What the script prints goes to the log.
"""

import importlib
import io
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


class NotSupported(Exception):
    """A content type that the container's own encoders do not know."""

    def __init__(self, status: int, content_type: str) -> None:
        super().__init__(f"{content_type} is not supported by the default handlers; give your own in the script")
        self.code = status


def default_input(data: Any, content_type: str) -> Any:
    """CSV to a DMatrix, as the XGBoost container does."""
    import numpy
    import xgboost

    if content_type.split(";", maxsplit=1)[0].strip() != "text/csv":
        raise NotSupported(415, content_type)
    return xgboost.DMatrix(numpy.loadtxt(io.StringIO(data), delimiter=",", ndmin=2))


def default_predict(data: Any, model: Any) -> Any:
    return model.predict(data, validate_features=False)


def default_output(prediction: Any, accept: str) -> Any:
    """JSON or CSV of an array."""
    values = prediction.tolist() if hasattr(prediction, "tolist") else prediction
    if accept == "text/csv":
        return "\n".join(str(value) for value in values), accept
    if accept not in ("application/json", "*/*"):
        raise NotSupported(406, accept)
    return json.dumps(values), "application/json"


class Handler:
    """The functions of the user's script, or the container's defaults."""

    def __init__(self, script: ModuleType, model_dir: str) -> None:
        if not hasattr(script, "model_fn"):
            raise NotImplementedError("Please provide a model_fn implementation.")
        self.transform = getattr(script, "transform_fn", None)
        own = [getattr(script, name, None) for name in ("input_fn", "predict_fn", "output_fn")]
        if self.transform and any(own):
            raise ValueError("Cannot use transform_fn implementation with input_fn, predict_fn, and/or output_fn")
        self.input = own[0] or default_input
        self.predict = own[1] or default_predict
        self.output = own[2] or default_output
        self.model = script.model_fn(model_dir)

    def answer(self, header: dict[str, Any], body: bytes) -> tuple[dict[str, Any], bytes]:
        """Header (`status`, `content_type`) and body of the response; exceptions become a status as Flask does."""
        content_type, accept = header["content_type"], header["accept"]
        is_text = content_type.split(";")[0].strip() in TEXT_TYPES
        try:
            data: Any = body.decode() if is_text else body
            if self.transform:
                result = self.transform(self.model, data, content_type, accept)
            else:
                result = self.output(self.predict(self.input(data, content_type), self.model), accept)
            return as_response(result, accept)
        except Exception as error:
            traceback.print_exc()
            code = getattr(error, "code", None)
            status = code if isinstance(code, int) and 400 <= code < 600 else 500
            text = f"{type(error).__name__}: {error}"
            return {"status": status, "content_type": "text/plain"}, text.encode()


def as_response(result: Any, accept: str) -> tuple[dict[str, Any], bytes]:
    """A handler's result: data, (data, content type), or a response object with `status_code` and `get_data`."""
    if hasattr(result, "status_code") and hasattr(result, "get_data"):
        header = {"status": result.status_code, "content_type": getattr(result, "mimetype", accept)}
        attributes = result.headers.get("X-Amzn-SageMaker-Custom-Attributes")
        return {**header, "custom_attributes": attributes}, result.get_data()
    data, content_type = result if isinstance(result, tuple) else (result, accept)
    if not isinstance(data, str | bytes | bytearray):
        raise TypeError(f"output_fn returned {type(data).__name__}, not text or bytes")
    content_type = "application/json" if content_type == "*/*" else content_type
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
