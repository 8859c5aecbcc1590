<?php

/**
 * Delivers the spool of its environment. Prints whether everything was delivered, and the counters of the spool and
 * of this process, which accepted none.
 */

declare(strict_types=1);

require __DIR__ . '/../../preload.php';

$client = new Esales\Notify\Client();
$isAll = $client->flush(20000);
$stats = $client->stats();
echo json_encode([$isAll, $stats->getSpool()->getDelivered(), $stats->getProcess()->getAccepted()]), "\n";
