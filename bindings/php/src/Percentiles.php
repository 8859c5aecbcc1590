<?php

// Generated from the Rust source by `make generate`: do not edit.

declare(strict_types=1);

namespace Esales\Notify;

/**
 * How long something took, for most. The getter of Stats says what was measured, and the unit. Immutable.
 */
final class Percentiles
{
    private int $p50;

    private int $p95;

    private int $p99;

    /**
     * Made by the client.
     *
     * @internal
     */
    public function __construct(
        int $p50,
        int $p95,
        int $p99
    ) {
        $this->p50 = $p50;
        $this->p95 = $p95;
        $this->p99 = $p99;
    }

    /**
     * Half took no longer.
     */
    public function getP50(): int
    {
        return $this->p50;
    }

    /**
     * 95 of 100 took no longer.
     */
    public function getP95(): int
    {
        return $this->p95;
    }

    /**
     * 99 of 100 took no longer.
     */
    public function getP99(): int
    {
        return $this->p99;
    }
}
