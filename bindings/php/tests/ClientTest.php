<?php

declare(strict_types=1);

namespace Esales\Notify\Tests;

use Esales\Notify\Client;
use Esales\Notify\ClientOptions;
use Esales\Notify\Exception\ClosedException;
use Esales\Notify\Exception\InvalidArgumentException;
use Esales\Notify\Exception\NotifyException;
use Esales\Notify\Identity;
use Esales\Notify\Log;
use Esales\Notify\Status;
use Esales\Notify\Tests\Support\Package;
use Esales\Notify\Tests\Support\Process;
use Esales\Notify\Tests\Support\SandboxTestCase;
use Esales\Notify\Visitor;

/**
 * The lifetime of a client, its connections, and arguments that it refuses before it calls the library.
 */
final class ClientTest extends SandboxTestCase
{
    public function testFiftySendsUseOneConnection(): void
    {
        $client = $this->client();
        for ($i = 0; $i < 50; $i++) {
            $this->send($client);
        }
        self::assertCount(50, $this->sandbox->received());
        self::assertSame(1, $this->sandbox->connections());
    }

    public function testConsecutiveClientsShareOneConnection(): void
    {
        $first = $this->client();
        $this->send($first);
        $first->close();
        $second = $this->client();
        $this->send($second);
        unset($second);
        $this->send($this->client());

        self::assertCount(3, $this->sandbox->received());
        self::assertSame(1, $this->sandbox->connections());
    }

    public function testClientAcceptsTypedOptions(): void
    {
        if (PHP_VERSION_ID < 80100) {
            self::markTestSkipped('named arguments');
        }
        $named = ['baseUrl' => $this->sandbox->baseUrl(), 'market' => 'SE', 'timeoutMs' => self::BUDGET_MS];
        $options = new ClientOptions(...$named);
        self::assertSame(self::BUDGET_MS, $options->toArray()['timeout_ms']);
        $this->send(new Client($options));

        self::assertCount(1, $this->sandbox->received());
        $e = $this->failure(static fn () => new Client(new ClientOptions(...['timeoutMs' => 0])));
        self::assertSame(Status::INVALID_CONFIG, $e->getStatus());
        self::assertStringContainsString('timeout_ms', $e->getMessage());
    }

    public function testClosedClientRaisesAClosedException(): void
    {
        $client = $this->client();
        $client->close();
        $client->close();

        $e = $this->failure(fn () => $this->send($client));

        self::assertInstanceOf(ClosedException::class, $e);
        self::assertSame(Status::CLOSED, $e->getStatus());
        self::assertSame('ESALES_CLOSED', $e->getStatusName());
        self::assertSame(Status::name(Status::CLOSED), $e->getStatusName());
        self::assertSame([], $this->sandbox->received());
    }

    public function testClientCannotBeCopied(): void
    {
        $client = $this->client();
        try {
            clone $client;
            self::fail('was cloned');
        } catch (\Error $e) {
            self::assertStringContainsString('clone', $e->getMessage());
        }
        $this->expectException(\Exception::class);
        $this->expectExceptionMessageMatches('/[Ss]erializ/');
        serialize($client);
    }

    public function testParentAndChildSendAfterAFork(): void
    {
        $program = new Process(
            [PHP_BINARY, __DIR__ . '/programs/fork.php'],
            [
                'ESALES_BASE_URL' => $this->sandbox->baseUrl(),
                'ESALES_TIMEOUT_MS' => (string) self::BUDGET_MS,
                'ESALES_NOTIFY_LIBRARY' => Package::library(),
            ]
        );

        self::assertSame([0, "parent\nchild\nparent\n", ''], $program->finish());

        $received = $this->sandbox->received();
        $ids = array_column(array_column($received, 'notification'), 'id');
        self::assertSame(['parent 1', 'child', 'parent 2'], $ids);
        $connections = array_column($received, 'connection');
        self::assertSame($connections[0], $connections[2], 'the parent keeps its connection');
        self::assertNotSame($connections[0], $connections[1], 'the child has its own');
    }

    public function testProcessExitsCleanlyWithAnOpenClient(): void
    {
        foreach (['' => 0, 'exit(3);' => 3, 'undefined_function();' => 255] as $ending => $code) {
            $program = new Process(
                [PHP_BINARY, '-d', 'display_errors=0', '-d', 'log_errors=0', '-r', sprintf(
                    'require %s; $client = new Esales\Notify\Client(); $client->notifyAddToCart('
                    . 'Esales\Notify\Visitor::anonymous("c", "s", "UK"), "t"); %s',
                    var_export(Package::directory() . '/preload.php', true),
                    $ending
                )],
                [
                    'ESALES_BASE_URL' => $this->sandbox->baseUrl(),
                    'ESALES_TIMEOUT_MS' => (string) self::BUDGET_MS,
                    'ESALES_NOTIFY_LIBRARY' => Package::library(),
                ]
            );
            self::assertSame([$code, '', ''], $program->finish(), $ending);
        }
        self::assertCount(3, $this->sandbox->received());
    }

    /**
     * @return array<string, array{array<mixed>, string}>
     */
    public static function wrongOptions(): array
    {
        return [
            'a float' => [['timeout_ms' => 1.5], 'timeout_ms'],
            'an array' => [['market' => ['UK']], 'market'],
            'an object' => [['market' => new \stdClass()], 'stdClass'],
            'a list' => [['UK'], 'position 0'],
            'a NUL in a name' => [["a\0b" => 'x'], 'name'],
            'a NUL in a value' => [['market' => "a\0b"], 'market'],
            'a value that is not UTF-8' => [['market' => "\xff"], 'value'],
        ];
    }

    /**
     * @dataProvider wrongOptions
     *
     * @param array<mixed> $options
     */
    public function testOptionOfAnotherTypeIsRefused(array $options, string $word): void
    {
        $e = $this->failure(fn () => new Client($options));

        self::assertInstanceOf(InvalidArgumentException::class, $e);
        self::assertInstanceOf(\InvalidArgumentException::class, $e);
        self::assertSame(Status::INVALID_ARGUMENT, $e->getStatus());
        self::assertSame('ESALES_INVALID_ARGUMENT', $e->getStatusName());
        self::assertStringContainsString($word, $e->getMessage());
    }

    public function testOptionsAreConvertedToText(): void
    {
        // 192.0.2.1 is reserved: this client needs allow_http=true, and sends nothing.
        new Client(['base_url' => 'http://192.0.2.1', 'allow_http' => true, 'timeout_ms' => 5, 'proxy' => '']);

        $e = $this->failure(fn () => new Client(['base_url' => 'http://192.0.2.1', 'allow_http' => false]));
        self::assertStringContainsString('allow_http', $e->getMessage());
    }

    /**
     * @return array<string, array{callable(): mixed, string}>
     */
    public static function wrongTypes(): array
    {
        $visitor = Visitor::anonymous('c', 's', 'UK');
        $client = new Client(['base_url' => 'http://127.0.0.1:1']);

        return [
            'ticket' => [static fn () => $client->notifyAddToCart($visitor, 7), '$ticket'],
            'id' => [static fn () => $client->notifyAddToCart($visitor, 'ticket', 7), '$id'],
            'timeout' => [static fn () => $client->flush('7'), '$timeoutMs'],
            'id of a receipt' => [static fn () => $client->receipt(7), '$id'],
            'logger' => [static fn () => Log::to('a logger'), '$logger'],
            'visitor' => [static fn () => $client->notifyAddToCart(null, 'ticket'), '$visitor'],
            'customer key' => [static fn () => Visitor::anonymous(7, 's'), '$customerKey'],
            'session key' => [static fn () => Visitor::anonymous('c', null), '$sessionKey'],
            'token' => [static fn () => Visitor::signedIn('c', 's', null), '$token'],
            'market' => [static fn () => Visitor::anonymous('c', 's', 7), '$market'],
            'customer id' => [static fn () => Identity::customerKey(7), '$customerId'],
            'private key' => [static fn () => Identity::customerToken(null, 'k'), '$privateKey'],
            'options' => [static fn () => new Client('UK'), '$options'],
            'library' => [static fn () => new Client([], 7), '$library'],
        ];
    }

    /**
     * @dataProvider wrongTypes
     */
    public function testArgumentOfAnotherTypeRaisesATypeError(callable $call, string $name): void
    {
        $this->expectException(\TypeError::class);
        $this->expectExceptionMessage($name);
        $call();
    }

    public function testVisitorIsRefusedWhenItHasANul(): void
    {
        foreach (['market', 'customer_key', 'session_key', 'token'] as $i => $name) {
            $values = ['UK', 'c', 's', 't'];
            $values[$i] = "a\0b";
            [$market, $customerKey, $sessionKey, $token] = $values;
            $e = $this->failure(fn () => Visitor::signedIn($customerKey, $sessionKey, $token, $market));
            self::assertInstanceOf(NotifyException::class, $e);
            self::assertSame($name . ' contains a NUL byte', $e->getMessage());
        }
    }

    public function testVisitorReturnsItsKeys(): void
    {
        $visitor = Visitor::signedIn('c', 's', 't', 'UK');
        self::assertSame(
            ['UK', 'c', 's', 't'],
            [$visitor->getMarket(), $visitor->getCustomerKey(), $visitor->getSessionKey(), $visitor->getToken()]
        );
        self::assertNull($this->visitor()->getToken());
        self::assertNull(Visitor::anonymous('c', 's')->getMarket());
    }

    /**
     * @requires PHP >= 8.2
     */
    public function testVisitorDataIsHiddenInTracesAndDumps(): void
    {
        ini_set('zend.exception_ignore_args', '0');
        $secrets = ['secret-id', 'secret-key', 'secret-token', 'secret-ticket', 'secret-password', 'secret-private'];
        [$id, $key, $token, $ticket, $password, $private] = $secrets;
        $proxy = ['proxy' => "http://user:$password@127.0.0.1:1"];
        $visitor = Visitor::signedIn('c', 's', $token, 'UK');
        $client = $this->client(['max_attempts' => 1]);
        $this->sandbox->script('400:times=2');
        $calls = [
            static fn () => Visitor::signedIn($key, "\0", $token),
            static fn () => Visitor::anonymous($key, "\0"),
            static fn () => $client->notifyAddToCart($visitor, $ticket),
            static fn () => $client->notifyAddToCart($visitor, $ticket, "\0"),
            static fn () => $client->enqueueAddToCart($visitor, $ticket, "\0"),
            static fn () => new Client($proxy + ['no_such_option' => 1]),
            static fn () => new Client($proxy + ['market' => 1.5]),
            static fn () => Identity::customerKey("$id\n"),
            static fn () => Identity::customerToken("$private\n", $key),
        ];
        foreach ($calls as $i => $call) {
            $ours = array_filter(
                $this->failure($call)->getTrace(),
                static fn (array $frame): bool => strpos($frame['class'] ?? '', 'Esales\Notify\\') === 0
                    && strpos($frame['class'], __NAMESPACE__) === false
            );
            $dump = print_r($ours, true);
            self::assertStringContainsString('SensitiveParameterValue Object', $dump, "call $i");
            self::assertStringNotContainsString('secret', $dump, "call $i");
        }
        ob_start();
        var_dump($visitor);
        $dump = (string) ob_get_clean();
        self::assertStringContainsString('(hidden)', $dump);
        self::assertStringNotContainsString('secret', $dump);
        // A visitor without a token is still distinguished from one with a token.
        self::assertStringNotContainsString('(hidden)', print_r($this->visitor(), true));
    }

    public function testMemoryStaysFlatOverManySends(): void
    {
        $client = $this->client();
        $use = function () use ($client): void {
            for ($i = 0; $i < 200; $i++) {
                $client->notifyAddToCart($this->visitor(), str_repeat('t', 8000));
                $this->client()->close();
            }
        };
        $use();
        $before = memory_get_usage();
        $use();
        // A leak of the ticket's buffer would be 8000 bytes for each send.
        self::assertLessThan(8000, memory_get_usage() - $before);
    }

    /**
     * @dataProvider malformedIds
     */
    public function testIdentityRefusesWithTheMessageOfTheLibrary(string $value, string $message): void
    {
        $e = $this->failure(static fn () => Identity::customerKey($value));
        self::assertInstanceOf(InvalidArgumentException::class, $e);
        self::assertSame([Status::INVALID_ARGUMENT, 'customer_id ' . $message], [$e->getStatus(), $e->getMessage()]);
        // The rules of the market are the same except its length, and the library checks them.
        $visitor = Visitor::anonymous('c', 's', $value);
        $e = $this->failure(fn () => $this->client()->enqueueAddToCart($visitor, 'ticket'));
        $library = str_replace(['visitor.', '128'], ['', '4096'], $e->getMessage());
        self::assertSame('market ' . $message, $library);
    }

    /**
     * @return array<string, array{string, string}>
     */
    public static function malformedIds(): array
    {
        return [
            'empty' => ['', 'is empty'],
            'too long' => [str_repeat('x', 4097), 'is 4097 bytes long; at most 4096 are allowed'],
            'blank' => [" \u{a0}\u{2003}\t", 'is only white space'],
            'a line feed' => ["key\n", 'contains the control character U+000A'],
            'delete' => ["a\x7f", 'contains the control character U+007F'],
            'a control character of two bytes' => ["a\u{9f}", 'contains the control character U+009F'],
        ];
    }
}
