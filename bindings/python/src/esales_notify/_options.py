"""The options of a client, for type checkers.

Generated from the Rust source by `make generate`: do not edit.
"""

from __future__ import annotations

import os
from typing import Literal, Optional, TypedDict, Union


class ClientOptions(TypedDict, total=False):
    """The options of :class:`Client`. ``None`` counts as not given."""

    cluster_id: Union[str, "os.PathLike[str]", None]
    """The cluster: the first label of its host name in ``https://{cluster_id}.api.esales.apptus.cloud``. This or ``base_url`` is required. Default: unset."""

    base_url: Union[str, "os.PathLike[str]", None]
    """URL to use instead of the cluster's, without the path ``/api/v1/...``, for example of a sandbox or a gateway. Default: unset."""

    allow_http: Optional[bool]
    """Whether ``base_url`` may be ``http://`` for a host that is not loopback. Visitor data is then sent without encryption. Default: false."""

    ca_file: Union[str, "os.PathLike[str]", None]
    """PEM file of the certificate authorities to trust instead of the system's. It is read once, when the client is made; a relative path is resolved then. A certificate in the file that cannot be used is an error. Default: unset."""

    proxy: Union[str, "os.PathLike[str]", None]
    """HTTP proxy, ``http://[user:password@]host:port``. Unset: the environment variables ``https_proxy``, ``http_proxy`` and ``all_proxy`` are used, except for loopback hosts. Empty: no proxy. Default: unset."""

    no_proxy: Union[str, "os.PathLike[str]", None]
    """Hosts that are reached without the proxy, separated by commas or white space: a name (which includes its subdomains), an IP address, a network such as ``10.0.0.0/8`` or ``fd00::/8``, ``*.domain``, or ``*`` for all. An entry with a port matches nothing. Unset: the environment variable ``no_proxy`` is used as in curl 7.88, which ignores IPv6 networks, brackets, ``*.domain`` and a ``*`` next to other entries. Default: unset."""

    keep_alive_s: Optional[int]
    """Longest life of a connection, and longest time that an idle connection is kept for the next call, in seconds. It also applies after the last client is freed. 0: each connection is used once. If the service moves to another IP address, the client follows within ``keep_alive_s`` plus ``dns_cache_s``. 0 to 3600. Default: 60."""

    dns_cache_s: Optional[int]
    """How long the result of a DNS look-up is used for new connections, in seconds. 0 to 3600. Default: 60."""

    timeout_ms: Optional[int]
    """Longest duration of one blocking call, in milliseconds. It includes DNS look-up, connection, TLS, every attempt and every pause. 1 to 300000. Default: 3000."""

    market: Union[str, "os.PathLike[str]", None]
    """Market of visitors that have no market of their own. Default: unset."""

    max_attempts: Optional[int]
    """Greatest number of attempts in one blocking call. All attempts must fit into ``timeout_ms``. 1 to 10. Default: 3."""

    backoff_ms: Optional[int]
    """Longest pause before the second attempt, in milliseconds; it doubles for each further attempt. The actual pause is random, from 0 to that length. 0 to 60000. Default: 100."""

    on_failure: Optional[Literal["error", "queue"]]
    """What a blocking call does after a failure that may succeed later. ``error``: it returns the error. ``queue``: it enqueues the notification with the same id and returns ``ESALES_QUEUED``; while deliveries are failing, it does so without an attempt. Default: error."""

    spool: Union[str, "os.PathLike[str]", None]
    """What holds the queue. An absolute path: a directory, shared by any number of processes of this machine that run as the same user. The library makes it, with mode 0700; the folder that it is in must exist. ``redis://[user@]host[:port][/db]?name=NAME``, or ``rediss://`` for TLS: a Redis (6.2 or newer) or Valkey (7.2 or newer), shared by any number of machines; ``NAME`` identifies the queue. Several hosts are separated by commas; with ``&sentinel=MASTER`` they are Sentinels. Unset: in memory, lost with the process. Default: unset."""

    spool_password: Union[str, "os.PathLike[str]", None]
    """Password for a ``redis://`` or ``rediss://`` ``spool``. It does not belong in the address, because addresses are logged. Default: unset."""

    spool_password_file: Union[str, "os.PathLike[str]", None]
    """File whose first line is the password for a ``redis://`` or ``rediss://`` ``spool``. It is read when the client is made. Default: unset."""

    spool_fallback: Union[str, "os.PathLike[str]", None]
    """Directory that stores notifications while a ``redis://`` or ``rediss://`` ``spool`` does not answer: an absolute path. When the engine answers again, a process that delivers the spool forwards them to it, with the same ids. Unset: the enqueue fails with ``ESALES_SPOOL_FAILED``. Default: unset."""

    allow_volatile: Optional[bool]
    """Whether a ``redis://`` or ``rediss://`` ``spool`` may be an engine without an append-only file. When such an engine ends, all pending notifications are lost. Default: false."""

    durability: Optional[Literal["process", "replica", "disk"]]
    """What an accepted notification in the ``spool`` survives. ``process``: the end of every process, also by kill -9. ``replica``: the loss of the primary too; only for an engine; the enqueue waits until a replica has the notification. ``disk``: a power loss too; the enqueue waits for an fsync, which simultaneous enqueues share. Default: process."""

    delivery: Optional[Literal["background", "none"]]
    """Who delivers the queue. ``background``: a thread of this process, unless another process is delivering the same spool. ``none``: another process, such as ``esales-notify drain``; requires ``spool``. Default: background."""

    enqueue_timeout_ms: Optional[int]
    """Longest time that an enqueue waits for the disk, for the engine or for other processes, in milliseconds. 1 to 60000. Default: 1000."""

    max_items: Optional[int]
    """Greatest number of pending notifications in the queue. 1 to 10000000. Default: 100000."""

    max_bytes: Optional[int]
    """Greatest total size of the pending notifications (their JSON), in bytes. 1024 to 68719476736. Default: 67108864."""

    overflow: Optional[Literal["refuse", "drop_oldest"]]
    """What happens to a new notification when ``max_items`` or ``max_bytes`` is reached. ``refuse``: the call returns ``ESALES_QUEUE_FULL``. ``drop_oldest``: the notification is accepted, and the oldest ones are dropped and counted. Default: refuse."""

    max_dead: Optional[int]
    """Greatest number of dead letters that are kept for an operator. Above it, the oldest are dropped and counted. 0 to 1000000. Default: 10000."""

    max_age_s: Optional[int]
    """How long delivery of a notification is tried, in seconds. After that it expires. 1 to 2592000. Default: 86400."""

    concurrency: Optional[int]
    """Greatest number of deliveries at the same time. 1 to 64. Default: 4."""

    gate_min_ms: Optional[int]
    """Longest pause after a failed delivery, in milliseconds; it doubles with every further failure. The actual pause is random, from 0 to that length, but never shorter than a ``Retry-After`` of the service (up to an hour). 10 to 60000. Default: 1000."""

    gate_max_ms: Optional[int]
    """Upper limit for the doubling of ``gate_min_ms``, in milliseconds. 10 to 3600000. Default: 300000."""

    payment_repeat: Optional[Literal["certain", "always"]]
    """Whether a payment is sent again after a failure, although the service counts a repeated payment twice. ``certain``: only if the service certainly did not process it; otherwise its status is ``ESALES_MAY_HAVE_ARRIVED``, and the queue keeps it as a dead letter. ``always``: also if it may have arrived. Default: certain."""

    receipt_retention_s: Optional[int]
    """How long the receipt of a notification that left the queue is kept, in seconds. A directory or memory keeps at most the last 20,000. An engine accepts no second notification with the same id during this time, and no second payment within ``max_age_s``. 0: none. 0 to 2592000. Default: 3600."""
