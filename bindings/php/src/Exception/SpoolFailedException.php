<?php

// Generated from the Rust source by `make generate`: do not edit.

declare(strict_types=1);

namespace Esales\Notify\Exception;

/**
 * -31: The spool could not be read or written. If the call was to enqueue, the notification was not accepted.
 */
final class SpoolFailedException extends \RuntimeException implements NotifyException
{
    use HasStatus;
}
