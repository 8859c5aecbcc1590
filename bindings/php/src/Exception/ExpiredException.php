<?php

declare(strict_types=1);

namespace Esales\Notify\Exception;

/**
 * The notification was not delivered within the option max_age_s (-32).
 */
final class ExpiredException extends \RuntimeException implements NotifyException
{
    use HasStatus;
}
