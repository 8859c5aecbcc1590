<?php

declare(strict_types=1);

namespace Esales\Notify\Internal;

use Esales\Notify\Notification;
use Esales\Notify\Receipt;
use Esales\Notify\Stats;
use Esales\Notify\Visitor;
use FFI\CData;

/**
 * A client of the shared library.
 *
 * @internal
 */
final class NativeClient implements Backend
{
    private Library $library;

    private CData $handle;

    /**
     * @param array<string, string> $options from Text::options()
     */
    public function __construct(
        Library $library,
        #[\SensitiveParameter]
        array $options
    ) {
        $this->library = $library;
        $this->handle = $library->newClient($options);
    }

    public function notify(Visitor $visitor, Notification $notification): Receipt
    {
        return $this->library->send('esales_notify', $this->handle, $visitor, $notification);
    }

    public function enqueue(Visitor $visitor, Notification $notification): Receipt
    {
        return $this->library->send('esales_enqueue', $this->handle, $visitor, $notification);
    }

    public function notifyAddToCart(
        Visitor $visitor,
        #[\SensitiveParameter]
        string $ticket,
        ?string $id
    ): Receipt {
        return $this->library->addToCart('esales_notify_add_to_cart', $this->handle, $visitor, $ticket, $id);
    }

    public function enqueueAddToCart(
        Visitor $visitor,
        #[\SensitiveParameter]
        string $ticket,
        ?string $id
    ): Receipt {
        return $this->library->addToCart('esales_enqueue_add_to_cart', $this->handle, $visitor, $ticket, $id);
    }

    public function flush(int $timeoutMs): bool
    {
        return $this->library->flush($this->handle, $timeoutMs);
    }

    public function stopDelivery(int $timeoutMs): bool
    {
        return $this->library->stopDelivery($this->handle, $timeoutMs);
    }

    public function stats(): Stats
    {
        return $this->library->stats($this->handle);
    }

    public function receipt(string $id): ?Receipt
    {
        return $this->library->receipt($this->handle, $id);
    }

    public function close(): void
    {
        $this->library->freeClient($this->handle);
    }
}
