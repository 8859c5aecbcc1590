<?php

declare(strict_types=1);

namespace Esales\Notify\Exception;

/**
 * An argument is missing or malformed (-1); nothing was sent. The words name it as the C API does: customer_key.
 */
final class InvalidArgumentException extends \InvalidArgumentException implements NotifyException
{
    use HasStatus;
}
