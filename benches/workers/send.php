<?php

/**
 * One blocking POST per call, from PHP's command line: see sample.h.
 *
 *   send.php ours | reused | new     ours; ext-curl with one handle; ext-curl with a handle for each
 */

declare(strict_types=1);

use Esales\Notify\{Client, Visitor};

require __DIR__ . '/curl.php';

if ($argv[1] === 'ours') {
    require __DIR__ . '/../../bindings/php/preload.php';
    $client = new Client();
    $visitor = Visitor::anonymous('d9528030-509c-4e0f-b585-7168f1e9feca', 'b106299c-eac0-4f6f-96d2-93e57c255784', 'UK');
    $ticket = getenv('BENCH_TICKET');
    $one = static fn() => $client->notifyAddToCart($visitor, $ticket);
} else {
    $settings = ['url' => getenv('BENCH_URL'), 'body' => getenv('BENCH_BODY'), 'ca' => getenv('BENCH_CA')];
    $kept = curl_handle($settings);
    $one = $argv[1] === 'reused'
        ? static fn() => curl_post($kept)
        : static fn() => curl_post(curl_handle($settings));
}

$took = [];
for ($i = (int) getenv('BENCH_WARMUP'); $i > 0; $i--) {
    $one();
}
for ($i = (int) getenv('BENCH_COUNT'); $i > 0; $i--) {
    $start = hrtime(true);
    $one();
    $took[] = hrtime(true) - $start;
}
echo implode("\n", $took), "\n";
