<?php

// Generated from the Rust source by `make generate`: do not edit.

declare(strict_types=1);

namespace Esales\Notify;

/**
 * Numbers of notifications, by their outcome. Immutable.
 */
final class Counts
{
    private int $accepted;

    private int $delivered;

    private int $dead;

    private int $expired;

    private int $dropped;

    private int $pending;

    /**
     * Only the library makes objects of this class.
     *
     * @internal
     */
    public function __construct(
        int $accepted,
        int $delivered,
        int $dead,
        int $expired,
        int $dropped,
        int $pending
    ) {
        $this->accepted = $accepted;
        $this->delivered = $delivered;
        $this->dead = $dead;
        $this->expired = $expired;
        $this->dropped = $dropped;
        $this->pending = $pending;
    }

    /**
     * Notifications that the queue has accepted from all processes since the spool was made.
     */
    public function getAccepted(): int
    {
        return $this->accepted;
    }

    /**
     * Accepted notifications that the service received (2xx).
     */
    public function getDelivered(): int
    {
        return $this->delivered;
    }

    /**
     * Accepted notifications that became dead letters: the service refused them for good (400, 403, ...), or they are
     * payments that may have arrived. The spool keeps dead letters for an operator.
     */
    public function getDead(): int
    {
        return $this->dead;
    }

    /**
     * Accepted notifications that were not delivered within max_age_s.
     */
    public function getExpired(): int
    {
        return $this->expired;
    }

    /**
     * Accepted notifications that were dropped: to make room (overflow, max_dead), by an operator, or because a spool
     * file was deleted or damaged.
     */
    public function getDropped(): int
    {
        return $this->dropped;
    }

    /**
     * Accepted notifications that are still to be delivered.
     */
    public function getPending(): int
    {
        return $this->pending;
    }

    /**
     * Whether the counters add up. False is a defect of the library.
     */
    public function isBalanced(): bool
    {
        return $this->accepted
            === $this->delivered + $this->dead + $this->expired + $this->dropped + $this->pending;
    }
}
