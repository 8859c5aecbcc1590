<?php

declare(strict_types=1);

namespace Esales\Notify\Exception;

/**
 * No answer within the option timeout_ms, or 408 (-22). The notification may have arrived.
 */
final class TimeoutException extends RetryableException
{
}
