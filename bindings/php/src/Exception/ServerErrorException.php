<?php

// Generated from the Rust source by `make generate`: do not edit.

declare(strict_types=1);

namespace Esales\Notify\Exception;

/**
 * -20: The service is unavailable or busy (5xx).
 */
final class ServerErrorException extends RetryableException
{
}
