<?php

/**
 * Delivers the spool of its environment and prints whether that was all, and what became of the spool and of the
 * notifications that this process accepted: none.
 */

declare(strict_types=1);

require __DIR__ . '/../../preload.php';

$client = new Esales\Notify\Client();
$isAll = $client->flush(20000);
$stats = $client->stats();
echo json_encode([$isAll, $stats->getSpool()->getDelivered(), $stats->getProcess()->getAccepted()]), "\n";
