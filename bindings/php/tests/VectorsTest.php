<?php

declare(strict_types=1);

namespace Esales\Notify\Tests;

use Esales\Notify\Client;
use Esales\Notify\Exception\InvalidArgumentException;
use Esales\Notify\Exception\NotifyException;
use Esales\Notify\Identity;
use Esales\Notify\Status;
use Esales\Notify\Tests\Support\Package;
use Esales\Notify\Tests\Support\SandboxTestCase;
use Esales\Notify\Visitor;

/**
 * The vectors that every language reads.
 */
final class VectorsTest extends SandboxTestCase
{
    /**
     * @return array<string, array{array<string, mixed>}>
     */
    public static function notifications(): array
    {
        return array_filter(Package::vectors('notifications.json'), [self::class, 'isReadable']);
    }

    /**
     * Whether notifyAddToCart takes the row. Once the binding has notify, every row is read.
     *
     * @param array{array<string, mixed>} $case
     */
    private static function isReadable(array $case): bool
    {
        [$row] = $case;
        if (method_exists(Client::class, 'notify') || !isset($row['kind'])) {
            return true;
        }
        $members = ['market', 'customer_key', 'session_key', 'token', 'ticket', 'id'];

        return $row['kind'] === 'add_to_cart' && array_diff(array_keys($row['set'] ?? []), $members) === [];
    }

    /**
     * @return array<string, array{array<string, mixed>}>
     */
    public static function badInput(): array
    {
        return array_filter(Package::vectors('bad_input.json'), [self::class, 'isReadable']);
    }

    /**
     * @dataProvider notifications
     *
     * @param array<string, mixed> $row
     */
    public function testBodyIsByteForByteThatOfTheVector(array $row): void
    {
        $client = $this->client(['max_attempts' => 1]);
        // A signed-in row whose token was made with another key gets a 403: the body is what matters here.
        $this->sandbox->script('204');

        $receipt = $client->notifyAddToCart(self::visitorOf($row), $row['ticket'], $row['id']);

        self::assertSame($row['id'], $receipt->getId());
        self::assertSame([$row['body']], array_column($this->sandbox->received(), 'body'));
    }

    public function testKeysAndTokensAreThoseOfTheVectors(): void
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
    public function testBadInputIsRefusedInWordsThatNameIt(array $row): void
    {
        try {
            $this->call($row);
            self::fail('was accepted');
        } catch (NotifyException $e) {
            self::assertSame($row['status'], $e->getStatus());
            self::assertSame($row['status'], $e->getCode());
            self::assertStringContainsString($row['names'], $e->getMessage());
            self::assertSame($row['status'] === Status::INVALID_ARGUMENT, $e instanceof InvalidArgumentException);
        } catch (\TypeError $e) {
            // A null for an argument that PHP itself requires: PHP names it in camel case.
            self::assertContains(null, $row['set']);
            self::assertStringContainsString('$' . self::camelCase($row['names']), $e->getMessage());
        }
        self::assertSame([], $this->sandbox->received());
    }

    /**
     * @param array<string, mixed> $row
     */
    private function call(array $row): void
    {
        $set = array_map([self::class, 'value'], $row['set'] ?? []);
        switch ($row['call']) {
            case 'notify':
                $fields = $set + self::notifications()['the reference\'s example'][0];
                $this->client()->notifyAddToCart(self::visitorOf($fields), $fields['ticket'], $fields['id']);
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
     * @param array<string, mixed> $row
     */
    private static function visitorOf(array $row): Visitor
    {
        return $row['token'] === null
            ? Visitor::anonymous($row['customer_key'], $row['session_key'], $row['market'])
            : Visitor::signedIn($row['customer_key'], $row['session_key'], $row['token'], $row['market']);
    }

    /**
     * @param mixed $value a string, null, or what tests/vectors/README.md says of objects
     */
    private static function value($value): ?string
    {
        if (!is_array($value)) {
            return $value;
        }

        return isset($value['hex']) ? hex2bin($value['hex']) : str_repeat($value['repeat'], $value['times']);
    }

    private static function camelCase(string $name): string
    {
        return lcfirst(str_replace('_', '', ucwords($name, '_')));
    }
}
