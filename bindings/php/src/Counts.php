<?php

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
     * All that were taken into the queue.
     */
    public function getAccepted(): int
    {
        return $this->accepted;
    }

    /**
     * Those that the service received.
     */
    public function getDelivered(): int
    {
        return $this->delivered;
    }

    /**
     * Those that the service refused for good.
     */
    public function getDead(): int
    {
        return $this->dead;
    }

    /**
     * Those that could not be delivered within the option max_age_s.
     */
    public function getExpired(): int
    {
        return $this->expired;
    }

    /**
     * Those that made room for newer ones (overflow=drop_oldest).
     */
    public function getDropped(): int
    {
        return $this->dropped;
    }

    /**
     * Those that wait for delivery.
     */
    public function getPending(): int
    {
        return $this->pending;
    }

    /**
     * Whether every accepted notification is accounted for:
     * accepted = delivered + dead + expired + dropped + pending. False is a defect of the library.
     */
    public function isBalanced(): bool
    {
        return $this->accepted
            === $this->delivered + $this->dead + $this->expired + $this->dropped + $this->pending;
    }
}
