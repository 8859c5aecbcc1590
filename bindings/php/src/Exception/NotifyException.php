<?php

declare(strict_types=1);

namespace Esales\Notify\Exception;

use Esales\Notify\Receipt;

/**
 * The interface of all exceptions of this package. getCode() is the status code, getMessage() a message for a person.
 */
interface NotifyException extends \Throwable
{
    /**
     * One of the constants of Esales\Notify\Status; null: the library could not be loaded.
     */
    public function getStatus(): ?int;

    /**
     * Its name in the C API, such as "ESALES_TIMEOUT"; null as for getStatus().
     */
    public function getStatusName(): ?string;

    /**
     * The receipt of the notification; null: the call was not about a notification, or failed before the library was
     * called.
     */
    public function getReceipt(): ?Receipt;
}
