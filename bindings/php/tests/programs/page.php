<?php

/**
 * One page view, or one run of a command: sends one notification and prints its outcome.
 */

declare(strict_types=1);

// If opcache.preload has loaded the classes, this must load nothing.
if (!class_exists('Esales\Notify\Client', false)) {
    require getenv('TEST_PRELOAD_PHP') ?: __DIR__ . '/../../preload.php';
}

try {
    $client = new Esales\Notify\Client([], getenv('TEST_LIBRARY_ARGUMENT') ?: null);
    $receipt = $client->notifyAddToCart(Esales\Notify\Visitor::anonymous('c', 's', 'UK'), 'ticket');
    echo PHP_SAPI, ' ', $receipt->getStatusName(), "\n";
} catch (Esales\Notify\Exception\LibraryException $e) {
    echo PHP_SAPI, ' LibraryException ', $e->getMessage(), "\n";
}
