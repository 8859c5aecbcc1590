<?php

declare(strict_types=1);

namespace Esales\Notify;

/**
 * The queue in numbers, at the moment of Client::stats(). Immutable.
 */
final class Stats
{
    private Counts $spool;

    private Counts $process;

    private int $processRefused;

    private int $pendingBytes;

    private int $oldestAgeMilliseconds;

    private int $gateFailures;

    private int $gateClosedMilliseconds;

    private Percentiles $ageMilliseconds;

    private Percentiles $latencyMicroseconds;

    /**
     * Made by the client.
     *
     * @internal
     */
    public function __construct(
        Counts $spool,
        Counts $process,
        int $processRefused,
        int $pendingBytes,
        int $oldestAgeMilliseconds,
        int $gateFailures,
        int $gateClosedMilliseconds,
        Percentiles $ageMilliseconds,
        Percentiles $latencyMicroseconds
    ) {
        $this->spool = $spool;
        $this->process = $process;
        $this->processRefused = $processRefused;
        $this->pendingBytes = $pendingBytes;
        $this->oldestAgeMilliseconds = $oldestAgeMilliseconds;
        $this->gateFailures = $gateFailures;
        $this->gateClosedMilliseconds = $gateClosedMilliseconds;
        $this->ageMilliseconds = $ageMilliseconds;
        $this->latencyMicroseconds = $latencyMicroseconds;
    }

    /**
     * The whole spool: what all processes that share it accepted.
     */
    public function getSpool(): Counts
    {
        return $this->spool;
    }

    /**
     * What this process accepted by clients of these options (they share a queue), and what became of it.
     */
    public function getProcess(): Counts
    {
        return $this->process;
    }

    /**
     * How many calls of the same clients were refused with a QueueFullException or SpoolFailedException; they are not
     * among the accepted.
     */
    public function getProcessRefused(): int
    {
        return $this->processRefused;
    }

    /**
     * Bytes of the notifications (their JSON) that wait in the spool.
     */
    public function getPendingBytes(): int
    {
        return $this->pendingBytes;
    }

    /**
     * How long the oldest notification has been waiting in the spool, in milliseconds; 0: none waits.
     */
    public function getOldestAgeMilliseconds(): int
    {
        return $this->oldestAgeMilliseconds;
    }

    /**
     * How many deliveries in a row failed; 0: the gate is open.
     */
    public function getGateFailures(): int
    {
        return $this->gateFailures;
    }

    /**
     * How long until the next delivery is tried, in milliseconds; 0: the gate is open, or it is tried now.
     */
    public function getGateClosedMilliseconds(): int
    {
        return $this->gateClosedMilliseconds;
    }

    /**
     * From acceptance to the answer, in milliseconds, of the last 1000 that were delivered.
     */
    public function getAgeMilliseconds(): Percentiles
    {
        return $this->ageMilliseconds;
    }

    /**
     * The attempt that delivered, in microseconds, of the last 1000 that were delivered.
     */
    public function getLatencyMicroseconds(): Percentiles
    {
        return $this->latencyMicroseconds;
    }

    /**
     * Whether every accepted notification is accounted for, in the spool and in this process.
     */
    public function isBalanced(): bool
    {
        return $this->spool->isBalanced() && $this->process->isBalanced();
    }
}
