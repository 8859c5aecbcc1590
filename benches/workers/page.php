<?php

/**
 * A shop's page: does one thing and says how many nanoseconds of the page's time it took.
 *
 *   ?do=send   ours: a client, one blocking call
 *   ?do=load   ours: the library's version, which loads it
 *   ?do=curl   ext-curl with a new handle
 */

declare(strict_types=1);

use Esales\Notify\{Client, Visitor};

require __DIR__ . '/curl.php';
$settings = json_decode(file_get_contents(__DIR__ . '/settings.json'), true);

$start = hrtime(true);
if ($_GET['do'] === 'curl') {
    curl_post(curl_handle($settings));
} else {
    // Loads nothing if opcache.preload has loaded the classes.
    if (!class_exists(Client::class, false)) {
        require __DIR__ . '/../vendor/esales/notify/preload.php';
    }
    if ($_GET['do'] === 'load') {
        Client::libraryVersion();
    } else {
        $client = new Client();
        $visitor = Visitor::anonymous('d9528030-509c-4e0f-b585-7168f1e9feca', 'b106299c-eac0-4f6f-96d2-93e57c255784', 'UK');
        $client->notifyAddToCart($visitor, $settings['ticket']);
    }
}
echo json_encode(['ns' => hrtime(true) - $start]);
