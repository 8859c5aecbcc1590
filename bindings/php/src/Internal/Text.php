<?php

declare(strict_types=1);

namespace Esales\Notify\Internal;

use Esales\Notify\Exception\InvalidArgumentException;
use Esales\Notify\Exception\LibraryException;
use Esales\Notify\Status;

/**
 * Converts PHP values to strings for the C API.
 *
 * Only errors that C cannot see are checked here: a NUL byte, which would cut the string, a number that does not fit,
 * and wrong types. The library checks the rest, so that all languages have the same rules and messages.
 *
 * @internal
 */
final class Text
{
    private function __construct()
    {
    }

    /**
     * @param string $name  name of the value in an error message
     * @param string $value
     *
     * @throws InvalidArgumentException if the text has a NUL byte
     * @throws LibraryException         if a needed function is disabled
     */
    public static function withoutNul(
        string $name,
        #[\SensitiveParameter]
        string $value
    ): string {
        Functions::require();
        if (strpos($value, "\0") !== false) {
            throw self::refusal($name . ' contains a NUL byte');
        }

        return $value;
    }

    /**
     * Options for the C API: names and values as text, without options that are null.
     *
     * @param array<mixed> $options
     *
     * @return array<string, string>
     *
     * @throws InvalidArgumentException if a value has a wrong type or a NUL byte
     * @throws LibraryException         if a needed function is disabled
     */
    public static function options(
        #[\SensitiveParameter]
        array $options
    ): array {
        Functions::require();
        $texts = [];
        foreach ($options as $name => $value) {
            if (!is_string($name)) {
                throw self::refusal('the options need names: [\'name\' => value], not position ' . $name);
            }
            self::withoutNul('an option\'s name', $name);
            if ($value === null) {
                continue;
            }
            if (is_bool($value)) {
                $value = $value ? 'true' : 'false';
            } elseif (is_int($value)) {
                $value = (string) $value;
            } elseif (!is_string($value)) {
                throw self::refusal(
                    'the value of option "' . $name . '" must be a string, an int, a bool or null, not '
                    . self::type($value)
                );
            }
            $texts[$name] = self::withoutNul('the value of option "' . $name . '"', $value);
        }

        return $texts;
    }

    /**
     * A number for a uint32_t, which FFI would cut to 32 bits without an error.
     *
     * @param string $name name of the value in an error message
     *
     * @throws InvalidArgumentException if it does not fit
     */
    public static function uint32(string $name, int $value): int
    {
        if ($value < 0 || $value > 0xFFFFFFFF) {
            throw self::refusal($name . ' must be from 0 to 4294967295, not ' . $value);
        }

        return $value;
    }

    /**
     * The number of items bought. The library refuses a number that fits a uint32_t with the same message.
     *
     * @throws InvalidArgumentException if it does not fit
     */
    public static function quantity(int $quantity): int
    {
        if ($quantity < 0 || $quantity > 0xFFFFFFFF) {
            throw self::refusal('quantity is ' . $quantity . '; it must be 1 to 2147483647');
        }

        return $quantity;
    }

    /**
     * A price as it is sent. The text of an int does not depend on the locale; PHP 7.4 would write a float with the
     * decimal comma of the locale.
     *
     * @param string $name  name of the value in an error message
     * @param mixed  $price
     *
     * @throws InvalidArgumentException if a value has a wrong type or a NUL byte
     */
    public static function price(string $name, $price): string
    {
        Functions::require();
        if (is_int($price)) {
            return (string) $price;
        }
        if (is_float($price)) {
            throw self::refusal(
                $name . ' must be a string or an int, not a float: a float such as 0.1 is stored as a binary number'
                . ' near it, and prices are sent exactly; pass \'199.50\' as a string'
            );
        }
        if (!is_string($price)) {
            throw self::refusal($name . ' must be a string such as \'199.50\' or an int, not ' . self::type($price));
        }

        return self::withoutNul($name, $price);
    }

    /**
     * The type of a value, for a message.
     *
     * @param mixed $value
     */
    public static function type($value): string
    {
        return is_object($value) ? get_class($value) : gettype($value);
    }

    public static function refusal(string $message): InvalidArgumentException
    {
        return new InvalidArgumentException($message, Status::INVALID_ARGUMENT, 'ESALES_INVALID_ARGUMENT');
    }
}
