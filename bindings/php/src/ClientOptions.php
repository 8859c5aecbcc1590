<?php

// Generated from the Rust source by `make generate`: do not edit.

declare(strict_types=1);

namespace Esales\Notify;

/**
 * Typed options of a client: new Client(new ClientOptions(timeoutMs: 500)). Null: not set. Immutable.
 */
final class ClientOptions
{
    /** @var array<string, string|int|bool|null> */
    private array $values;

    /**
     * @param string|null $clusterId The cluster: the first label of its host name in
     *     https://{cluster_id}.api.esales.apptus.cloud. This or base_url is required. Default: unset.
     * @param string|null $baseUrl URL to use instead of the cluster's, without the path /api/v1/..., for example of a
     *     sandbox or a gateway. Default: unset.
     * @param bool|null $allowHttp Whether base_url may be http:// for a host that is not loopback. Visitor data is then
     *     sent without encryption. Default: false.
     * @param string|null $caFile PEM file of the certificate authorities to trust instead of the system's. It is read
     *     once, when the client is made; a relative path is resolved then. A certificate in the file that cannot be
     *     used is an error. Default: unset.
     * @param string|null $proxy HTTP proxy, http://[user:password@]host:port. Unset: the environment variables
     *     https_proxy, http_proxy and all_proxy are used, except for loopback hosts. Empty: no proxy. Default: unset.
     * @param string|null $noProxy Hosts that are reached without the proxy, separated by commas or white space: a name
     *     (which includes its subdomains), an IP address, a network such as 10.0.0.0/8 or fd00::/8, *.domain, or * for
     *     all. An entry with a port matches nothing. Unset: the environment variable no_proxy is used as in curl 7.88,
     *     which ignores IPv6 networks, brackets, *.domain and a * next to other entries. Default: unset.
     * @param int|null $keepAliveS Longest life of a connection, and longest time that an idle connection is kept for
     *     the next call, in seconds. It also applies after the last client is freed. 0: each connection is used once.
     *     If the service moves to another IP address, the client follows within keep_alive_s plus dns_cache_s. 0 to
     *     3600. Default: 60.
     * @param int|null $dnsCacheS How long the result of a DNS look-up is used for new connections, in seconds. 0 to
     *     3600. Default: 60.
     * @param int|null $timeoutMs Longest duration of one blocking call, in milliseconds. It includes DNS look-up,
     *     connection, TLS, every attempt and every pause. 1 to 300000. Default: 3000.
     * @param string|null $market Market of visitors that have no market of their own. Default: unset.
     * @param int|null $maxAttempts Greatest number of attempts in one blocking call. All attempts must fit into
     *     timeout_ms. 1 to 10. Default: 3.
     * @param int|null $backoffMs Longest pause before the second attempt, in milliseconds; it doubles for each further
     *     attempt. The actual pause is random, from 0 to that length. 0 to 60000. Default: 100.
     * @param string|null $onFailure What a blocking call does after a failure that may succeed later. error: it returns
     *     the error. queue: it enqueues the notification with the same id and returns ESALES_QUEUED; while deliveries
     *     are failing, it does so without an attempt. Default: error.
     * @param string|null $spool What holds the queue. An absolute path: a directory, shared by any number of processes
     *     of this machine that run as the same user. The library makes it, with mode 0700; the folder that it is in
     *     must exist. redis://[user@]host[:port][/db]?name=NAME, or rediss:// for TLS: a Redis (6.2 or newer) or Valkey
     *     (7.2 or newer), shared by any number of machines; NAME identifies the queue. Several hosts are separated by
     *     commas; with &sentinel=MASTER they are Sentinels. Unset: in memory, lost with the process. Default: unset.
     * @param string|null $spoolPassword Password for a redis:// or rediss:// spool. It does not belong in the address,
     *     because addresses are logged. Default: unset.
     * @param string|null $spoolPasswordFile File whose first line is the password for a redis:// or rediss:// spool. It
     *     is read when the client is made. Default: unset.
     * @param string|null $spoolFallback Directory that stores notifications while a redis:// or rediss:// spool does
     *     not answer: an absolute path. When the engine answers again, a process that delivers the spool forwards them
     *     to it, with the same ids. Unset: the enqueue fails with ESALES_SPOOL_FAILED. Default: unset.
     * @param bool|null $allowVolatile Whether a redis:// or rediss:// spool may be an engine without an append-only
     *     file. When such an engine ends, all pending notifications are lost. Default: false.
     * @param string|null $durability What an accepted notification in the spool survives. process: the end of every
     *     process, also by kill -9. replica: the loss of the primary too; only for an engine; the enqueue waits until a
     *     replica has the notification. disk: a power loss too; the enqueue waits for an fsync, which simultaneous
     *     enqueues share. Default: process.
     * @param string|null $delivery Who delivers the queue. background: a thread of this process, unless another process
     *     is delivering the same spool. none: another process, such as esales-notify drain; requires spool. Default:
     *     background.
     * @param int|null $enqueueTimeoutMs Longest time that an enqueue waits for the disk, for the engine or for other
     *     processes, in milliseconds. 1 to 60000. Default: 1000.
     * @param int|null $maxItems Greatest number of pending notifications in the queue. 1 to 10000000. Default: 100000.
     * @param int|null $maxBytes Greatest total size of the pending notifications (their JSON), in bytes. 1024 to
     *     68719476736. Default: 67108864.
     * @param string|null $overflow What happens to a new notification when max_items or max_bytes is reached. refuse:
     *     the call returns ESALES_QUEUE_FULL. drop_oldest: the notification is accepted, and the oldest ones are
     *     dropped and counted. Default: refuse.
     * @param int|null $maxDead Greatest number of dead letters that are kept for an operator. Above it, the oldest are
     *     dropped and counted. 0 to 1000000. Default: 10000.
     * @param int|null $maxAgeS How long delivery of a notification is tried, in seconds. After that it expires. 1 to
     *     2592000. Default: 86400.
     * @param int|null $concurrency Greatest number of deliveries at the same time. 1 to 64. Default: 4.
     * @param int|null $gateMinMs Longest pause after a failed delivery, in milliseconds; it doubles with every further
     *     failure. The actual pause is random, from 0 to that length, but never shorter than a Retry-After of the
     *     service (up to an hour). 10 to 60000. Default: 1000.
     * @param int|null $gateMaxMs Upper limit for the doubling of gate_min_ms, in milliseconds. 10 to 3600000. Default:
     *     300000.
     * @param string|null $paymentRepeat Whether a payment is sent again after a failure, although the service counts a
     *     repeated payment twice. certain: only if the service certainly did not process it; otherwise its status is
     *     ESALES_MAY_HAVE_ARRIVED, and the queue keeps it as a dead letter. always: also if it may have arrived.
     *     Default: certain.
     * @param int|null $receiptRetentionS How long the receipt of a notification that left the queue is kept, in
     *     seconds. A directory or memory keeps at most the last 20,000. An engine accepts no second notification with
     *     the same id during this time, and no second payment within max_age_s. 0: none. 0 to 2592000. Default: 3600.
     * @param string|null $agent Address of an agent (esales-notify drain --listen) to use instead of the shared
     *     library, such as unix:/run/esales-notify/agent.socket or 127.0.0.1:8181. Beside it, only market and
     *     enqueue_timeout_ms may be set. Default: unset.
     */
    public function __construct(
        ?string $clusterId = null,
        ?string $baseUrl = null,
        ?bool $allowHttp = null,
        ?string $caFile = null,
        #[\SensitiveParameter]
        ?string $proxy = null,
        ?string $noProxy = null,
        ?int $keepAliveS = null,
        ?int $dnsCacheS = null,
        ?int $timeoutMs = null,
        ?string $market = null,
        ?int $maxAttempts = null,
        ?int $backoffMs = null,
        ?string $onFailure = null,
        ?string $spool = null,
        ?string $spoolPassword = null,
        ?string $spoolPasswordFile = null,
        ?string $spoolFallback = null,
        ?bool $allowVolatile = null,
        ?string $durability = null,
        ?string $delivery = null,
        ?int $enqueueTimeoutMs = null,
        ?int $maxItems = null,
        ?int $maxBytes = null,
        ?string $overflow = null,
        ?int $maxDead = null,
        ?int $maxAgeS = null,
        ?int $concurrency = null,
        ?int $gateMinMs = null,
        ?int $gateMaxMs = null,
        ?string $paymentRepeat = null,
        ?int $receiptRetentionS = null,
        ?string $agent = null
    ) {
        $this->values = [
            'cluster_id' => $clusterId,
            'base_url' => $baseUrl,
            'allow_http' => $allowHttp,
            'ca_file' => $caFile,
            'proxy' => $proxy,
            'no_proxy' => $noProxy,
            'keep_alive_s' => $keepAliveS,
            'dns_cache_s' => $dnsCacheS,
            'timeout_ms' => $timeoutMs,
            'market' => $market,
            'max_attempts' => $maxAttempts,
            'backoff_ms' => $backoffMs,
            'on_failure' => $onFailure,
            'spool' => $spool,
            'spool_password' => $spoolPassword,
            'spool_password_file' => $spoolPasswordFile,
            'spool_fallback' => $spoolFallback,
            'allow_volatile' => $allowVolatile,
            'durability' => $durability,
            'delivery' => $delivery,
            'enqueue_timeout_ms' => $enqueueTimeoutMs,
            'max_items' => $maxItems,
            'max_bytes' => $maxBytes,
            'overflow' => $overflow,
            'max_dead' => $maxDead,
            'max_age_s' => $maxAgeS,
            'concurrency' => $concurrency,
            'gate_min_ms' => $gateMinMs,
            'gate_max_ms' => $gateMaxMs,
            'payment_repeat' => $paymentRepeat,
            'receipt_retention_s' => $receiptRetentionS,
            'agent' => $agent,
        ];
    }

    /**
     * Returns the options under their names in the library.
     *
     * @return array<string, string|int|bool|null>
     */
    public function toArray(): array
    {
        return $this->values;
    }
}
