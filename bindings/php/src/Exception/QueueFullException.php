<?php

// Generated from the Rust source by `make generate`: do not edit.

declare(strict_types=1);

namespace Esales\Notify\Exception;

/**
 * -30: The queue is full; the notification was not accepted.
 */
final class QueueFullException extends \RuntimeException implements NotifyException
{
    use HasStatus;
}
