<?php

require 'vendor/autoload.php';

use Esales\Notify\Exception\{FinalException, InvalidArgumentException, RetryableException};

$client = new Esales\Notify\Client();
$customerKey = 'd9528030-509c-4e0f-b585-7168f1e9feca';
$sessionKey = 'b106299c-eac0-4f6f-96d2-93e57c255784';
$visitor = Esales\Notify\Visitor::anonymous($customerKey, $sessionKey, 'UK');
foreach (['', 'a ticket', 'a ticket', 'a ticket'] as $ticket) {
    try {
        $client->notifyAddToCart($visitor, $ticket);
        echo "delivered\n";
    } catch (RetryableException $e) { // to send it again, pass $e->getReceipt()->getId() as the id
        echo 'may succeed later: ', $e->getReceipt()->getDetail(), "\n";
    } catch (FinalException $e) {
        echo 'refused for good: ', $e->getReceipt()->getDetail(), "\n";
    } catch (InvalidArgumentException $e) {
        echo 'nothing was sent: ', $e->getMessage(), "\n";
    }
}
