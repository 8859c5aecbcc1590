<?php

// Generated from the Rust source by `make generate`: do not edit.

declare(strict_types=1);

namespace Esales\Notify\Internal;

use Esales\Notify\Counts;
use Esales\Notify\Percentiles;
use Esales\Notify\Receipt;
use Esales\Notify\Stats;
use FFI;
use FFI\CData;

/**
 * Converts structs of C to objects.
 *
 * @internal
 */
final class Records
{
    private function __construct()
    {
    }

    public static function receipt(CData $receipt, int $status, string $statusName): Receipt
    {
        return new Receipt(
            $status,
            $statusName,
            $receipt->http_status === 0 ? null : $receipt->http_status,
            $receipt->attempts,
            $receipt->elapsed_us,
            FFI::string($receipt->id),
            FFI::string($receipt->detail)
        );
    }

    public static function stats(CData $stats): Stats
    {
        return new Stats(
            new Counts(
                $stats->accepted,
                $stats->delivered,
                $stats->dead,
                $stats->expired,
                $stats->dropped,
                $stats->pending
            ),
            new Counts(
                $stats->process_accepted,
                $stats->process_delivered,
                $stats->process_dead,
                $stats->process_expired,
                $stats->process_dropped,
                $stats->process_pending
            ),
            $stats->gate_failures,
            $stats->gate_closed_ms,
            $stats->pending_bytes,
            $stats->oldest_age_ms,
            $stats->process_refused,
            new Percentiles(
                $stats->age_p50_ms,
                $stats->age_p95_ms,
                $stats->age_p99_ms
            ),
            new Percentiles(
                $stats->latency_p50_us,
                $stats->latency_p95_us,
                $stats->latency_p99_us
            ),
            $stats->lost
        );
    }
}
