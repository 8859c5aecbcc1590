"""Sends notifications about the visitors of a shop to the Elevate 3 commerce search service.

A thin layer over the shared library libesales_notify. Importing this package does not load the library; it is loaded on
first use. See :class:`Client`.
"""

from . import _outcomes, _status
from ._client import Client
from ._errors import LibraryNotFoundError, NotifyError
from ._identity import customer_key, customer_token, new_key, version
from ._log import log_to
from ._notification import Line, Notification, Visitor
from ._options import ClientOptions
from ._outcomes import *  # noqa: F403
from ._records import Counts, Percentiles, Receipt, Stats
from ._status import *  # noqa: F403
from ._version import __version__

__all__ = [
    "Client",
    "ClientOptions",
    "Counts",
    "LibraryNotFoundError",
    "Line",
    "Notification",
    "NotifyError",
    "Percentiles",
    "Receipt",
    "Stats",
    "Visitor",
    "__version__",
    "customer_key",
    "customer_token",
    "log_to",
    "new_key",
    "version",
]
# The names of the codes, kinds and exceptions are generated.
__all__ += _outcomes.__all__
__all__ += _status.__all__
