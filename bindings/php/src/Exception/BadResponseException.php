<?php

// Generated from the Rust source by `make generate`: do not edit.

declare(strict_types=1);

namespace Esales\Notify\Exception;

/**
 * -26: The answer is not valid HTTP; the notification may have arrived.
 */
final class BadResponseException extends RetryableException
{
}
