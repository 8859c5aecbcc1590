<?php

declare(strict_types=1);

namespace Esales\Notify\Exception;

use Esales\Notify\Receipt;

/**
 * The shared library cannot be loaded: PHP's FFI is missing or off, the library was not found, or it has another
 * version. The message has the remedy. getCode() is 0.
 */
final class LibraryException extends \RuntimeException implements NotifyException
{
    /**
     * Made by this package.
     *
     * @internal
     */
    public function __construct(string $message, ?\Throwable $previous = null)
    {
        parent::__construct($message, 0, $previous);
    }

    /**
     * Always null, because codes come from the library.
     */
    public function getStatus(): ?int
    {
        return null;
    }

    /**
     * Always null.
     */
    public function getStatusName(): ?string
    {
        return null;
    }

    /**
     * Always null: nothing was sent.
     */
    public function getReceipt(): ?Receipt
    {
        return null;
    }
}
