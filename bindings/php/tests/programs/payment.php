<?php

/**
 * One page view that sends an order of many lines and prints its outcome.
 */

declare(strict_types=1);

use Esales\Notify\{Client, Line, Notification, Visitor};

// If opcache.preload has loaded the classes, this must load nothing.
if (!class_exists('Esales\Notify\Client', false)) {
    require getenv('TEST_PRELOAD_PHP') ?: __DIR__ . '/../../preload.php';
}

$lines = [];
for ($i = 1; $i <= 500; $i++) {
    $lines[] = new Line("product $i", null, $i, $i);
}
$receipt = (new Client())->notify(Visitor::anonymous('c', 's', 'UK'), Notification::payment($lines));
echo PHP_SAPI, ' ', $receipt->getStatusName(), "\n";
