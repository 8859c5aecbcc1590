<?php

declare(strict_types=1);

namespace Esales\Notify\Tests\Support;

use Esales\Notify\Client;
use Esales\Notify\Exception\NotifyException;
use Esales\Notify\Receipt;
use Esales\Notify\Visitor;
use PHPUnit\Framework\TestCase;

/**
 * A test with its own sandbox, so that connections and requests are not shared.
 */
abstract class SandboxTestCase extends TestCase
{
    protected const CUSTOMER_KEY = 'd9528030-509c-4e0f-b585-7168f1e9feca';

    protected const SESSION_KEY = 'b106299c-eac0-4f6f-96d2-93e57c255784';

    protected const PRIVATE_KEY = 'a private key';

    /** Long: tests of the budget set their own. */
    protected const BUDGET_MS = 20000;

    protected Sandbox $sandbox;

    /** @var list<resource> */
    private static array $taken = [];

    protected function setUp(): void
    {
        $this->sandbox = new Sandbox(['--private-key', self::PRIVATE_KEY]);
    }

    /**
     * @param array<string, string|int|bool|null> $options
     */
    protected function client(array $options = []): Client
    {
        return new Client($options + [
            'base_url' => $this->sandbox->baseUrl(),
            'timeout_ms' => self::BUDGET_MS,
            'enqueue_timeout_ms' => self::BUDGET_MS,
        ]);
    }

    /**
     * The base_url of a service that stays down: this process holds its port until it ends, and does not listen on
     * it.
     */
    protected function nobody(): string
    {
        $taken = stream_socket_server('tcp://127.0.0.1:0', $code, $message, STREAM_SERVER_BIND);
        self::$taken[] = $taken;

        return 'http://' . stream_socket_get_name($taken, false);
    }

    protected function visitor(): Visitor
    {
        return Visitor::anonymous(self::CUSTOMER_KEY, self::SESSION_KEY, 'UK');
    }

    protected function send(Client $client): Receipt
    {
        return $client->notifyAddToCart($this->visitor(), 'ticket');
    }

    /**
     * Calls the function until the result is not null, and returns it.
     *
     * @return mixed
     */
    protected function eventually(callable $ask)
    {
        $deadline = microtime(true) + Process::LIMIT_S;
        while (($answer = $ask()) === null) {
            self::assertLessThan($deadline, microtime(true), 'it did not happen');
            usleep(5000);
        }

        return $answer;
    }

    protected function failure(callable $call): NotifyException
    {
        try {
            $call();
        } catch (NotifyException $e) {
            return $e;
        }
        self::fail('nothing was thrown');
    }
}
