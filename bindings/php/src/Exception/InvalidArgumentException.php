<?php

// Generated from the Rust source by `make generate`: do not edit.

declare(strict_types=1);

namespace Esales\Notify\Exception;

/**
 * -1: An argument is missing or malformed; nothing was sent.
 */
final class InvalidArgumentException extends \InvalidArgumentException implements NotifyException
{
    use HasStatus;
}
