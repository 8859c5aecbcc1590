<?php

declare(strict_types=1);

namespace Esales\Notify\Tests;

use Esales\Notify\Client;
use Esales\Notify\Exception\ClosedException;
use Esales\Notify\Exception\InvalidArgumentException;
use Esales\Notify\Exception\InvalidConfigException;
use Esales\Notify\Exception\QueueFullException;
use Esales\Notify\Exception\ServerErrorException;
use Esales\Notify\Exception\SpoolFailedException;
use Esales\Notify\Notification;
use Esales\Notify\Receipt;
use Esales\Notify\Status;
use Esales\Notify\Tests\Support\Folder;
use Esales\Notify\Tests\Support\Package;
use Esales\Notify\Tests\Support\Process;
use Esales\Notify\Tests\Support\SandboxTestCase;

/**
 * The queue: accepted notifications, their outcomes, and their receipts.
 *
 * A queue outlives its clients and its sandbox. So a test lets remaining notifications expire, or sends them to an
 * unused address: a later sandbox may get the same port.
 */
final class QueueTest extends SandboxTestCase
{
    private const UUID = '/^[0-9a-f]{8}-[0-9a-f]{4}-4[0-9a-f]{3}-[89ab][0-9a-f]{3}-[0-9a-f]{12}$/D';

    /** The time limit of a flush() that must succeed, in milliseconds. */
    private const LIMIT_MS = Process::LIMIT_S * 1000;

    /** A client whose deliveries are tried again at once. */
    private const IMPATIENT = ['gate_min_ms' => 10, 'gate_max_ms' => 10];

    /** A client whose notifications expire, but not before a test has read them. */
    private const FORGETFUL = ['max_age_s' => 10] + self::IMPATIENT;

    private function enqueue(Client $client, ?string $id = null): Receipt
    {
        return $client->enqueueAddToCart($this->visitor(), 'ticket', $id);
    }

    /**
     * @return list<string>
     */
    private function receivedIds(): array
    {
        return array_column(array_column($this->sandbox->received(), 'notification'), 'id');
    }

    /**
     * Reads a receipt until it shows an attempt.
     */
    private function attempted(Client $client, string $id): Receipt
    {
        return $this->eventually(static function () use ($client, $id): ?Receipt {
            $receipt = $client->receipt($id);

            return $receipt !== null && $receipt->getAttempts() > 0 ? $receipt : null;
        });
    }

    public function testEnqueuedNotificationIsDelivered(): void
    {
        $client = $this->client();

        $receipt = $this->enqueue($client);

        self::assertSame(Status::QUEUED, $receipt->getStatus());
        self::assertSame('ESALES_QUEUED', $receipt->getStatusName());
        self::assertNull($receipt->getHttpStatus());
        self::assertSame(0, $receipt->getAttempts());
        self::assertMatchesRegularExpression(self::UUID, $receipt->getId());
        self::assertTrue($client->flush(self::LIMIT_MS));
        self::assertSame([$receipt->getId()], $this->receivedIds());
        self::assertSame('ticket', $this->sandbox->received()[0]['notification']['ticket']);
    }

    public function testEnqueuedIdOfTheCallerIsSent(): void
    {
        $client = $this->client();
        self::assertSame('order 7, row 2', $this->enqueue($client, 'order 7, row 2')->getId());
        self::assertTrue($client->flush(self::LIMIT_MS));
        self::assertSame(['order 7, row 2'], $this->receivedIds());
    }

    public function testQueueIsDeliveredAfterTheClientIsClosed(): void
    {
        $client = $this->client();
        $this->enqueue($client);
        $client->close();

        // Clients with the same options have the same queue.
        self::assertTrue($this->client()->flush(self::LIMIT_MS));
        self::assertCount(1, $this->receivedIds());
    }

    public function testReceiptIsQueuedWhileWaitingAndUnknownForAnUnknownId(): void
    {
        $this->sandbox->script('503:retry-after=30');
        $client = $this->client(self::FORGETFUL);
        $this->enqueue($client, 'waits');

        $receipt = $this->attempted($client, 'waits');

        self::assertSame(Status::QUEUED, $receipt->getStatus());
        self::assertSame('ESALES_QUEUED', $receipt->getStatusName());
        self::assertSame('waits', $receipt->getId());
        self::assertSame(1, $receipt->getAttempts());
        self::assertSame(503, $receipt->getHttpStatus());
        self::assertGreaterThan(0, $receipt->getElapsedMicroseconds());
        foreach (['another', '', str_repeat('x', 1000)] as $unknown) {
            self::assertNull($client->receipt($unknown));
        }
        $stats = $client->stats();
        self::assertSame(1, $stats->getGateFailures());
        self::assertGreaterThan(0, $stats->getGateClosedMilliseconds());
        self::assertLessThanOrEqual(30000, $stats->getGateClosedMilliseconds());
        self::assertGreaterThan(0, $stats->getPendingBytes());

        // The notification expires, although the service asked to wait.
        self::assertTrue($client->flush(self::LIMIT_MS));
        self::assertSame(Status::EXPIRED, $client->receipt('waits')->getStatus());
        self::assertSame(1, $client->stats()->getProcess()->getExpired());
        self::assertSame(['waits'], $this->receivedIds());
    }

    public function testReceiptHasTheOutcomeAfterDeliveryOrRefusal(): void
    {
        $this->sandbox->script('503, 204, 400');
        $client = $this->client(self::IMPATIENT);
        foreach (['delivered', 'refused'] as $id) {
            $this->enqueue($client, $id);
            self::assertTrue($client->flush(self::LIMIT_MS));
        }

        $delivered = $client->receipt('delivered');
        self::assertSame(Status::DELIVERED, $delivered->getStatus());
        self::assertSame('ESALES_DELIVERED', $delivered->getStatusName());
        self::assertSame(204, $delivered->getHttpStatus());
        self::assertSame(2, $delivered->getAttempts());
        $refused = $client->receipt('refused');
        self::assertSame(Status::BAD_REQUEST, $refused->getStatus());
        self::assertSame(400, $refused->getHttpStatus());
        self::assertNotSame('', $refused->getDetail());
    }

    public function testFlushKeepsItsDeadlineWhenTheServiceIsDown(): void
    {
        $client = $this->client(['base_url' => $this->nobody()] + self::FORGETFUL);
        for ($i = 0; $i < 3; $i++) {
            $this->enqueue($client);
        }

        // The margin, and five tries, are for a busy machine.
        for ($round = 1, $took = INF; $round <= 5 && $took >= 200 + 1500; $round++) {
            $before = hrtime(true);
            self::assertFalse($client->flush(200));
            $took = (hrtime(true) - $before) / 1e6;
            self::assertGreaterThanOrEqual(200, $took);
        }
        self::assertLessThan(200 + 1500, $took);
        $stats = $client->stats();
        self::assertTrue($stats->isBalanced());
        self::assertSame(3, $stats->getProcess()->getAccepted());
        self::assertSame(3, $stats->getProcess()->getPending());
        self::assertGreaterThan(0, $stats->getOldestAgeMilliseconds());
        self::assertFalse($client->flush(0));

        self::assertTrue($client->flush(self::LIMIT_MS));
        $stats = $client->stats();
        self::assertTrue($stats->isBalanced());
        self::assertSame(3, $stats->getProcess()->getExpired());
        self::assertSame([0, 0], [$stats->getPendingBytes(), $stats->getOldestAgeMilliseconds()]);
    }

    public function testStatsCountEveryOutcome(): void
    {
        $client = $this->client(self::IMPATIENT + ['concurrency' => 1]);
        $this->sandbox->script('204, 503, 403, 204');
        for ($i = 0; $i < 3; $i++) {
            $this->enqueue($client);
            self::assertTrue($client->stats()->isBalanced());
        }
        self::assertTrue($client->flush(self::LIMIT_MS));

        $stats = $client->stats();
        self::assertTrue($stats->isBalanced());
        foreach ([$stats->getSpool(), $stats->getProcess()] as $counts) {
            self::assertTrue($counts->isBalanced());
            self::assertSame(3, $counts->getAccepted());
            self::assertSame(2, $counts->getDelivered());
            self::assertSame(1, $counts->getDead());
            self::assertSame([0, 0, 0], [$counts->getExpired(), $counts->getDropped(), $counts->getPending()]);
        }
        self::assertSame(0, $stats->getProcessRefused());
        self::assertSame([0, 0], [$stats->getGateFailures(), $stats->getGateClosedMilliseconds()]);
        foreach ([$stats->getAgeMilliseconds(), $stats->getLatencyMicroseconds()] as $times) {
            self::assertGreaterThanOrEqual($times->getP50(), $times->getP95());
            self::assertGreaterThanOrEqual($times->getP95(), $times->getP99());
        }
        self::assertGreaterThan(0, $stats->getLatencyMicroseconds()->getP50());
    }

    public function testFailedNotifyIsQueuedWhenOnFailureIsQueue(): void
    {
        $this->sandbox->script('503, 204');
        $client = $this->client(['on_failure' => 'queue', 'max_attempts' => 1] + self::IMPATIENT);

        $receipt = $this->send($client);

        self::assertSame(Status::QUEUED, $receipt->getStatus());
        self::assertSame(1, $receipt->getAttempts());
        self::assertTrue($client->flush(self::LIMIT_MS));
        self::assertSame(Status::DELIVERED, $client->receipt($receipt->getId())->getStatus());
        self::assertSame([$receipt->getId(), $receipt->getId()], $this->receivedIds());
    }

    public function testEnqueueRaisesQueueFullWhenTheQueueIsFull(): void
    {
        $client = $this->client(['base_url' => $this->nobody(), 'max_items' => 1]);
        $this->enqueue($client);

        $e = $this->failure(fn () => $this->enqueue($client, 'one too many'));

        self::assertSame(QueueFullException::class, get_class($e));
        self::assertSame(Status::QUEUE_FULL, $e->getStatus());
        self::assertSame(Status::name(Status::QUEUE_FULL), $e->getStatusName());
        self::assertSame('one too many', $e->getReceipt()->getId());
        self::assertSame($e->getMessage(), $e->getReceipt()->getDetail());
        self::assertNull($client->receipt('one too many'));
        $stats = $client->stats();
        self::assertSame(1, $stats->getProcessRefused());
        self::assertSame(1, $stats->getProcess()->getAccepted());
    }

    public function testOldestIsDroppedWhenOverflowIsDropOldest(): void
    {
        $client = $this->client(['base_url' => $this->nobody(), 'max_items' => 1, 'overflow' => 'drop_oldest']);
        $this->enqueue($client, 'old');
        $this->enqueue($client, 'new');

        self::assertSame(Status::DROPPED, $client->receipt('old')->getStatus());
        self::assertSame(Status::QUEUED, $client->receipt('new')->getStatus());
        self::assertSame(1, $client->stats()->getProcess()->getDropped());
        self::assertTrue($client->stats()->isBalanced());
    }

    public function testUnwritableSpoolRaisesASpoolException(): void
    {
        $folder = new Folder();
        $spool = $folder->path('letters');
        mkdir($spool);
        file_put_contents("$spool/letter", 'Dear customer');
        $client = $this->client(['spool' => $spool, 'delivery' => 'none']);

        $e = $this->failure(fn () => $this->enqueue($client, 'an id'));

        self::assertSame(SpoolFailedException::class, get_class($e));
        self::assertSame(Status::SPOOL_FAILED, $e->getStatus());
        self::assertStringContainsString($spool, $e->getMessage());
        self::assertSame('an id', $e->getReceipt()->getId());
        foreach (['stats' => [], 'flush' => [0], 'receipt' => ['an id']] as $method => $arguments) {
            $e = $this->failure(static fn () => $client->$method(...$arguments));
            self::assertSame(SpoolFailedException::class, get_class($e), $method);
            self::assertStringContainsString($spool, $e->getMessage());
        }
        self::assertSame('Dear customer', file_get_contents("$spool/letter"));
    }

    public function testUnusableSpoolPathRaisesASpoolException(): void
    {
        $folder = new Folder();
        $e = $this->failure(fn () => $this->client(['spool' => $folder->path('no-such-folder/spool')]));
        self::assertSame(SpoolFailedException::class, get_class($e));

        $e = $this->failure(fn () => $this->client(['spool' => 'relative/spool']));
        self::assertSame(InvalidConfigException::class, get_class($e));
    }

    public function testNotifyReportsBothFailuresWhenQueueingFailsToo(): void
    {
        $this->sandbox->script('503');
        $folder = new Folder();
        $spool = $folder->path('queue/spool');
        mkdir(dirname($spool));
        $options = ['spool' => $spool, 'delivery' => 'none', 'on_failure' => 'queue', 'max_attempts' => 1];
        $client = $this->client($options);
        rmdir(dirname($spool));

        $e = $this->failure(fn () => $this->send($client));

        self::assertSame(ServerErrorException::class, get_class($e));
        self::assertStringContainsString($spool, $e->getMessage());
    }

    public function testSpoolIsDeliveredByAnotherProcess(): void
    {
        $folder = new Folder();
        $spool = $folder->path('spool');
        $client = $this->client(['spool' => $spool, 'delivery' => 'none']);
        $ids = [];
        for ($i = 0; $i < 3; $i++) {
            $ids[] = $this->enqueue($client)->getId();
        }
        self::assertFalse($client->flush(0));
        self::assertSame(3, $client->stats()->getSpool()->getPending());
        self::assertSame([], $this->receivedIds());

        $other = new Process([PHP_BINARY, __DIR__ . '/programs/deliver.php'], [
            'ESALES_BASE_URL' => $this->sandbox->baseUrl(),
            'ESALES_SPOOL' => $spool,
            'ESALES_NOTIFY_LIBRARY' => Package::library(),
        ]);
        self::assertSame([0, "[true,3,0]\n", ''], $other->finish());

        self::assertEqualsCanonicalizing($ids, $this->receivedIds());
        self::assertTrue($client->flush(0));
        $stats = $client->stats();
        self::assertTrue($stats->isBalanced());
        self::assertSame([3, 3], [$stats->getSpool()->getDelivered(), $stats->getProcess()->getDelivered()]);
        self::assertSame(Status::DELIVERED, $client->receipt($ids[2])->getStatus());
    }

    public function testProgramThatStopsItsDeliverySendsNothingTwice(): void
    {
        $folder = new Folder();
        $spool = $folder->path('spool');
        $client = $this->client(['spool' => $spool, 'delivery' => 'none']);
        $ids = [];
        for ($i = 0; $i < 1000; $i++) {
            $ids[] = $this->enqueue($client)->getId();
        }
        // Slow enough that a pause of a busy machine does not deliver all of them.
        $this->sandbox->script('normal:wait=20:times=forever');
        foreach (['', 'stop', '', 'stop'] as $how) {
            $before = count($this->receivedIds());
            $program = new Process([PHP_BINARY, __DIR__ . '/programs/end.php', $how], [
                'ESALES_BASE_URL' => $this->sandbox->baseUrl(),
                'ESALES_SPOOL' => $spool,
                'ESALES_CONCURRENCY' => '8',
                'ESALES_NOTIFY_LIBRARY' => Package::library(),
            ]);
            self::assertSame([0, '', ''], $program->finish());
            $received = count($this->receivedIds());
            self::assertGreaterThan($before, $received);
            self::assertLessThan(count($ids), $received);
            self::assertSame($received, $client->stats()->getSpool()->getDelivered());
        }

        self::assertTrue($this->client(['spool' => $spool])->flush(60000));
        self::assertEqualsCanonicalizing($ids, $this->receivedIds());
    }

    public function testStoppedDeliveryStaysStopped(): void
    {
        $folder = new Folder();
        $client = $this->client(['spool' => $folder->path('spool')]);
        $this->enqueue($client);
        self::assertTrue($client->flush(60000));

        self::assertTrue($client->stopDelivery(60000));

        $this->enqueue($client);
        self::assertFalse($client->flush(200));
        self::assertCount(1, $this->receivedIds());
    }

    public function testClosedClientRaisesAClosedExceptionForQueueCalls(): void
    {
        $client = $this->client();
        $client->close();
        $calls = [
            fn () => $this->enqueue($client),
            static fn () => $client->flush(0),
            static fn () => $client->stopDelivery(0),
            static fn () => $client->stats(),
            static fn () => $client->receipt('an id'),
        ];
        foreach ($calls as $call) {
            self::assertInstanceOf(ClosedException::class, $this->failure($call));
        }
    }

    public function testEnqueueRefusesAMalformedArgument(): void
    {
        $client = $this->client();
        $visitor = $this->visitor();
        $calls = [
            'ticket contains a NUL byte' => static fn () => $client->enqueueAddToCart($visitor, "a\0b"),
            'id contains a NUL byte' => static fn () => $client->enqueueAddToCart($visitor, 'ticket', "a\0b"),
            ' id contains a NUL byte' => static fn () => $client->receipt("a\0b"),
            'timeout_ms must be from 0' => static fn () => $client->flush(-1),
            ' timeout_ms must be from 0' => static fn () => $client->stopDelivery(-1),
            'timeout_ms must be from 0 to 4294967295' => static fn () => $client->flush(1 << 32),
            'ticket' => static fn () => $client->enqueueAddToCart($visitor, ''),
        ];
        foreach ($calls as $message => $call) {
            $e = $this->failure($call);
            self::assertInstanceOf(InvalidArgumentException::class, $e);
            self::assertSame(Status::INVALID_ARGUMENT, $e->getStatus());
            self::assertStringContainsString(trim($message), $e->getMessage());
        }
        self::assertSame(0, $client->stats()->getProcess()->getAccepted());
        self::assertTrue($client->flush(0xFFFFFFFF));
    }

    public function testTryEnqueueReturnsTheReceiptWhenItIsAccepted(): void
    {
        $client = $this->client();

        $receipts = [
            $client->tryEnqueue($this->visitor(), Notification::click('ticket')),
            $client->tryEnqueueAddToCart($this->visitor(), 'ticket', 'an id'),
        ];

        self::assertTrue($client->flush(self::LIMIT_MS));
        self::assertSame([Status::QUEUED, Status::QUEUED], [$receipts[0]->getStatus(), $receipts[1]->getStatus()]);
        self::assertSame('an id', $receipts[1]->getId());
        self::assertCount(2, $this->sandbox->received());
    }

    public function testTryEnqueueReturnsANegativeStatusWhenItIsNotAccepted(): void
    {
        $client = $this->client(['max_items' => 1, 'base_url' => 'http://127.0.0.1:9'] + self::FORGETFUL);
        $this->enqueue($client);
        $closed = $this->client();
        $closed->close();
        $visitor = $this->visitor();
        $expected = [
            [Status::QUEUE_FULL, 'the queue is full', $client->tryEnqueueAddToCart($visitor, 'ticket')],
            [Status::INVALID_ARGUMENT, 'ticket is empty', $client->tryEnqueueAddToCart($visitor, '')],
            [Status::INVALID_ARGUMENT, 'NUL byte', $client->tryEnqueueAddToCart($visitor, "a\0")],
            // Values that $_POST may contain.
            [Status::INVALID_ARGUMENT, '$ticket', $client->tryEnqueueAddToCart($visitor, ['an array'])],
            [Status::INVALID_ARGUMENT, '$visitor', $client->tryEnqueue(null, Notification::end())],
            [Status::CLOSED, 'closed', $closed->tryEnqueue($visitor, Notification::end())],
        ];
        foreach ($expected as [$status, $detail, $receipt]) {
            self::assertSame([$status, Status::name($status)], [$receipt->getStatus(), $receipt->getStatusName()]);
            self::assertStringContainsString($detail, $receipt->getDetail());
        }
    }

    public function testMemoryStaysFlatOverManyQueueCalls(): void
    {
        $client = $this->client();
        $use = function () use ($client): void {
            for ($i = 0; $i < 200; $i++) {
                $receipt = $client->enqueueAddToCart($this->visitor(), str_repeat('t', 8000));
                $client->receipt($receipt->getId());
                $client->stats();
            }
        };
        $use();
        $before = memory_get_usage();
        $use();
        self::assertLessThan(8000, memory_get_usage() - $before);
        self::assertTrue($client->flush(self::LIMIT_MS));
        self::assertCount(400, $this->sandbox->received());
    }
}
