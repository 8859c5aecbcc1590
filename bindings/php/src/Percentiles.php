<?php

// Generated from the Rust source by `make generate`: do not edit.

declare(strict_types=1);

namespace Esales\Notify;

/**
 * Percentiles of durations. The getter of Stats has their meaning and unit. Immutable.
 */
final class Percentiles
{
    private int $p50;

    private int $p95;

    private int $p99;

    /**
     * Only the library makes objects of this class.
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
     * Half of the durations are not longer.
     */
    public function getP50(): int
    {
        return $this->p50;
    }

    /**
     * 95 of 100 durations are not longer.
     */
    public function getP95(): int
    {
        return $this->p95;
    }

    /**
     * 99 of 100 durations are not longer.
     */
    public function getP99(): int
    {
        return $this->p99;
    }
}
