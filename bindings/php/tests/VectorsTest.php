<?php

declare(strict_types=1);

namespace Esales\Notify\Tests;

use Esales\Notify\Client;
use Esales\Notify\Exception\InvalidArgumentException;
use Esales\Notify\Exception\NotifyException;
use Esales\Notify\Identity;
use Esales\Notify\Line;
use Esales\Notify\Notification;
use Esales\Notify\Status;
use Esales\Notify\Tests\Support\Package;
use Esales\Notify\Tests\Support\Process;
use Esales\Notify\Tests\Support\Sandbox;
use Esales\Notify\Tests\Support\SandboxTestCase;
use Esales\Notify\Visitor;

/**
 * The vectors that every language reads.
 */
final class VectorsTest extends SandboxTestCase
{
    private const FLUSH_MS = Process::PATIENCE * 1000;

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
        $visitor = self::visitorOf($row);
        $notification = self::notificationOf($row);
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
        $set = $row['call'] === 'notify' ? [] : array_map([self::class, 'value'], $row['set'] ?? []);
        switch ($row['call']) {
            case 'notify':
                $this->notifyInEveryWay(self::changed($row));
                return;
            case 'config':
                $option = [$row['option'] => self::value($row['value'])];
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
            $client->enqueue(self::visitorOf($row), self::notificationOf($row));
            self::fail('was accepted');
        } catch (NotifyException $e) {
            $refusal = $e->getMessage();
        }
        if ($row['kind'] === 'add_to_cart') {
            $e = $this->failure(
                static fn () => $client->notifyAddToCart(self::visitorOf($row), $row['ticket'], $row['id'])
            );
            self::assertSame(preg_replace('/^notification\./', '', $refusal), $e->getMessage());
        }
        $client->notify(self::visitorOf($row), self::notificationOf($row));
    }

    /**
     * The example of the row's kind, which is the first row of it, with the row's changes.
     *
     * @param array<string, mixed> $row
     *
     * @return array<string, mixed>
     */
    private static function changed(array $row): array
    {
        $examples = array_column(array_reverse(array_column(self::notifications(), 0)), null, 'kind');
        $changed = $examples[$row['kind']];
        foreach ($row['set'] as $name => $value) {
            if (preg_match('/^lines\[(\d+)\]\.(\w+)$/', $name, $found) === 1) {
                $changed['lines'][(int) $found[1]][$found[2]] = self::value($value);
            } else {
                $changed[$name] = self::value($value);
            }
        }

        return $changed;
    }

    /**
     * @param array<string, mixed> $row
     */
    private static function notificationOf(array $row): Notification
    {
        $lines = isset($row['lines']) ? array_map([self::class, 'lineOf'], $row['lines']) : null;
        switch ($row['kind']) {
            case 'add_to_cart':
                return Notification::addToCart($row['ticket'], $row['id']);
            case 'click':
                return Notification::click($row['ticket'], $row['id']);
            case 'non_esales_click':
                return Notification::nonEsalesClick(
                    $row['product_key'] ?? null,
                    $row['variant_key'] ?? null,
                    $row['id']
                );
            case 'non_esales_add_to_cart':
                return Notification::nonEsalesAddToCart(
                    $row['product_key'] ?? null,
                    $row['variant_key'] ?? null,
                    $row['id']
                );
            case 'payment':
                return Notification::payment($lines, $row['id']);
            case 'secure_payment':
                return Notification::securePayment($lines, $row['private_key'], $row['id']);
            case 'end':
                return Notification::end($row['id']);
        }
        throw new \LogicException('this suite does not know the kind ' . $row['kind']);
    }

    /**
     * @param array<string, mixed> $row
     */
    private static function lineOf(array $row): Line
    {
        return new Line(
            $row['product_key'] ?? null,
            $row['variant_key'] ?? null,
            $row['quantity'],
            $row['selling_price'] ?? null,
            $row['cost'] ?? null
        );
    }

    /**
     * @param array<string, mixed> $row
     */
    private static function visitorOf(array $row): Visitor
    {
        return $row['token'] === null
            ? Visitor::anonymous($row['customer_key'], $row['session_key'], $row['market'])
            : Visitor::signedIn($row['customer_key'], $row['session_key'], $row['token'], $row['market']);
    }

    /**
     * @param mixed $value a value as tests/vectors/README.md describes it
     *
     * @return mixed
     */
    private static function value($value)
    {
        if (!is_array($value) || isset($value[0]) || $value === []) {
            return $value;
        }
        if (isset($value['hex'])) {
            return hex2bin($value['hex']);
        }
        if (is_string($value['repeat'])) {
            return str_repeat($value['repeat'], $value['times']);
        }

        return array_merge(...array_fill(0, $value['times'], $value['repeat']));
    }

    private static function camelCase(string $name): string
    {
        return lcfirst(str_replace('_', '', ucwords($name, '_')));
    }
}
