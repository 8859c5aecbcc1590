<?php

// Generated from the Rust source by `make generate`: do not edit.

declare(strict_types=1);

namespace Esales\Notify\Exception;

/**
 * -22: There was no answer within the time-out, or the answer was 408; the notification may have arrived.
 */
final class TimeoutException extends RetryableException
{
}
