<?php

/**
 * One page view of a shop: prints as JSON the outcome of the event, and the descriptors that a child process inherits.
 *
 * Every failure is a 500 with the message.
 */

declare(strict_types=1);

use Esales\Notify\{Client, Visitor};

// The package is next to the web root. If opcache.preload has loaded its classes, this must load nothing.
if (!class_exists(Client::class, false)) {
    require __DIR__ . '/../vendor/esales/notify/preload.php';
}

/** @return list<string> what the descriptors of this process lead to */
function own(): array
{
    return array_values(array_filter(array_map(
        static fn(string $name): string => (string) @readlink("/proc/self/fd/$name"),
        array_diff(scandir('/proc/self/fd'), ['.', '..'])
    )));
}

/** @return list<string> the same of a program that is started from here */
function inherited(): array
{
    $program = proc_open(['find', '/proc/self/fd', '-type', 'l', '-printf', '%l\n'], [
        ['file', '/dev/null', 'r'], ['pipe', 'w'], ['file', '/dev/null', 'w'],
    ], $pipes);
    $lines = explode("\n", trim(stream_get_contents($pipes[1])));
    fclose($pipes[1]);
    proc_close($program);

    return $lines;
}

header('Content-Type: application/json');
$answer = ['pid' => getmypid(), 'sapi' => PHP_SAPI];
try {
    $do = $_GET['do'] ?? '';
    if ($do === 'enqueue' || $do === 'send') {
        $client = new Client();
        $visitor = Visitor::anonymous('d9528030-509c-4e0f-b585-7168f1e9feca', 'b106299c-eac0-4f6f-96d2-93e57c255784');
        $call = $do === 'send' ? 'notifyAddToCart' : 'enqueueAddToCart';
        $receipt = $client->$call($visitor, 'ticket', $_GET['id']);
        $answer += ['status' => $receipt->getStatusName(), 'id' => $receipt->getId()];
    }
    if (isset($_GET['leak'])) {
        // Of C's memory, which is not given back at the end of the page.
        FFI::new('char[400]', false, true);
    }
    if ($do === 'die') {
        // Like the out-of-memory killer.
        posix_kill(getmypid(), 9);
    }
    if (isset($_GET['descriptors'])) {
        $answer += ['own' => own(), 'inherited' => inherited()];
    }
} catch (Throwable $e) {
    http_response_code(500);
    $answer += ['status' => get_class($e), 'words' => $e->getMessage()];
}
echo json_encode($answer, JSON_THROW_ON_ERROR | JSON_UNESCAPED_SLASHES), "\n";
