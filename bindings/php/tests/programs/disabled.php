<?php

/**
 * Uses every entry point of the package. It calls no PHP function itself, because the functions may be disabled.
 */

declare(strict_types=1);

namespace Esales\Notify\Tests\Programs;

use Esales\Notify\Client;
use Esales\Notify\Exception\LibraryException;
use Esales\Notify\Identity;
use Esales\Notify\Internal\PreloadHeader;
use Esales\Notify\Line;
use Esales\Notify\Log;
use Esales\Notify\Notification;
use Esales\Notify\Status;
use Esales\Notify\Visitor;

require __DIR__ . '/../../preload.php';

$entrances = [
    'a client' => static fn () => new Client(),
    'a client with options' => static fn () => new Client(['cluster_id' => 'a']),
    'a client with a library' => static fn () => new Client(['cluster_id' => 'a'], '/nonexistent'),
    'a client of an agent' => static fn () => new Client(['agent' => '127.0.0.1:1']),
    'a visitor' => static fn () => Visitor::anonymous('c', 's', 'UK'),
    'a line' => static fn () => new Line('P', null, 1, '1'),
    'a notification' => static fn () => Notification::payment([]),
    'a customer key' => static fn () => Identity::customerKey('1'),
    'a new key' => static fn () => Identity::newKey(),
    'a log' => static fn () => Log::to(null),
    'a status' => static fn () => Status::name(0),
    'a version' => static fn () => Client::libraryVersion(),
    'a preload header' => static fn () => PreloadHeader::text(null),
];
foreach ($entrances as $name => $entrance) {
    try {
        $entrance();
        echo $name, ": works\n";
    } catch (LibraryException $e) {
        echo $name, ': ', $e->getMessage(), "\n";
    }
}
