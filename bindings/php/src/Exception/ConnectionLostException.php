<?php

// Generated from the Rust source by `make generate`: do not edit.

declare(strict_types=1);

namespace Esales\Notify\Exception;

/**
 * -25: The connection broke before the answer was complete; the notification may have arrived.
 */
final class ConnectionLostException extends RetryableException
{
}
