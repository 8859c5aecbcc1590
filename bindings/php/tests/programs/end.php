<?php

/**
 * Delivers some of the spool of its environment and ends. An argument makes it stop the delivery first.
 */

declare(strict_types=1);

require __DIR__ . '/../../preload.php';

$client = new Esales\Notify\Client();
$delivered = static fn (): int => $client->stats()->getSpool()->getDelivered();
for ($first = $delivered(); $delivered() < $first + 20;) {
    usleep(1000);
}
if ($argv[1] === 'stop' && !$client->stopDelivery(60000)) {
    exit(1);
}
