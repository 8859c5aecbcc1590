<?php

// Generated from the Rust source by `make generate`: do not edit.

declare(strict_types=1);

namespace Esales\Notify\Exception;

/**
 * -20 to -29: The same notification may succeed later, with the same id.
 */
class RetryableException extends \RuntimeException implements NotifyException
{
    use HasStatus;
}
