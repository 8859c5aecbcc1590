<?php

/**
 * A shop without FFI: its own keys, an enqueue through the agent that ESALES_AGENT names, and what became of it.
 */

declare(strict_types=1);

namespace Esales\Notify\Tests\Programs;

use Esales\Notify\Client;
use Esales\Notify\Exception\LibraryException;
use Esales\Notify\Identity;
use Esales\Notify\Line;
use Esales\Notify\Log;
use Esales\Notify\Notification;
use Esales\Notify\Status;
use Esales\Notify\Visitor;

require __DIR__ . '/../../preload.php';

echo extension_loaded('FFI') && ini_get('ffi.enable') !== '0' ? 'FFI' : 'no FFI', "\n";
$client = new Client();
$key = Identity::customerKey('customer 1');
$visitor = Visitor::signedIn($key, Identity::newKey(), Identity::customerToken('a private key', $key), 'UK');
$receipts = [
    $client->enqueueAddToCart($visitor, 'ticket'),
    $client->enqueue($visitor, Notification::securePayment([new Line('P', null, 1, '199.50', '80')], 'a private key')),
];
foreach ($receipts as $receipt) {
    echo $receipt->getStatusName(), "\n";
    for ($n = 0; $n < 3000 && $client->receipt($receipt->getId())->getStatus() !== Status::DELIVERED; $n++) {
        usleep(10000);
    }
    echo $client->receipt($receipt->getId())->getStatusName(), "\n";
}
try {
    Log::to(null);
} catch (LibraryException $e) {
    echo get_class($e), "\n";
}
