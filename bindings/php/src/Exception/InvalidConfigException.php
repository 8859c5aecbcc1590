<?php

// Generated from the Rust source by `make generate`: do not edit.

declare(strict_types=1);

namespace Esales\Notify\Exception;

/**
 * -2: An option is missing, unknown, out of range, or contradicts another.
 */
final class InvalidConfigException extends \RuntimeException implements NotifyException
{
    use HasStatus;
}
