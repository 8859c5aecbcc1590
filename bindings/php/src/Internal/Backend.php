<?php

declare(strict_types=1);

namespace Esales\Notify\Internal;

use Esales\Notify\Notification;
use Esales\Notify\Receipt;
use Esales\Notify\Stats;
use Esales\Notify\Visitor;

/**
 * The implementation of a Client: the shared library, or an agent. The methods are those of Client.
 *
 * @internal
 */
interface Backend
{
    public function notify(Visitor $visitor, Notification $notification): Receipt;

    public function enqueue(Visitor $visitor, Notification $notification): Receipt;

    public function notifyAddToCart(
        Visitor $visitor,
        #[\SensitiveParameter]
        string $ticket,
        ?string $id
    ): Receipt;

    public function enqueueAddToCart(
        Visitor $visitor,
        #[\SensitiveParameter]
        string $ticket,
        ?string $id
    ): Receipt;

    public function flush(int $timeoutMs): bool;

    public function stopDelivery(int $timeoutMs): bool;

    public function stats(): Stats;

    public function receipt(string $id): ?Receipt;

    public function close(): void;
}
