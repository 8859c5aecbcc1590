<?php

// Generated from the Rust source by `make generate`: do not edit.

declare(strict_types=1);

namespace Esales\Notify\Exception;

/**
 * -33: The notification was dropped from the queue: to make room, or by an operator.
 */
final class DroppedException extends \RuntimeException implements NotifyException
{
    use HasStatus;
}
