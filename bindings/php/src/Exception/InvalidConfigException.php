<?php

declare(strict_types=1);

namespace Esales\Notify\Exception;

/**
 * An option is unknown, out of range, missing, or contradicts another (-2). The words name it.
 */
final class InvalidConfigException extends \RuntimeException implements NotifyException
{
    use HasStatus;
}
