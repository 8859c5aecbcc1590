<?php

// Generated from the Rust source by `make generate`: do not edit.

declare(strict_types=1);

namespace Esales\Notify\Exception;

/**
 * -10 to -19: The notification is not sent again: the service refused it, or would count it twice.
 */
class FinalException extends \RuntimeException implements NotifyException
{
    use HasStatus;
}
