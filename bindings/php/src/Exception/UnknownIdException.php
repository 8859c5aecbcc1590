<?php

declare(strict_types=1);

namespace Esales\Notify\Exception;

/**
 * Nothing is known of the id (-34). Client::receipt() returns null instead.
 */
final class UnknownIdException extends \RuntimeException implements NotifyException
{
    use HasStatus;
}
