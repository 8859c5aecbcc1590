<?php

/**
 * One enqueue per call through an agent, from a PHP without FFI: see sample.h.
 */

declare(strict_types=1);

use Esales\Notify\{Client, Visitor};

require __DIR__ . '/../../bindings/php/preload.php';

$client = new Client(['agent' => getenv('BENCH_AGENT')]);
$visitor = Visitor::anonymous('d9528030-509c-4e0f-b585-7168f1e9feca', 'b106299c-eac0-4f6f-96d2-93e57c255784', 'UK');
$ticket = getenv('BENCH_TICKET');
$took = [];
for ($i = (int) getenv('BENCH_WARMUP'); $i > 0; $i--) {
    $client->enqueueAddToCart($visitor, $ticket);
}
for ($i = (int) getenv('BENCH_COUNT'); $i > 0; $i--) {
    $start = hrtime(true);
    $client->enqueueAddToCart($visitor, $ticket);
    $took[] = hrtime(true) - $start;
}
echo implode("\n", $took), "\n";
