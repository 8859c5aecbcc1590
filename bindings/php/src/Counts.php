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
     * Notifications that all processes put into this spool, since it was made.
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
     * Refused for good by the service, kept as dead letters.
     */
    public function getDead(): int
    {
        return $this->dead;
    }

    /**
     * Not delivered within max_age_s.
     */
    public function getExpired(): int
    {
        return $this->expired;
    }

    /**
     * Dropped to make room, or by an operator.
     */
    public function getDropped(): int
    {
        return $this->dropped;
    }

    /**
     * Still to be delivered.
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
