"""Finds libesales_notify and declares its functions, once per library.

Nothing here takes a lock: a fork could leave it held, and loading the library twice at the same time is harmless.
"""

from __future__ import annotations

import ctypes
import os
from ctypes import c_char_p
from typing import TYPE_CHECKING, Any, Dict, List, Optional, Union

from ._errors import LibraryNotFoundError
from ._native import Functions, ReceiptStruct
from ._outcomes import error_class
from ._records import Receipt, receipt_of
from ._text import refusal
from ._version import __version__

if TYPE_CHECKING:
    PathLike = os.PathLike[str]
else:
    # On Python 3.8 os.PathLike cannot be subscripted at run time.
    PathLike = os.PathLike

VARIABLE = "ESALES_NOTIFY_LIBRARY"
NEXT_TO_PACKAGE = os.path.join(os.path.dirname(os.path.abspath(__file__)), "libesales_notify.so")
SYSTEM_NAME = "libesales_notify.so.0"

LibraryPath = Union[str, PathLike]


class Library(Functions):
    """The C functions. Each is looked up once, and its types are declared.

    CDLL releases the GIL while a function runs, so other threads run during a call.
    """

    def __init__(self, path: str) -> None:
        dll = ctypes.CDLL(path)

        def function(name: str, result: Any, *arguments: Any) -> Any:
            try:
                found = getattr(dll, name)
            except AttributeError:
                raise LibraryNotFoundError(
                    f"{path} is not libesales_notify: it has no function {name}", path=path
                ) from None
            found.restype, found.argtypes = result, arguments
            return found

        self.path = path
        self._names: Dict[int, str] = {}
        # Before the other functions, because "another version" is a clearer message than "has no function".
        self.esales_version = function("esales_version", c_char_p)
        self._check_version()
        super().__init__(function)

    def version(self) -> str:
        return _decode(self.esales_version())

    def status_name(self, status: int) -> str:
        name = self._names.get(status)
        if name is None:
            # The codes are frozen and few, so the names can be cached.
            name = self._names[status] = _decode(self.esales_status_name(status))
        return name

    def last_error(self) -> str:
        return _decode(self.esales_last_error())

    def receipt(self, status: int, out: ReceiptStruct) -> Receipt:
        """The receipt that C wrote, with this status."""
        return receipt_of(out, status, self.status_name(status))

    def check(self, status: int) -> None:
        """Raises the error of this thread's last call, if its status is a failure."""
        if status < 0:
            raise error_class(status)(self.last_error(), status, self.status_name(status))

    def _check_version(self) -> None:
        theirs, ours = self.version(), __version__
        if theirs.split(".")[:2] != ours.split(".")[:2]:
            raise LibraryNotFoundError(
                f"{self.path} is libesales_notify {theirs}, but this package is esales-notify {ours}: "
                "the first two numbers must be equal; install the package or the library of the other's version",
                path=self.path,
            )


def _decode(text: bytes) -> str:
    return text.decode("utf-8", "replace")


def loaded() -> List[Library]:
    """The libraries that this process has loaded."""
    return list(_loaded.values())


# The loaded libraries, by the path that was given; None: no path was given.
_loaded: Dict[Optional[str], Library] = {}


def load(path: Optional[LibraryPath] = None) -> Library:
    """The library at ``path``. Without a path: from the environment variable, the package, or the system."""
    if path is not None:
        given = os.fspath(path) if isinstance(path, (str, os.PathLike)) else path
        if not isinstance(given, str):
            raise TypeError(f"library must be a str or an os.PathLike of str, not {type(path).__name__}")
        if not given:
            raise refusal("library is empty")
        return _load_given(given, "the argument library")
    # An empty variable counts as not set, as for the options.
    given = os.environ.get(VARIABLE, "")
    if given:
        return _load_given(given, VARIABLE)
    library = _loaded.get(None)
    if library is None:
        library = _loaded[None] = _find()
    return library


def _load_given(path: str, source: str) -> Library:
    """Loads the library from a given path, and from nowhere else."""
    library = _loaded.get(path)
    if library is None:
        if "\0" in path:
            raise refusal("library contains a NUL character")
        # Absolute, because dlopen searches the system's directories for a bare name.
        absolute = os.path.abspath(path)
        try:
            library = _loaded[path] = Library(absolute)
        except OSError as error:
            raise LibraryNotFoundError(
                f"the library {path} (from {source}) cannot be loaded: {error}", path=path
            ) from error
    return library


def _find() -> Library:
    tried: List[str] = ["the argument library: not given", f"the variable {VARIABLE}: not set"]
    # A file in the package is meant to be used: if it is broken, that is an error, and no other library is tried.
    if os.path.lexists(NEXT_TO_PACKAGE):
        return _load_given(NEXT_TO_PACKAGE, "next to the package")
    tried.append(f"{NEXT_TO_PACKAGE}: no such file")
    try:
        return Library(SYSTEM_NAME)
    except OSError as error:
        tried.append(f"the system's loader: {error}")
    raise LibraryNotFoundError(
        "libesales_notify was not found. Tried:\n"
        + "".join(f"  - {line}\n" for line in tried)
        + f"Install libesales_notify, or set {VARIABLE} to the path of libesales_notify.so."
    )
