<?php

declare(strict_types=1);

namespace Esales\Notify\Exception;

/**
 * The name was not found, or no connection could be made (-23).
 */
final class ConnectFailedException extends RetryableException
{
}
