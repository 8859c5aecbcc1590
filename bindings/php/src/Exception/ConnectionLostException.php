<?php

declare(strict_types=1);

namespace Esales\Notify\Exception;

/**
 * The connection broke before the answer (-25). The notification may have arrived.
 */
final class ConnectionLostException extends RetryableException
{
}
