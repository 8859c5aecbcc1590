"""The options of a client, for type checkers.

Generated from the Rust source by `make generate`: do not edit.
"""

from __future__ import annotations

import os
from typing import Literal, Optional, TypedDict, Union


class ClientOptions(TypedDict, total=False):
    """What :class:`Client` takes. ``None`` counts as not given."""

    cluster_id: Union[str, "os.PathLike[str]", None]
    """The cluster: the first label of its host name in ``https://{cluster_id}.api.esales.apptus.cloud``. This or ``base_url`` is required. Default: unset."""

    base_url: Union[str, "os.PathLike[str]", None]
    """Address to use instead of the cluster's, without the ``/api/v1/...`` path: a sandbox, a gateway. Default: unset."""

    allow_http: Optional[bool]
    """Whether ``base_url`` may be ``http://`` for an address that is not loopback. Visitor data then crosses the network in clear. Default: false."""

    ca_file: Union[str, "os.PathLike[str]", None]
    """PEM file of the certificate authorities to trust, instead of the system's. It is read once, when the client is made; a relative path counts from the folder of that moment. A certificate in it that cannot be used is an error. Default: unset."""

    proxy: Union[str, "os.PathLike[str]", None]
    """HTTP proxy, ``http://[user:password@]host:port``. Unset: ``https_proxy``, ``http_proxy``, ``all_proxy`` of the environment, not for loopback addresses. Empty: none. Default: unset."""

    no_proxy: Union[str, "os.PathLike[str]", None]
    """Hosts that are reached without the proxy, separated by commas or white space: a name (with all names below it), an IP address, a network such as ``10.0.0.0/8`` or ``fd00::/8``, ``*.domain``, or ``*`` for all. A port in it matches nothing. Unset: ``no_proxy`` of the environment, read as curl 7.88 reads it, to which IPv6 networks, brackets, ``*.domain`` and a ``*`` among others mean nothing. Default: unset."""

    keep_alive_s: Optional[int]
    """How long a connection is used at most, and how long an idle one is kept for the next call, in seconds, also after the last client is freed. 0: each is used once. A service that moves to another address is followed within this and ``dns_cache_s``. 0 to 3600. Default: 60."""

    dns_cache_s: Optional[int]
    """How long a looked-up address is used for new connections before it is looked up again, in seconds. 0 to 3600. Default: 60."""

    timeout_ms: Optional[int]
    """Budget of one blocking call, in milliseconds: name look-up, connection, TLS, every attempt and every pause. 1 to 300000. Default: 3000."""

    market: Union[str, "os.PathLike[str]", None]
    """Market of visitors who name none. Default: unset."""

    max_attempts: Optional[int]
    """How often one blocking call tries at most, within its budget. 1 to 10. Default: 3."""

    backoff_ms: Optional[int]
    """Longest pause before the second attempt, in milliseconds; it doubles for each further one. The pause is drawn at random from 0 to that. 0 to 60000. Default: 100."""

    on_failure: Optional[Literal["error", "queue"]]
    """What a blocking call does when it ends on an outcome that may succeed later. ``error``: it says so. ``queue``: the notification goes into the queue under the same id, at once while deliveries are failing, and the call returns ``ESALES_QUEUED``. Default: error."""

    spool: Union[str, "os.PathLike[str]", None]
    """Directory that holds the queue, shared by any number of processes of this machine that run as the same user: an absolute path. The library makes it, with mode 0700; the folder that it is in must exist. Unset: in memory, lost with the process. Default: unset."""

    durability: Optional[Literal["process", "disk"]]
    """What an accepted notification in the ``spool`` survives. ``process``: the end of every process, kill -9 included. ``disk``: a power loss too; the enqueues that run at the same time share an fsync and wait for it. Default: process."""

    delivery: Optional[Literal["background", "none"]]
    """Who delivers the queue. ``background``: a thread of this process, unless another process is delivering the same spool. ``none``: some other process, such as ``esales-notify drain``; needs ``spool``. Default: background."""

    enqueue_timeout_ms: Optional[int]
    """Longest time an enqueue waits for the disk or for other processes, in milliseconds. 1 to 60000. Default: 1000."""

    max_items: Optional[int]
    """Most notifications that wait in the queue. 1 to 10000000. Default: 100000."""

    max_bytes: Optional[int]
    """Most bytes of notifications (their JSON) that wait in the queue. 1024 to 68719476736. Default: 67108864."""

    overflow: Optional[Literal["refuse", "drop_oldest"]]
    """What happens to a notification over ``max_items`` or ``max_bytes``. ``refuse``: it gets ``ESALES_QUEUE_FULL``. ``drop_oldest``: it is accepted, and the oldest are dropped and counted. Default: refuse."""

    max_dead: Optional[int]
    """Most dead letters that are kept for an operator; over that, the oldest are dropped and counted. 0 to 1000000. Default: 10000."""

    max_age_s: Optional[int]
    """How long a notification is tried, in seconds; then it expires. 1 to 2592000. Default: 86400."""

    concurrency: Optional[int]
    """Most deliveries at the same time. 1 to 64. Default: 4."""

    gate_min_ms: Optional[int]
    """After a failed delivery, the longest pause before the next one is tried, in milliseconds; it doubles with every further failure. The pause is drawn at random from 0 to that, and is never shorter than a ``Retry-After`` (up to an hour). 10 to 60000. Default: 1000."""

    gate_max_ms: Optional[int]
    """Where the doubling of ``gate_min_ms`` ends, in milliseconds. 10 to 3600000. Default: 300000."""

    payment_repeat: Optional[Literal["certain", "always"]]
    """When a payment is sent again: the service would count it twice. ``certain``: only if it is certain that it was not processed; otherwise its status is ``ESALES_MAY_HAVE_ARRIVED``, and the queue keeps it as a dead letter. ``always``: also if it may have arrived. Default: certain."""

    receipt_retention_s: Optional[int]
    """How long the receipt of a notification that left the queue is kept, in seconds; at most the last 20,000. 0: none. 0 to 2592000. Default: 3600."""
