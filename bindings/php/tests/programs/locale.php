<?php

/**
 * Sends a payment under a locale whose decimal point is a comma.
 */

declare(strict_types=1);

require __DIR__ . '/../../preload.php';

use Esales\Notify\{Client, Line, Notification, Visitor};

$locale = setlocale(LC_ALL, 'de_DE.UTF-8');
$formatted = number_format(1234.5, 1, localeconv()['decimal_point'], localeconv()['thousands_sep']);
$lines = [new Line('P', null, 1234, '1234.5', '1.25'), new Line('P', null, 1, 1234, 1)];
$receipt = (new Client())->notify(
    Visitor::anonymous('c', 's', 'UK'),
    Notification::securePayment($lines, 'a private key')
);
echo "$locale $formatted ", $receipt->getStatusName(), "\n";
