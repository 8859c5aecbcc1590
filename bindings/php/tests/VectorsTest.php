<?php

declare(strict_types=1);

namespace Esales\Notify\Tests;

use Esales\Notify\Client;
use Esales\Notify\Exception\InvalidArgumentException;
use Esales\Notify\Exception\NotifyException;
use Esales\Notify\Identity;
use Esales\Notify\Status;
use Esales\Notify\Tests\Support\Package;
use Esales\Notify\Tests\Support\Process;
use Esales\Notify\Tests\Support\Sandbox;
use Esales\Notify\Tests\Support\SandboxTestCase;
use Esales\Notify\Tests\Support\Vectors;

/**
 * The vectors that every language reads.
 */
final class VectorsTest extends SandboxTestCase
{
    private const FLUSH_MS = Process::LIMIT_S * 1000;

    /** One sandbox for all rows: PHPUnit keeps every test until its end, and the number of file descriptors is
    limited. */
    private static ?Sandbox $shared = null;

    protected function setUp(): void
    {
        self::$shared = self::$shared ?? new Sandbox();
        $this->sandbox = self::$shared;
        $this->sandbox->clear();
    }

    public static function tearDownAfterClass(): void
    {
        self::$shared = null;
    }

    /**
     * @return array<string, array{array<string, mixed>}>
     */
    public static function notifications(): array
    {
        return Package::vectors('notifications.json');
    }

    /**
     * @return array<string, array{array<string, mixed>}>
     */
    public static function badInput(): array
    {
        // The method of a kind has no parameter for a member that the kind does not have.
        return array_filter(
            Package::vectors('bad_input.json'),
            static fn (array $case): bool => preg_match('/^[a-z_]+ does not belong/', $case[0]['names']) !== 1
        );
    }

    /**
     * @dataProvider notifications
     *
     * @param array<string, mixed> $row
     */
    public function testNotificationBytesEqualTheVector(array $row): void
    {
        $client = $this->client(['max_attempts' => 1]);
        $visitor = Vectors::visitorOf($row);
        $notification = Vectors::notificationOf($row);
        // A signed row whose token was made with another key gets a 403; this test compares only the bytes.
        $this->sandbox->script('204:times=3');

        $receipts = [$client->notify($visitor, $notification), $client->enqueue($visitor, $notification)];
        if ($row['kind'] === 'add_to_cart') {
            $receipts[] = $client->notifyAddToCart($visitor, $row['ticket'], $row['id']);
        }
        self::assertTrue($client->flush(self::FLUSH_MS));

        $received = $this->sandbox->received();
        self::assertCount(count($receipts), $received);
        foreach ($receipts as $i => $receipt) {
            self::assertSame($row['id'], $receipt->getId());
            self::assertSame([$row['path'], $row['body']], [$received[$i]['path'], $received[$i]['body']]);
        }
    }

    public function testKeysAndTokensEqualTheVectors(): void
    {
        $vectors = json_decode(Package::shared('tests/vectors/identity.json'), true, 16, JSON_THROW_ON_ERROR);
        self::assertSame(['customer_keys', 'tokens'], array_keys($vectors));
        self::assertNotSame([], $vectors['customer_keys']);
        self::assertNotSame([], $vectors['tokens']);
        foreach ($vectors['customer_keys'] as $row) {
            self::assertSame($row['customer_key'], Identity::customerKey($row['customer_id']));
        }
        foreach ($vectors['tokens'] as $row) {
            self::assertSame($row['token'], Identity::customerToken($row['private_key'], $row['customer_key']));
        }
    }

    /**
     * @dataProvider badInput
     *
     * @param array<string, mixed> $row
     */
    public function testInvalidInputIsRefusedWithTheMessageOfTheVector(array $row): void
    {
        try {
            $this->call($row);
            self::fail('was accepted');
        } catch (NotifyException $e) {
            self::assertSame($row['status'], $e->getStatus());
            self::assertSame($row['status'], $e->getCode());
            // A Line refuses wrong values before it has a place in the order.
            $names = $e->getReceipt() === null ? preg_replace('/^lines\[\d+\]\./', '', $row['names']) : $row['names'];
            self::assertStringContainsString($names, $e->getMessage());
            self::assertSame($row['status'] === Status::INVALID_ARGUMENT, $e instanceof InvalidArgumentException);
        } catch (\TypeError $e) {
            // A null for an argument that PHP itself requires: PHP names it in camel case.
            self::assertContains(null, $row['set']);
            $name = self::camelCase(explode(' ', $row['names'])[0]);
            self::assertStringContainsString('$' . $name, $e->getMessage());
        }
        self::assertSame([], $this->sandbox->received());
    }

    /**
     * @param array<string, mixed> $row
     */
    private function call(array $row): void
    {
        $set = $row['call'] === 'notify' ? [] : array_map([Vectors::class, 'value'], $row['set'] ?? []);
        switch ($row['call']) {
            case 'notify':
                $this->notifyInEveryWay(Vectors::changed($row));
                return;
            case 'config':
                $option = [$row['option'] => Vectors::value($row['value'])];
                new Client($option + ['base_url' => $this->sandbox->baseUrl()]);
                return;
            case 'client':
                new Client($row['options']);
                return;
            case 'customer_key':
                Identity::customerKey($set['customer_id']);
                return;
            case 'customer_token':
                Identity::customerToken($set['private_key'], $set['customer_key']);
                return;
        }
        throw new \LogicException('this suite does not know the call ' . $row['call']);
    }

    /**
     * Throws the exception that all methods throw for the row.
     *
     * @param array<string, mixed> $row
     */
    private function notifyInEveryWay(array $row): void
    {
        $client = $this->client();
        try {
            $client->enqueue(Vectors::visitorOf($row), Vectors::notificationOf($row));
            self::fail('was accepted');
        } catch (NotifyException $e) {
            $refusal = $e->getMessage();
        }
        if ($row['kind'] === 'add_to_cart') {
            $e = $this->failure(
                static fn () => $client->notifyAddToCart(Vectors::visitorOf($row), $row['ticket'], $row['id'])
            );
            self::assertSame(preg_replace('/^notification\./', '', $refusal), $e->getMessage());
        }
        $client->notify(Vectors::visitorOf($row), Vectors::notificationOf($row));
    }

    private static function camelCase(string $name): string
    {
        return lcfirst(str_replace('_', '', ucwords($name, '_')));
    }
}
