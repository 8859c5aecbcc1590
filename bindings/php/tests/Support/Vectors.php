<?php

declare(strict_types=1);

namespace Esales\Notify\Tests\Support;

use Esales\Notify\Line;
use Esales\Notify\Notification;
use Esales\Notify\Visitor;

/**
 * The rows of the vectors that every language reads, as arguments of the package.
 */
final class Vectors
{
    /**
     * The example of the row's kind, which is the first row of it, with the row's changes.
     *
     * @param array<string, mixed> $row
     *
     * @return array<string, mixed>
     */
    public static function changed(array $row): array
    {
        $examples = array_column(array_reverse(array_column(Package::vectors('notifications.json'), 0)), null, 'kind');
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
    public static function notificationOf(array $row): Notification
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
    public static function lineOf(array $row): Line
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
    public static function visitorOf(array $row): Visitor
    {
        return $row['token'] === null
            ? Visitor::anonymous($row['customer_key'], $row['session_key'], $row['market'])
            : Visitor::signedIn($row['customer_key'], $row['session_key'], $row['token'], $row['market']);
    }

    /**
     * @param mixed $value what tests/vectors/README.md says of values
     *
     * @return mixed
     */
    public static function value($value)
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
}
