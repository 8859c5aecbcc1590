<?php

declare(strict_types=1);

namespace Esales\Notify\Exception;

use Esales\Notify\Receipt;

/**
 * The common methods of the exceptions, whose parents differ.
 *
 * @internal
 */
trait HasStatus
{
    private string $statusName;

    private ?Receipt $receipt;

    /**
     * Made by this package.
     *
     * @internal
     */
    public function __construct(string $message, int $status, string $statusName, ?Receipt $receipt = null)
    {
        parent::__construct($message, $status);
        $this->statusName = $statusName;
        $this->receipt = $receipt;
    }

    /**
     * One of the constants of Esales\Notify\Status.
     */
    public function getStatus(): int
    {
        return $this->getCode();
    }

    /**
     * Its name in the C API, such as "ESALES_TIMEOUT".
     */
    public function getStatusName(): string
    {
        return $this->statusName;
    }

    /**
     * The receipt of the notification; null: the call was not about a notification, or failed before the library was
     * called.
     */
    public function getReceipt(): ?Receipt
    {
        return $this->receipt;
    }
}
