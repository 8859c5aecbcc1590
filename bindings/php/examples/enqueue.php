<?php

require 'vendor/autoload.php';

$client = new Esales\Notify\Client(); // ESALES_SPOOL names the directory that holds the queue
$customerKey = 'd9528030-509c-4e0f-b585-7168f1e9feca'; // the visitor's, kept in a cookie
$sessionKey = 'b106299c-eac0-4f6f-96d2-93e57c255784'; // the visit's
$visitor = Esales\Notify\Visitor::anonymous($customerKey, $sessionKey, 'UK');
$receipt = $client->enqueueAddToCart(
    $visitor,
    'Oy9keW5hbWljLXBhZ2VzL3N0YXJ0L2VzYWxlcy1zdGFydC0xOyM7cHJvZHVjdF9rZXk7UF8xMjUzODMtMDAxNF9VSzsjOztOT05FOk5PTkU7NjE7'
);
echo $receipt->getStatusName(), ' ', $receipt->getId(), "\n";

// A web page ends here. A program must flush a queue in memory before it ends, or its notifications are lost:
if (!$client->flush(5000)) {
    fwrite(STDERR, $client->stats()->getSpool()->getPending() . " still wait\n");
}
echo $client->receipt($receipt->getId())->getStatusName(), "\n";
