<?php

declare(strict_types=1);

namespace Esales\Notify\Exception;

/**
 * It did not get through (-20 to -29) but may later: send it again with the id of getReceipt().
 */
class RetryableException extends \RuntimeException implements NotifyException
{
    use HasStatus;
}
