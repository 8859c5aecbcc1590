<?php

// Generated from the Rust source by `make generate`: do not edit.

declare(strict_types=1);

namespace Esales\Notify;

/**
 * The queue in numbers, at the moment of Client::stats(). Immutable.
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
     * Made by the client.
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
     * The whole spool: what all processes accepted since it was made, and what became of it.
     */
    public function getSpool(): Counts
    {
        return $this->spool;
    }

    /**
     * What this process accepted through clients with these options (they share a queue), and what became of it.
     */
    public function getProcess(): Counts
    {
        return $this->process;
    }

    /**
     * Deliveries in a row that failed; 0: deliveries are not backing off.
     */
    public function getGateFailures(): int
    {
        return $this->gateFailures;
    }

    /**
     * How long until the next delivery is tried, in milliseconds; 0: deliveries are not backing off, or it is due.
     */
    public function getGateClosedMilliseconds(): int
    {
        return $this->gateClosedMilliseconds;
    }

    /**
     * Bytes of the pending notifications, which are JSON.
     */
    public function getPendingBytes(): int
    {
        return $this->pendingBytes;
    }

    /**
     * How long the oldest pending notification has been waiting, in milliseconds; 0: none is pending.
     */
    public function getOldestAgeMilliseconds(): int
    {
        return $this->oldestAgeMilliseconds;
    }

    /**
     * Calls of the same clients that ended with ESALES_QUEUE_FULL or ESALES_SPOOL_FAILED; not among the accepted.
     */
    public function getProcessRefused(): int
    {
        return $this->processRefused;
    }

    /**
     * From acceptance to the service's answer, in milliseconds, of the last 1000 delivered.
     */
    public function getAgeMilliseconds(): Percentiles
    {
        return $this->ageMilliseconds;
    }

    /**
     * Duration of the attempt that delivered, in microseconds, of the last 1000 delivered.
     */
    public function getLatencyMicroseconds(): Percentiles
    {
        return $this->latencyMicroseconds;
    }

    /**
     * Notifications that were accepted, and that the engine of the spool has lost since, at least: after it was
     * restarted without its data, or after a replica without the last of them became the primary. Not among the
     * accepted. 0 for a spool in a directory or in memory.
     */
    public function getLost(): int
    {
        return $this->lost;
    }

    /**
     * Whether every accepted notification is accounted for, in the spool and in this process.
     */
    public function isBalanced(): bool
    {
        return $this->spool->isBalanced() && $this->process->isBalanced();
    }
}
