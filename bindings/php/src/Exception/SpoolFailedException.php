<?php

declare(strict_types=1);

namespace Esales\Notify\Exception;

/**
 * The spool could not be read or written (-31). A notification was not accepted.
 */
final class SpoolFailedException extends \RuntimeException implements NotifyException
{
    use HasStatus;
}
