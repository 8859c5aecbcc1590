<?php

// Generated from the Rust source by `make generate`: do not edit.

declare(strict_types=1);

namespace Esales\Notify\Exception;

/**
 * -32: The notification was not delivered within max_age_s; its delivery is no longer tried.
 */
final class ExpiredException extends \RuntimeException implements NotifyException
{
    use HasStatus;
}
