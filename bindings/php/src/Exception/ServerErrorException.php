<?php

declare(strict_types=1);

namespace Esales\Notify\Exception;

/**
 * The service is unavailable or busy: 5xx (-20).
 */
final class ServerErrorException extends RetryableException
{
}
