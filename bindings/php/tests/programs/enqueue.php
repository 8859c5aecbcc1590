<?php

/**
 * One page view that enqueues one notification and prints the log messages, including those of an earlier page view.
 */

declare(strict_types=1);

// If opcache.preload has loaded the classes, this must load nothing.
if (!class_exists('Esales\Notify\Client', false)) {
    require getenv('TEST_PRELOAD_PHP') ?: __DIR__ . '/../../preload.php';
}

$logger = new class {
    public function log(string $level, string $message): void
    {
        echo "$level $message\n";
    }
};

Esales\Notify\Log::to($logger, 'debug');
$client = new Esales\Notify\Client();
$receipt = $client->enqueueAddToCart(Esales\Notify\Visitor::anonymous('c', 's', 'UK'), 'ticket', $_GET['id']);
echo PHP_SAPI, ' ', $receipt->getStatusName(), "\n";
