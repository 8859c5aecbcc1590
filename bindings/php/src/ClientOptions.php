<?php

// Generated from the Rust source by `make generate`: do not edit.

declare(strict_types=1);

namespace Esales\Notify;

/**
 * Options for a client, typed: new Client(new ClientOptions(timeoutMs: 500)). Null: not set. Immutable.
 */
final class ClientOptions
{
    /** @var array<string, string|int|bool|null> */
    private array $values;

    /**
     * @param string|null $clusterId The cluster: the first label of its host name in
     *     https://{cluster_id}.api.esales.apptus.cloud. This or base_url is required. Default: unset.
     * @param string|null $baseUrl Address to use instead of the cluster's, without the /api/v1/... path: a sandbox, a
     *     gateway. Default: unset.
     * @param bool|null $allowHttp Whether base_url may be http:// for an address that is not loopback. Visitor data
     *     then crosses the network in clear. Default: false.
     * @param string|null $caFile PEM file of the certificate authorities to trust, instead of the system's. It is read
     *     once, when the client is made; a relative path counts from the folder of that moment. A certificate in it
     *     that cannot be used is an error. Default: unset.
     * @param string|null $proxy HTTP proxy, http://[user:password@]host:port. Unset: https_proxy, http_proxy, all_proxy
     *     of the environment, not for loopback addresses. Empty: none. Default: unset.
     * @param string|null $noProxy Hosts that are reached without the proxy, separated by commas or white space: a name
     *     (with all names below it), an IP address, a network such as 10.0.0.0/8 or fd00::/8, *.domain, or * for all. A
     *     port in it matches nothing. Unset: no_proxy of the environment, read as curl 7.88 reads it, to which IPv6
     *     networks, brackets, *.domain and a * among others mean nothing. Default: unset.
     * @param int|null $keepAliveS How long a connection is used at most, and how long an idle one is kept for the next
     *     call, in seconds, also after the last client is freed. 0: each is used once. A service that moves to another
     *     address is followed within this and dns_cache_s. 0 to 3600. Default: 60.
     * @param int|null $dnsCacheS How long a looked-up address is used for new connections before it is looked up again,
     *     in seconds. 0 to 3600. Default: 60.
     * @param int|null $timeoutMs Budget of one blocking call, in milliseconds: name look-up, connection, TLS, every
     *     attempt and every pause. 1 to 300000. Default: 3000.
     * @param string|null $market Market of visitors who name none. Default: unset.
     * @param int|null $maxAttempts How often one blocking call tries at most, within its budget. 1 to 10. Default: 3.
     * @param int|null $backoffMs Longest pause before the second attempt, in milliseconds; it doubles for each further
     *     one. The pause is drawn at random from 0 to that. 0 to 60000. Default: 100.
     * @param string|null $onFailure What a blocking call does when it ends on an outcome that may succeed later. error:
     *     it says so. queue: the notification goes into the queue under the same id, at once while deliveries are
     *     failing, and the call returns ESALES_QUEUED. Default: error.
     * @param string|null $spool Directory that holds the queue, shared by any number of processes of this machine that
     *     run as the same user: an absolute path. The library makes it, with mode 0700; the folder that it is in must
     *     exist. Unset: in memory, lost with the process. Default: unset.
     * @param string|null $durability What an accepted notification in the spool survives. process: the end of every
     *     process, kill -9 included. disk: a power loss too; the enqueues that run at the same time share an fsync and
     *     wait for it. Default: process.
     * @param string|null $delivery Who delivers the queue. background: a thread of this process, unless another process
     *     is delivering the same spool. none: some other process, such as esales-notify drain; needs spool. Default:
     *     background.
     * @param int|null $enqueueTimeoutMs Longest time an enqueue waits for the disk or for other processes, in
     *     milliseconds. 1 to 60000. Default: 1000.
     * @param int|null $maxItems Most notifications that wait in the queue. 1 to 10000000. Default: 100000.
     * @param int|null $maxBytes Most bytes of notifications (their JSON) that wait in the queue. 1024 to 68719476736.
     *     Default: 67108864.
     * @param string|null $overflow What happens to a notification over max_items or max_bytes. refuse: it gets
     *     ESALES_QUEUE_FULL. drop_oldest: it is accepted, and the oldest are dropped and counted. Default: refuse.
     * @param int|null $maxDead Most dead letters that are kept for an operator; over that, the oldest are dropped and
     *     counted. 0 to 1000000. Default: 10000.
     * @param int|null $maxAgeS How long a notification is tried, in seconds; then it expires. 1 to 2592000. Default:
     *     86400.
     * @param int|null $concurrency Most deliveries at the same time. 1 to 64. Default: 4.
     * @param int|null $gateMinMs After a failed delivery, the longest pause before the next one is tried, in
     *     milliseconds; it doubles with every further failure. The pause is drawn at random from 0 to that, and is
     *     never shorter than a Retry-After (up to an hour). 10 to 60000. Default: 1000.
     * @param int|null $gateMaxMs Where the doubling of gate_min_ms ends, in milliseconds. 10 to 3600000. Default:
     *     300000.
     * @param string|null $paymentRepeat When a payment is sent again: the service would count it twice. certain: only
     *     if it is certain that it was not processed; otherwise its status is ESALES_MAY_HAVE_ARRIVED, and the queue
     *     keeps it as a dead letter. always: also if it may have arrived. Default: certain.
     * @param int|null $receiptRetentionS How long the receipt of a notification that left the queue is kept, in
     *     seconds; at most the last 20,000. 0: none. 0 to 2592000. Default: 3600.
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
        ?int $receiptRetentionS = null
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
        ];
    }

    /**
     * The options under their names in the library, as Client takes them.
     *
     * @return array<string, string|int|bool|null>
     */
    public function toArray(): array
    {
        return $this->values;
    }
}
