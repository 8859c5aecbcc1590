<?php

declare(strict_types=1);

namespace Esales\Notify\Exception;

/**
 * The notification was dropped, to make room or by an operator (-33).
 */
final class DroppedException extends \RuntimeException implements NotifyException
{
    use HasStatus;
}
