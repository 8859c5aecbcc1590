<?php

// Generated from the Rust source by `make generate`: do not edit.

declare(strict_types=1);

namespace Esales\Notify;

/**
 * The counters of a queue at the time of Client::stats(). Immutable.
 */
final class Stats
{
    private Counts $spool;

    private Counts $process;

    private int $gateFailures;

    private int $gateClosedMilliseconds;

    private int $pendingBytes;

    private int $oldestAgeMilliseconds;

    private int $processRefused;

    private Percentiles $ageMilliseconds;

    private Percentiles $latencyMicroseconds;

    private int $lost;

    /**
     * Only the library makes objects of this class.
     *
     * @internal
     */
    public function __construct(
        Counts $spool,
        Counts $process,
        int $gateFailures,
        int $gateClosedMilliseconds,
        int $pendingBytes,
        int $oldestAgeMilliseconds,
        int $processRefused,
        Percentiles $ageMilliseconds,
        Percentiles $latencyMicroseconds,
        int $lost
    ) {
        $this->spool = $spool;
        $this->process = $process;
        $this->gateFailures = $gateFailures;
        $this->gateClosedMilliseconds = $gateClosedMilliseconds;
        $this->pendingBytes = $pendingBytes;
        $this->oldestAgeMilliseconds = $oldestAgeMilliseconds;
        $this->processRefused = $processRefused;
        $this->ageMilliseconds = $ageMilliseconds;
        $this->latencyMicroseconds = $latencyMicroseconds;
        $this->lost = $lost;
    }

    /**
     * Notifications of all processes since the spool was made.
     */
    public function getSpool(): Counts
    {
        return $this->spool;
    }

    /**
     * Notifications that this process accepted through clients that share this client's queue.
     */
    public function getProcess(): Counts
    {
        return $this->process;
    }

    /**
     * Number of consecutive failed deliveries. 0: deliveries are not backing off.
     */
    public function getGateFailures(): int
    {
        return $this->gateFailures;
    }

    /**
     * Time until the next delivery is tried, in milliseconds. 0: deliveries are not backing off, or the next one is
     * due.
     */
    public function getGateClosedMilliseconds(): int
    {
        return $this->gateClosedMilliseconds;
    }

    /**
     * Bytes of the pending notifications (their JSON).
     */
    public function getPendingBytes(): int
    {
        return $this->pendingBytes;
    }

    /**
     * How long the oldest pending notification has been waiting, in milliseconds. 0: none is pending.
     */
    public function getOldestAgeMilliseconds(): int
    {
        return $this->oldestAgeMilliseconds;
    }

    /**
     * Calls by the same clients that returned ESALES_QUEUE_FULL or ESALES_SPOOL_FAILED. process_accepted does not
     * include them.
     */
    public function getProcessRefused(): int
    {
        return $this->processRefused;
    }

    /**
     * Time from acceptance to the service's answer, in milliseconds, of the last 1000 delivered notifications.
     */
    public function getAgeMilliseconds(): Percentiles
    {
        return $this->ageMilliseconds;
    }

    /**
     * Duration of the successful attempt, in microseconds, of the last 1000 delivered notifications.
     */
    public function getLatencyMicroseconds(): Percentiles
    {
        return $this->latencyMicroseconds;
    }

    /**
     * Accepted notifications that the spool's engine has lost, because it restarted without its data or because a
     * replica without the newest notifications became the primary. The true number may be greater. accepted does not
     * include them. 0 for a spool in a directory or in memory.
     */
    public function getLost(): int
    {
        return $this->lost;
    }

    /**
     * Whether the counters of the spool and of this process add up.
     */
    public function isBalanced(): bool
    {
        return $this->spool->isBalanced() && $this->process->isBalanced();
    }
}
