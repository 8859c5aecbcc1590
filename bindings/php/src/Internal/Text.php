<?php

declare(strict_types=1);

namespace Esales\Notify\Internal;

use Esales\Notify\Exception\InvalidArgumentException;
use Esales\Notify\Exception\LibraryException;
use Esales\Notify\Status;

/**
 * PHP values to the strings that the C API takes.
 *
 * Checked here are what C could not see (a NUL byte, which would cut the string short, a number that does not fit, and
 * types) and what Identity hashes without the library. Everything else is the library's to judge, so that every
 * language refuses the same things with the same message.
 *
 * @internal
 */
final class Text
{
    /** Longest customer id, private key or customer key to sign, in bytes. A shared vector holds it to the library's. */
    private const MAX_IDENTITY = 4096;

    private function __construct()
    {
    }

    /**
     * @param string $name  what the words of a refusal call it
     * @param string $value
     *
     * @throws InvalidArgumentException for a NUL byte
     * @throws LibraryException         if a function that is needed is disabled
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
     * What Identity hashes: the rules and the messages are those of the library.
     *
     * @param string $name what the message of a refusal calls it
     *
     * @throws InvalidArgumentException
     * @throws LibraryException         if a function that is needed is disabled
     */
    public static function identity(
        string $name,
        #[\SensitiveParameter]
        string $value
    ): string {
        self::withoutNul($name, $value);
        if ($value === '') {
            throw self::refusal($name . ' is empty');
        }
        if (strlen($value) > self::MAX_IDENTITY) {
            throw self::refusal(
                $name . ' is ' . strlen($value) . ' bytes long; at most ' . self::MAX_IDENTITY . ' are allowed'
            );
        }
        $isBlank = preg_match('/^[\p{Z}\t-\r\x{85}]+$/Du', $value);
        if ($isBlank === false) {
            throw self::refusal($name . ' is not UTF-8');
        }
        if ($isBlank === 1) {
            throw self::refusal($name . ' is only white space');
        }
        if (preg_match('/\p{Cc}/u', $value, $found) === 1) {
            // The last byte of a control character is its number, also in the two bytes of U+0080 to U+009F.
            throw self::refusal(
                $name . ' contains the control character U+00' . strtoupper(bin2hex(substr($found[0], -1)))
            );
        }

        return $value;
    }

    /**
     * Options as the C API takes them: names and values as text, without those that are null.
     *
     * @param array<mixed> $options
     *
     * @return array<string, string>
     *
     * @throws InvalidArgumentException for a wrong type or a NUL byte
     * @throws LibraryException         if a function that is needed is disabled
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
     * A number for a uint32_t: FFI would cut it down to 32 bits without a word.
     *
     * @param string $name what the words of a refusal call it
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
     * How many were bought: the library refuses what a uint32_t can hold in the same words.
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
     * A price as it is sent. An int is written without regard to the locale; PHP 7.4 would write a float with the
     * locale's decimal comma.
     *
     * @param string $name  what the message of a refusal calls it
     * @param mixed  $price
     *
     * @throws InvalidArgumentException for a wrong type or a NUL byte
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

    public static function refusal(string $words): InvalidArgumentException
    {
        return new InvalidArgumentException($words, Status::INVALID_ARGUMENT, 'ESALES_INVALID_ARGUMENT');
    }
}
