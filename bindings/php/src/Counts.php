<?php

// Generated from the Rust source by `make generate`: do not edit.

declare(strict_types=1);

namespace Esales\Notify;

/**
 * How many notifications the queue accepted, and what became of them. Immutable.
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
     * Made by the client.
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
     * Notifications that the queue accepted, from all processes, since the spool was made.
     */
    public function getAccepted(): int
    {
        return $this->accepted;
    }

    /**
     * Of these: answered 2xx.
     */
    public function getDelivered(): int
    {
        return $this->delivered;
    }

    /**
     * Of these: refused for good by the service (400, 403, ...), or payments that may have arrived. The spool keeps
     * them as dead letters.
     */
    public function getDead(): int
    {
        return $this->dead;
    }

    /**
     * Of these: not delivered within max_age_s.
     */
    public function getExpired(): int
    {
        return $this->expired;
    }

    /**
     * Of these: dropped, to make room (overflow, max_dead), by an operator, or because a file was deleted or damaged.
     */
    public function getDropped(): int
    {
        return $this->dropped;
    }

    /**
     * Of these: still to be delivered.
     */
    public function getPending(): int
    {
        return $this->pending;
    }

    /**
     * Whether every accepted notification is accounted for. False is a defect of the library.
     */
    public function isBalanced(): bool
    {
        return $this->accepted
            === $this->delivered + $this->dead + $this->expired + $this->dropped + $this->pending;
    }
}
