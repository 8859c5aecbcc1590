<?php

/**
 * One page view that enqueues one notification, and says what was logged: also what an earlier page view left.
 */

declare(strict_types=1);

// Where opcache.preload has the classes already, this must load nothing.
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
