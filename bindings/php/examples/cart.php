<?php

require 'vendor/autoload.php';

use Esales\Notify\{Client, Identity, Visitor};

// Two keys in cookies say who the visitor is: one for a year, one until the browser closes.
$customerKey = $_COOKIE['customer'] ?? Identity::newKey();
$sessionKey = $_COOKIE['session'] ?? Identity::newKey();
setcookie('customer', $customerKey, time() + 365 * 24 * 3600, '/');
setcookie('session', $sessionKey, 0, '/');

try {
    $client = new Client(); // ESALES_CLUSTER_ID, ESALES_MARKET and ESALES_SPOOL are set where PHP is started
    $visitor = Visitor::anonymous($customerKey, $sessionKey);
    $receipt = $client->tryEnqueueAddToCart($visitor, $_POST['ticket'] ?? 'a ticket'); // returns in microseconds
    $result = $receipt->getStatusName() . ' ' . $receipt->getDetail();
} catch (Throwable $e) {
    $result = $e->getMessage(); // a wrong option, a malformed cookie, or no FFI: the page still works
}
error_log($result);
