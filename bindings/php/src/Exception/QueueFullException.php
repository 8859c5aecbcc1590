<?php

declare(strict_types=1);

namespace Esales\Notify\Exception;

/**
 * The queue is full: options max_items and max_bytes (-30). The notification was not accepted.
 */
final class QueueFullException extends \RuntimeException implements NotifyException
{
    use HasStatus;
}
