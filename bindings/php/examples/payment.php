<?php

require 'vendor/autoload.php';

use Esales\Notify\{Client, Line, Notification, Visitor};

$client = new Client();
$customerKey = 'd9528030-509c-4e0f-b585-7168f1e9feca'; // the visitor's, kept in a cookie
$sessionKey = 'b106299c-eac0-4f6f-96d2-93e57c255784'; // the visit's
$visitor = Visitor::anonymous($customerKey, $sessionKey, 'UK');
$order = [ // product, variant, quantity, price, cost; prices are sent exactly as given: string or int, never a float
    new Line('P_125383', 'P_125383-0014_UK', 1, '199.50', '80'),
    new Line('P_4711', null, 2, '24.90'),
];
$events = [
    Notification::click('a ticket'), // a product that the service showed
    Notification::nonEsalesClick('P_4711'), // a product that your shop showed without the service
    Notification::nonEsalesAddToCart('P_4711', 'P_4711-0002_UK'),
    Notification::securePayment($order, 'a private key'), // when the order is paid; the key of your cluster
    Notification::end(), // when the visitor signs out
];
foreach ($events as $event) {
    $receipt = $client->notify($visitor, $event); // or enqueue()
    echo $receipt->getStatusName(), "\n";
}
