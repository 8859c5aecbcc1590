<?php

declare(strict_types=1);

namespace Esales\Notify\Exception;

use Esales\Notify\Receipt;

/**
 * Everything that this package throws on purpose. getCode() is the status code, getMessage() words for a person.
 */
interface NotifyException extends \Throwable
{
    /**
     * One of the constants of Esales\Notify\Status; null: the library that has them could not be loaded.
     */
    public function getStatus(): ?int;

    /**
     * Its name in the C API, such as "ESALES_TIMEOUT"; null as for getStatus().
     */
    public function getStatusName(): ?string;

    /**
     * What became of the notification; null: the call was not about one, or was refused before the library saw it.
     */
    public function getReceipt(): ?Receipt;
}
