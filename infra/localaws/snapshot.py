"""All of moto's state but S3's, as one pickled graph: written aside and renamed, so the file is always whole.

Services refer to each other's objects (a stack to its roles, a rule to its target), hence one graph. What cannot be
pickled (locks, threads, open files, lambdas) has a reducer here; a service that still fails is left out, said once.
"""

import hashlib
import io
import json
import logging
import marshal
import os
import pickle
import platform
import sys
import threading
import time
import types
import weakref
from collections import OrderedDict, defaultdict
from collections.abc import Callable
from importlib import import_module
from importlib.metadata import version
from typing import Any

from infra.localaws.world import StateError, World

log = logging.getLogger("localaws")

FORMAT = 1
SETTLE_S = 0.2
"""A change waits this long for its neighbours."""
LATER_S = 10.0
"""Changes that are not urgent (log lines) wait this long."""
ATTEMPTS = 8
"""Another thread may change a dictionary while it is pickled; then it is tried again."""

VERIFIED_MAX_BYTES = 4_000_000
"""Snapshots up to this size are read back before they replace the last one."""


def stamp() -> dict[str, Any]:
    """What must be equal for a snapshot to be read."""
    return {"format": FORMAT, "moto": version("moto"), "python": ".".join(platform.python_version_tuple()[:2])}


class _Pickler(pickle.Pickler):
    def reducer_override(self, obj: Any) -> Any:  # noqa: PLR0911 - a table by kind
        kind = type(obj)
        reduce = _REDUCERS.get(kind)
        if reduce is not None:
            return reduce(obj)
        if isinstance(obj, _backend_dict_type()):
            return _reduce_backend_dict(obj)
        if isinstance(obj, (defaultdict, OrderedDict)) and kind not in (defaultdict, OrderedDict):
            factory = getattr(obj, "default_factory", None)
            return _make_dict, (kind, factory), obj.__dict__ or None, None, iter(list(dict.items(obj)))
        if isinstance(obj, threading.Thread):
            return threading.Thread, ()
        if isinstance(obj, io.IOBase) and not isinstance(obj, (io.BytesIO, io.StringIO)):
            return io.BytesIO, ()
        if kind.__module__.startswith("cryptography.hazmat") and hasattr(obj, "private_bytes"):
            return _private_key, (_private_pem(obj),)
        if kind.__module__.startswith("cryptography.hazmat") and kind.__name__ == "Certificate":
            return _certificate, (_certificate_pem(obj),)
        return NotImplemented


def _reduce_function(function: types.FunctionType) -> Any:
    """A lambda or inner function by its code: moto uses them as default factories."""
    module = sys.modules.get(function.__module__)
    found: Any = module
    for name in function.__qualname__.split("."):
        found = getattr(found, name, None)
    if found is function:
        return NotImplemented  # by reference
    cells = tuple(cell.cell_contents for cell in function.__closure__ or ())
    arguments = (marshal.dumps(function.__code__), function.__module__, function.__defaults__, cells)
    return _make_function, arguments


def _make_function(code: bytes, module: str, defaults: Any, cells: tuple[Any, ...]) -> types.FunctionType:
    body: types.CodeType = marshal.loads(code)  # noqa: S302 - our own file, mode 0600
    closure = tuple(types.CellType(cell) for cell in cells)
    return types.FunctionType(body, import_module(module).__dict__, None, defaults, closure or None)


def _make_dict(kind: Any, factory: Any) -> Any:
    """A dictionary of moto's own kind, whose `__init__` may want arguments that nobody kept."""
    made = kind.__new__(kind)
    if issubclass(kind, defaultdict):
        defaultdict.__init__(made, factory)
    return made


def _reduce_backend_dict(backends: Any) -> Any:
    return _find_backend_dict, (backends.backend.__module__, backends.backend.__qualname__)


def _find_backend_dict(module: str, name: str) -> Any:
    home = import_module(module)
    for value in vars(home).values():
        if isinstance(value, _backend_dict_type()) and value.backend.__qualname__ == name:
            return value
    raise StateError(f"moto has no backends of {module}.{name}")


def _backend_dict_type() -> Any:
    return sys.modules["moto.core.base_backend"].BackendDict


def _private_pem(key: Any) -> bytes:
    from cryptography.hazmat.primitives import serialization as s

    pem: bytes = key.private_bytes(s.Encoding.PEM, s.PrivateFormat.PKCS8, s.NoEncryption())
    return pem


def _private_key(pem: bytes) -> Any:
    from cryptography.hazmat.primitives.serialization import load_pem_private_key

    return load_pem_private_key(pem, None)


def _certificate_pem(certificate: Any) -> bytes:
    from cryptography.hazmat.primitives.serialization import Encoding

    pem: bytes = certificate.public_bytes(Encoding.PEM)
    return pem


def _certificate(pem: bytes) -> Any:
    from cryptography.x509 import load_pem_x509_certificate

    return load_pem_x509_certificate(pem)


def _fresh(make: Callable[[], Any]) -> Callable[[Any], Any]:
    return lambda _obj: (make, ())


_REDUCERS: dict[type, Callable[[Any], Any]] = {
    type(threading.Lock()): _fresh(threading.Lock),
    type(threading.RLock()): _fresh(threading.RLock),
    threading.Event: _fresh(threading.Event),
    threading.Condition: _fresh(threading.Condition),
    types.FunctionType: _reduce_function,
    types.ModuleType: lambda module: (import_module, (module.__name__,)),
    types.GeneratorType: lambda _generator: (iter, ((),)),
    weakref.ref: lambda ref: (_weak, (ref(),)),
    type({}.keys()): lambda view: (list, (list(view),)),
    type({}.values()): lambda view: (list, (list(view),)),
    memoryview: lambda view: (bytes, (bytes(view),)),
}


def _weak(obj: Any) -> Any:
    return (lambda: None) if obj is None else weakref.ref(obj)


Graph = dict[tuple[str, str], dict[str, dict[str, Any]]]
"""(module, class) of a backend -> account -> region -> backend."""


def _live_graph(left_out: set[tuple[str, str]]) -> Graph:
    graph: Graph = {}
    for backends in list(_backend_dict_type()._instances):
        name = (backends.backend.__module__, backends.backend.__qualname__)
        if name not in left_out:
            graph[name] = {account: dict(regions) for account, regions in list(backends.items())}
    return graph


class Snapshots:
    """Keeps one file up to date with what moto holds."""

    def __init__(self, world: World) -> None:
        self.world = world
        self.path = world.config.state_dir / "aws.snapshot"
        self._left_out = {("moto.s3.models", "S3Backend")}
        self._saving = threading.Lock()
        self._stopped = threading.Event()
        self._thread: threading.Thread | None = None

    def restore(self) -> bool:
        """Put the kept state in place; False where there is none.

        Raises:
            StateError: the file is damaged, or of another moto, Python or format.
        """
        try:
            data = self.path.read_bytes()
        except FileNotFoundError:
            return False
        remedy = f"delete {self.path} (S3 objects are kept apart and stay) or start with another --state"
        head, _, body = data.partition(b"\n")
        try:
            header = json.loads(head)
            digest = header.pop("sha256")
        except (ValueError, KeyError, AttributeError):
            raise StateError(f"the kept state is damaged: {remedy}") from None
        if header != stamp():
            was = ", ".join(f"{name} {value}" for name, value in header.items())
            now = ", ".join(f"{name} {value}" for name, value in stamp().items())
            raise StateError(f"the kept state is of {was}, this is {now}: {remedy}")
        if hashlib.sha256(body).hexdigest() != digest:
            raise StateError(f"the kept state is damaged: {remedy}")
        try:
            graph: Graph = pickle.loads(body)  # noqa: S301 - our own file, mode 0600
            _put_in_place(graph)
        except Exception as error:
            log.debug("restore failed", exc_info=True)
            raise StateError(f"the kept state cannot be read ({type(error).__name__}: {error}): {remedy}") from None
        return True

    def start(self) -> None:
        """Save after changes, in a thread, until `stop`."""
        self._thread = threading.Thread(target=self._run, daemon=True, name="snapshots")
        self._thread.start()

    def stop(self) -> None:
        """End the thread and save one last time."""
        self._stopped.set()
        self.world.changed.set()
        if self._thread is not None:
            self._thread.join(10)
        self.save()

    def _run(self) -> None:
        later_since: float | None = None
        while not self._stopped.is_set():
            soon = self.world.changed.wait(1.0)
            if self._stopped.is_set():
                return
            if self.world.changed_later.is_set() and later_since is None:
                later_since = time.monotonic()
            due = later_since is not None and time.monotonic() - later_since > LATER_S
            if not soon and not due:
                continue
            time.sleep(SETTLE_S)
            self.world.changed.clear()
            self.world.changed_later.clear()
            later_since = None
            began = time.monotonic()
            try:
                self.save()
            except Exception:
                log.exception("state could not be saved")
            self._stopped.wait(2 * (time.monotonic() - began))  # at most a third of the time goes into saving

    def save(self) -> None:
        """Write the state now.

        Raises:
            OSError: the disk is full or not writable.
        """
        with self._saving:
            for hook in self.world.commit_hooks:
                hook({})  # what changed outside of a request
            body = self._pickled()
            header = {**stamp(), "sha256": hashlib.sha256(body).hexdigest()}
            part = self.path.with_suffix(".part")
            with os.fdopen(os.open(part, os.O_WRONLY | os.O_CREAT | os.O_TRUNC, 0o600), "wb") as file:
                file.write(json.dumps(header).encode() + b"\n")
                file.write(body)
                file.flush()
                os.fsync(file.fileno())
            part.replace(self.path)

    def _pickled(self) -> bytes:
        error: Exception | None = None
        for attempt in range(ATTEMPTS):
            try:
                return _readable(_live_graph(self._left_out))
            except RuntimeError as changed:  # "dictionary changed size during iteration"
                error = changed
                time.sleep(0.01 * (attempt + 1))
            except Exception as unpicklable:
                error = unpicklable
                self._leave_out_what_fails(unpicklable)
        raise RuntimeError(f"state changes faster than it can be saved: {error}")

    def _leave_out_what_fails(self, error: Exception) -> None:
        found = False
        for name, accounts in _live_graph(self._left_out).items():
            try:
                _readable({name: accounts})
            except RuntimeError:
                continue
            except Exception as own_error:
                found = True
                self._left_out.add(name)
                log.warning("the state of %s is not kept: %s", name[0], own_error)
        if not found:
            raise error


def _dumps(graph: Graph) -> bytes:
    buffer = io.BytesIO()
    _Pickler(buffer, protocol=pickle.HIGHEST_PROTOCOL).dump(graph)
    return buffer.getvalue()


def _readable(graph: Graph) -> bytes:
    """The graph pickled, and read again where that is quick: what cannot be restored must show now."""
    body = _dumps(graph)
    if len(body) < VERIFIED_MAX_BYTES:
        pickle.loads(body)  # noqa: S301 - just written
    return body


def _put_in_place(graph: Graph) -> None:
    for (module, name), accounts in graph.items():
        backends = _find_backend_dict(module, name)
        for account, regions in accounts.items():
            for region, backend in regions.items():
                backends[account][region] = backend


def forget_instances() -> None:
    """moto notes every object it ever made, for a dashboard and `reset`: memory that would only grow."""
    from moto.core.common_models import BaseModel

    def new(cls: type, *_args: Any, **_kwargs: Any) -> Any:
        return object.__new__(cls)

    BaseModel.__new__ = new  # type: ignore[method-assign]


def by_reference(kind: type, find: Callable[..., Any], name_of: Callable[[Any], tuple[Any, ...]]) -> None:
    """Pickle objects of `kind` as a look-up: they are kept elsewhere."""

    def reduce_ex(self: Any, _protocol: Any) -> Any:
        return find, name_of(self)

    kind.__reduce_ex__ = reduce_ex  # type: ignore[method-assign, assignment]
