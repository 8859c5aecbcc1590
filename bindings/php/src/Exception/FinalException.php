<?php

// Generated from the Rust source by `make generate`: do not edit.

declare(strict_types=1);

namespace Esales\Notify\Exception;

/**
 * -10 to -19: The service refused the notification; the same bytes will get the same answer.
 */
class FinalException extends \RuntimeException implements NotifyException
{
    use HasStatus;
}
