<?php

declare(strict_types=1);

namespace Esales\Notify\Exception;

/**
 * The service refused the notification for good (-10 to -19): the same bytes will meet the same answer.
 */
class FinalException extends \RuntimeException implements NotifyException
{
    use HasStatus;
}
