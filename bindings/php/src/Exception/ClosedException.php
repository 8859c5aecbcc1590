<?php

declare(strict_types=1);

namespace Esales\Notify\Exception;

/**
 * The client was closed (-3).
 */
final class ClosedException extends \LogicException implements NotifyException
{
    use HasStatus;
}
