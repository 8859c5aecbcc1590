<?php

// Generated from the Rust source by `make generate`: do not edit.

declare(strict_types=1);

namespace Esales\Notify\Exception;

/**
 * -23: The host name was not found, or no connection could be made.
 */
final class ConnectFailedException extends RetryableException
{
}
