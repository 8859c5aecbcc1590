<?php

declare(strict_types=1);

namespace Esales\Notify\Exception;

/**
 * The answer is not HTTP (-26). The notification may have arrived.
 */
final class BadResponseException extends RetryableException
{
}
