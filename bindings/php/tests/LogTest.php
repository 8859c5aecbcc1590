<?php

declare(strict_types=1);

namespace Esales\Notify\Tests;

use Esales\Notify\Exception\InvalidArgumentException;
use Esales\Notify\Identity;
use Esales\Notify\Log;
use Esales\Notify\Status;
use Esales\Notify\Tests\Support\Messages;
use Esales\Notify\Tests\Support\Process;
use Esales\Notify\Tests\Support\SandboxTestCase;
use Esales\Notify\Visitor;

/**
 * The messages that a logger gets.
 */
final class LogTest extends SandboxTestCase
{
    private const LIMIT_MS = Process::LIMIT_S * 1000;

    protected function tearDown(): void
    {
        Log::to(null);
    }

    public function testLogMessagesReachTheLogger(): void
    {
        $messages = new Messages();
        Log::to($messages, 'debug');
        $this->sandbox->script('503, 204');
        $client = $this->client(['gate_min_ms' => 10, 'gate_max_ms' => 10]);

        $id = $client->enqueueAddToCart($this->visitor(), 'ticket')->getId();
        self::assertTrue($client->flush(self::LIMIT_MS));
        $this->eventually(static function () use ($client, $messages, $id): ?bool {
            $client->stats();

            return strpos($messages->text(), $id) === false ? null : true;
        });

        self::assertContains('warning', $messages->levels(), $messages->text());
        self::assertContains('debug', $messages->levels(), $messages->text());
        self::assertSame([], array_diff($messages->levels(), ['error', 'warning', 'info', 'debug']));
        self::assertSame([], array_filter($messages->contexts()));
    }

    public function testLogMessagesHaveNoVisitorData(): void
    {
        $messages = new Messages();
        Log::to($messages, 'debug');
        $key = Identity::customerKey('customer 1');
        $token = Identity::customerToken('another key than the service has', $key);
        $secrets = [$key, self::SESSION_KEY, $token, 'the ticket'];
        // A service that repeats the request in its answer: first with a temporary, then with a final status.
        $body = ':body="' . implode(' ', $secrets) . '"';
        $this->sandbox->script("503$body, 503$body, 400$body");
        $client = $this->client(['gate_min_ms' => 10, 'gate_max_ms' => 10, 'max_attempts' => 1]);
        $visitor = Visitor::signedIn($key, self::SESSION_KEY, $token, 'UK');

        $this->failure(static fn () => $client->notifyAddToCart($visitor, 'the ticket'));
        $id = $client->enqueueAddToCart($visitor, 'the ticket')->getId();
        self::assertTrue($client->flush(self::LIMIT_MS));
        $client->close();

        self::assertCount(3, $this->sandbox->received());
        self::assertStringContainsString($id, $messages->text());
        foreach ($secrets as $secret) {
            self::assertStringNotContainsString($secret, $messages->text());
        }
    }

    public function testLogLevelLimitsTheMessages(): void
    {
        $messages = new Messages();
        // PSR-3's notice is above the library's info.
        Log::to($messages, 'notice');
        $this->sandbox->script('503, 204');
        $client = $this->client(['gate_min_ms' => 10, 'gate_max_ms' => 10]);
        $client->enqueueAddToCart($this->visitor(), 'ticket');
        self::assertTrue($client->flush(self::LIMIT_MS));

        self::assertSame(['warning'], array_values(array_unique($messages->levels())), $messages->text());
    }

    public function testReplacedLoggerGetsOnlyTheMessagesThatWereWaiting(): void
    {
        $first = new Messages();
        Log::to($first, 'debug');
        $client = $this->client();
        $client->enqueueAddToCart($this->visitor(), 'ticket');
        self::assertTrue($client->flush(self::LIMIT_MS));
        $second = new Messages();
        Log::to($second, 'debug');
        $count = count($first->levels());
        self::assertGreaterThan(0, $count);

        Log::to(null);
        $before = count($second->levels());
        $this->send($client);

        self::assertCount($count, $first->levels());
        self::assertCount($before, $second->levels());
    }

    public function testExceptionOfALoggerDoesNotReachTheCaller(): void
    {
        $logger = new class {
            public int $calls = 0;

            public function log(): void
            {
                $this->calls++;
                throw new \RuntimeException('the disk is full');
            }
        };
        Log::to($logger, 'debug');

        $receipt = $this->send($this->client());

        self::assertSame(Status::DELIVERED, $receipt->getStatus());
        self::assertGreaterThan(0, $logger->calls);
    }

    public function testLoggerCanCallTheClient(): void
    {
        $client = $this->client();
        $logger = new class ($client) extends Messages {
            /** @var \Esales\Notify\Client */
            private $client;

            public function __construct(\Esales\Notify\Client $client)
            {
                $this->client = $client;
            }

            public function log($level, $message, array $context = []): void
            {
                parent::log($level, $message, $context);
                $this->client->stats();
            }
        };
        Log::to($logger, 'debug');
        $this->send($client);

        self::assertNotSame([], $logger->levels());
        self::assertSame(1, count($this->sandbox->received()));
    }

    public function testInvalidLoggerOrLevelIsRefused(): void
    {
        $calls = [
            'stdClass' => static fn () => Log::to(new \stdClass()),
            'level' => static fn () => Log::to(new Messages(), 'verbose'),
        ];
        foreach ($calls as $word => $call) {
            $e = $this->failure($call);
            self::assertInstanceOf(InvalidArgumentException::class, $e);
            self::assertSame(Status::INVALID_ARGUMENT, $e->getStatus());
            self::assertStringContainsString($word, $e->getMessage());
        }
    }
}
