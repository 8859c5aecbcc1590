<?php

// Generated from the Rust source by `make generate`: do not edit.

declare(strict_types=1);

namespace Esales\Notify\Exception;

/**
 * -3: The client was closed; nothing was sent.
 */
final class ClosedException extends \LogicException implements NotifyException
{
    use HasStatus;
}
