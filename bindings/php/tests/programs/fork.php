<?php

/**
 * Sends in the parent, in a forked child with the parent's client, and in the parent again.
 */

declare(strict_types=1);

require __DIR__ . '/../../preload.php';

$client = new Esales\Notify\Client();
$visitor = Esales\Notify\Visitor::anonymous('c', 's', 'UK');

$client->notifyAddToCart($visitor, 'ticket', 'parent 1');
echo "parent\n";
$child = pcntl_fork();
if ($child === 0) {
    $client->notifyAddToCart($visitor, 'ticket', 'child');
    echo "child\n";
    // The normal end: destructors run, in the child too.
    exit(0);
}
pcntl_waitpid($child, $status);
if ($status !== 0) {
    fwrite(STDERR, "the child ended with the wait status $status\n");
    exit(1);
}
$client->notifyAddToCart($visitor, 'ticket', 'parent 2');
echo "parent\n";
