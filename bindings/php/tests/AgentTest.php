<?php

declare(strict_types=1);

namespace Esales\Notify\Tests;

use Esales\Notify\Client;
use Esales\Notify\ClientOptions;
use Esales\Notify\Exception\InvalidArgumentException;
use Esales\Notify\Exception\InvalidConfigException;
use Esales\Notify\Exception\LibraryException;
use Esales\Notify\Exception\QueueFullException;
use Esales\Notify\Exception\SpoolFailedException;
use Esales\Notify\Notification;
use Esales\Notify\Status;
use Esales\Notify\Tests\Support\Agent;
use Esales\Notify\Tests\Support\Folder;
use Esales\Notify\Tests\Support\Http;
use Esales\Notify\Tests\Support\Package;
use Esales\Notify\Tests\Support\Process;
use Esales\Notify\Tests\Support\SandboxTestCase;
use Esales\Notify\Tests\Support\Vectors;

/**
 * The client of an agent, which needs no FFI.
 */
final class AgentTest extends SandboxTestCase
{
    private Folder $folder;

    private ?Agent $agent = null;

    protected function setUp(): void
    {
        parent::setUp();
        $this->folder = new Folder();
    }

    protected function tearDown(): void
    {
        $this->agent = null;
    }

    /**
     * @param list<string> $arguments
     */
    private function start(array $arguments = []): Agent
    {
        return $this->agent = new Agent($this->folder, $this->sandbox->baseUrl(), $arguments);
    }

    private function through(string $address): Client
    {
        return new Client(['agent' => $address, 'enqueue_timeout_ms' => self::BUDGET_MS]);
    }

    /**
     * @return list<array<string, mixed>>
     */
    private function delivered(int $count): array
    {
        return $this->eventually(
            fn () => count($this->sandbox->received()) >= $count ? $this->sandbox->received() : null
        );
    }

    /**
     * The bodies without repetitions. An agent that is killed may have sent one already, and the next agent sends it
     * again.
     *
     * @return list<string>
     */
    private function distinct(int $count): array
    {
        return $this->eventually(function () use ($count): ?array {
            $bodies = array_values(array_unique(array_column($this->sandbox->received(), 'body')));

            return count($bodies) >= $count ? $bodies : null;
        });
    }

    public function testServiceReceivesEveryVectorByteForByte(): void
    {
        $agent = $this->start();
        $rows = array_column(Package::vectors('notifications.json'), 0);
        $this->sandbox->script('204:times=' . count($rows));
        foreach ($rows as $number => $row) {
            $client = $this->through($number % 2 === 0 ? $agent->address() : $agent->socket());
            $receipt = $client->enqueue(Vectors::visitorOf($row), Vectors::notificationOf($row));
            self::assertSame([Status::QUEUED, $row['id']], [$receipt->getStatus(), $receipt->getId()], $row['name']);
        }
        $sent = static function (array $rows): array {
            $pairs = array_map(static fn (array $row): array => [$row['path'], $row['body']], $rows);
            sort($pairs);

            return $pairs;
        };
        self::assertSame($sent($rows), $sent($this->delivered(count($rows))));
    }

    public function testBadInputIsRefusedAsByTheLibrary(): void
    {
        $agent = $this->start();
        $withAgent = $this->through($agent->socket());
        $withLibrary = $this->client(['spool' => $this->folder->path() . '/spool']);
        $compared = 0;
        foreach (VectorsTest::badInput() as [$row]) {
            if ($row['call'] !== 'notify') {
                continue;
            }
            try {
                $changed = Vectors::changed($row);
                $visitor = Vectors::visitorOf($changed);
                $notification = Vectors::notificationOf($changed);
            } catch (\TypeError | InvalidArgumentException $e) {
                continue; // refused without any client
            }
            $refused = $this->failure(static fn () => $withAgent->enqueue($visitor, $notification));
            $expected = $this->failure(static fn () => $withLibrary->enqueue($visitor, $notification));
            self::assertSame(get_class($expected), get_class($refused), $row['name']);
            self::assertSame($expected->getStatusName(), $refused->getStatusName());
            // An order over 2 MiB is refused by HTTP.
            if ($row['names'] !== 'lines are too long') {
                // In C, an id that is too long for its receipt is cut before it is checked.
                $comparable = static fn (\Throwable $e): string => (string) preg_replace(
                    ['/^(visitor|notification)\./', '/^id is \d+ bytes/', '/ \(line_count\)/'],
                    ['', 'id is N bytes', ''],
                    $e->getMessage()
                );
                self::assertSame($comparable($expected), $comparable($refused), $row['name']);
            }
            $compared++;
        }
        self::assertGreaterThan(100, $compared);
        self::assertSame([], $this->sandbox->received());
    }

    /**
     * @return array<string, array{list<string>}>
     */
    public static function without(): array
    {
        return [
            'switched off' => [['-d', 'ffi.enable=0']],
            'not there' => [['-n']],
        ];
    }

    /**
     * @dataProvider without
     *
     * @param list<string> $flags
     */
    public function testShopWorksWhenFfiIsNotAvailable(array $flags): void
    {
        $agent = $this->start();
        $program = array_merge([PHP_BINARY], $flags, [__DIR__ . '/programs/agent.php']);
        foreach ([$agent->socket(), $agent->address(), 'http://' . $agent->address()] as $address) {
            $this->sandbox->clear();
            $shop = new Process($program, ['ESALES_AGENT' => $address, 'ESALES_CLUSTER_ID' => 'ignored']);
            [$code, $output, $errors] = $shop->finish();
            self::assertSame(
                [0, "no FFI\n" . str_repeat("ESALES_QUEUED\nESALES_DELIVERED\n", 2) . LibraryException::class . "\n"],
                [$code, $output],
                $errors
            );
            // The service accepts the tokens that PHP made.
            self::assertSame([204, 204], array_column($this->sandbox->received(), 'status'));
        }
    }

    public function testExceptionNamesTheAlternativeWhenTheAgentCannotDoIt(): void
    {
        $client = $this->through('127.0.0.1:1');
        foreach (
            [
                'enqueue()' => fn () => $client->notify($this->visitor(), Notification::end()),
                'enqueueAddToCart()' => fn () => $client->notifyAddToCart($this->visitor(), 't'),
                '/metrics' => static fn () => $client->stats(),
                'receipt()' => static fn () => $client->flush(0),
            ] as $instead => $call
        ) {
            $e = $this->failure($call);
            self::assertInstanceOf(InvalidConfigException::class, $e);
            self::assertStringContainsString($instead, $e->getMessage());
        }
        self::assertTrue($client->stopDelivery(0));
    }

    public function testReceiptIsNullWhenTheIdIsUnknown(): void
    {
        $client = $this->through($this->start()->address());
        self::assertNull($client->receipt('unknown/ id'));
        self::assertNull($client->receipt(''));
        $receipt = $client->enqueue($this->visitor(), Notification::end('an/ id'));
        self::assertSame('an/ id', $client->receipt($receipt->getId())->getId());
    }

    public function testEnqueueThrowsWhenTheQueueIsFull(): void
    {
        $this->sandbox->script('503:times=forever');
        $client = $this->through($this->start(['--max-items', '1'])->socket());
        $client->enqueueAddToCart($this->visitor(), 'one', 'one');
        $e = $this->failure(fn () => $client->enqueueAddToCart($this->visitor(), 'two', 'two'));
        self::assertInstanceOf(QueueFullException::class, $e);
        self::assertSame('two', $e->getReceipt()->getId());
    }

    public function testEnqueueThrowsWhenNoAgentListens(): void
    {
        $nobody = substr($this->nobody(), strlen('http://'));
        foreach (['unix:' . $this->folder->path() . '/nobody', $nobody] as $address) {
            $client = $this->through($address);
            foreach ([Notification::end(), Notification::payment([])] as $notification) {
                $e = $this->failure(fn () => $client->enqueue($this->visitor(), $notification));
                self::assertInstanceOf(SpoolFailedException::class, $e);
                self::assertStringEndsWith('; the notification was not accepted', $e->getMessage());
                self::assertStringContainsString($address, $e->getMessage());
            }
        }
    }

    public function testExceptionWarnsOfPossibleAcceptanceWhenTheAgentDoesNotAnswer(): void
    {
        $silent = stream_socket_server('tcp://127.0.0.1:0');
        $address = stream_socket_get_name($silent, false);
        $client = new Client(['agent' => $address, 'enqueue_timeout_ms' => 50]);
        foreach ([Notification::end(), Notification::payment([])] as $notification) {
            $e = $this->failure(fn () => $client->enqueue($this->visitor(), $notification));
            self::assertInstanceOf(SpoolFailedException::class, $e);
            self::assertStringEndsWith('; the notification may yet be accepted', $e->getMessage());
        }
    }

    public function testClientKeepsWorkingWhenTheAgentWasRestarted(): void
    {
        $agent = $this->start();
        $client = $this->through($agent->socket());
        $client->enqueueAddToCart($this->visitor(), 't', 'before');
        $agent->stop();
        $this->start();
        $client->enqueueAddToCart($this->visitor(), 't', 'after');
        $client->enqueue($this->visitor(), Notification::end('end'));
        self::assertCount(3, $this->distinct(3));
    }

    public function testPagesOfOneWorkerShareAConnection(): void
    {
        $agent = $this->start();
        $taken = stream_socket_server('tcp://127.0.0.1:0');
        $address = stream_socket_get_name($taken, false);
        fclose($taken);
        $web = new Process(
            [PHP_BINARY, '-n', '-S', $address, __DIR__ . '/programs/agent_page.php'],
            ['ESALES_AGENT' => $agent->socket()]
        );
        $web->waitFor(2, '~(started)~');
        $before = $this->connections($agent);
        $ids = [];
        for ($n = 0; $n < 20; $n++) {
            $ids[] = Http::request('GET', "http://$address/", '')['body'];
        }
        self::assertCount(20, array_unique($ids));
        self::assertSame($before + 1, $this->connections($agent));
        // The worker finds its connection closed, and opens another one.
        $agent->stop();
        $this->start();
        self::assertMatchesRegularExpression('/^[0-9a-f-]{36}$/', Http::request('GET', "http://$address/", '')['body']);
        self::assertCount(21, $this->distinct(21));
    }

    private function connections(Agent $agent): int
    {
        preg_match('/^esales_agent_connections\{.*\} (\d+)$/m', $agent->metrics(), $found);

        return (int) $found[1];
    }

    public function testChildOfAForkHasAConnectionOfItsOwn(): void
    {
        $client = $this->through($this->start()->socket());
        $client->enqueueAddToCart($this->visitor(), 't', 'parent');
        $child = pcntl_fork();
        if ($child === 0) {
            $receipt = $client->enqueueAddToCart($this->visitor(), 't', 'child');
            // Without the parent's destructors.
            posix_kill(getmypid(), $receipt->getId() === 'child' ? SIGKILL : SIGTERM);
        }
        $client->enqueueAddToCart($this->visitor(), 't', 'parent again');
        pcntl_waitpid($child, $status);
        self::assertSame(SIGKILL, pcntl_wtermsig($status));
        self::assertCount(3, $this->delivered(3));
    }

    /**
     * @return array<string, array{array<string, string|int>, string}>
     */
    public static function wrongOptions(): array
    {
        return [
            'an option of the agent' => [['agent' => '127.0.0.1:1', 'spool' => '/x'], 'spool'],
            'a time-out that is none' => [['agent' => '127.0.0.1:1', 'enqueue_timeout_ms' => 0], 'enqueue_timeout_ms'],
            'no address' => [['agent' => 'agent'], 'agent must be'],
            'a relative path' => [['agent' => 'unix:x'], 'agent must be'],
            'https' => [['agent' => 'https://127.0.0.1:1'], 'agent must be'],
        ];
    }

    /**
     * @dataProvider wrongOptions
     *
     * @param array<string, string|int> $options
     */
    public function testOptionIsRefusedByNameWhenItIsNotForAnAgent(array $options, string $names): void
    {
        $e = $this->failure(static fn () => new Client($options));
        self::assertInstanceOf(InvalidConfigException::class, $e);
        self::assertStringContainsString($names, $e->getMessage());
    }

    public function testMarketOfTheOptionsIsUsedWhenTheVisitorHasNone(): void
    {
        $agent = $this->start();
        $options = new ClientOptions(null, null, null, null, null, null, null, null, null, 'SE');
        $client = new Client(['agent' => $agent->socket()] + $options->toArray());
        $client->enqueue(\Esales\Notify\Visitor::anonymous(self::CUSTOMER_KEY, self::SESSION_KEY), Notification::end());
        self::assertStringContainsString('"market":"SE"', $this->delivered(1)[0]['body']);
    }
}
