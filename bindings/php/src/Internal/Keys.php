<?php

declare(strict_types=1);

namespace Esales\Notify\Internal;

use Esales\Notify\Exception\InternalException;
use Esales\Notify\Exception\InvalidArgumentException;
use Esales\Notify\Status;

/**
 * Checks texts as the shared library does, and makes random keys, for a PHP without the library.
 *
 * @internal
 */
final class Keys
{
    /** Longest customer id, private key or customer key to sign, in bytes. */
    public const MAX_IDENTITY = 4096;

    /** White space, as defined by Unicode and used by the library. */
    private const BLANK = '/^[\s\x{85}\x{a0}\x{1680}\x{2000}-\x{200a}\x{2028}\x{2029}\x{202f}\x{205f}\x{3000}]+$/uD';

    private function __construct()
    {
    }

    /**
     * @param string $name the name of the value in an error message
     *
     * @return string the value
     *
     * @throws InvalidArgumentException if it is empty, too long, not UTF-8, blank, or has a control character
     */
    public static function check(
        string $name,
        #[\SensitiveParameter]
        string $value,
        int $max = self::MAX_IDENTITY
    ): string {
        Text::withoutNul($name, $value);
        if (preg_match('//u', $value) !== 1) {
            throw Text::refusal($name . ' is not UTF-8');
        }
        if ($value === '') {
            throw Text::refusal($name . ' is empty');
        }
        if (strlen($value) > $max) {
            throw Text::refusal(
                $name . ' is ' . strlen($value) . ' bytes long; at most ' . $max . ' are allowed'
            );
        }
        if (preg_match(self::BLANK, $value) === 1) {
            throw Text::refusal($name . ' is only white space');
        }
        if (preg_match('/[\x{0}-\x{1f}\x{7f}-\x{9f}]/u', $value, $found) === 1) {
            // In UTF-8, the last byte of such a character is its code point.
            $number = strtoupper(bin2hex(substr($found[0], -1)));
            throw Text::refusal($name . ' contains the control character U+00' . $number);
        }

        return $value;
    }

    /**
     * A random UUID, version 4.
     *
     * @throws InternalException if the system gives no random bytes
     */
    public static function random(): string
    {
        Functions::require();
        try {
            $bytes = random_bytes(16);
        } catch (\Throwable $e) {
            throw new InternalException(
                'no random bytes: ' . $e->getMessage(),
                Status::INTERNAL,
                'ESALES_INTERNAL'
            );
        }
        // Version 4, and the variant of RFC 9562.
        $bytes[6] = chr(ord($bytes[6]) & 0x0F | 0x40);
        $bytes[8] = chr(ord($bytes[8]) & 0x3F | 0x80);

        return vsprintf('%s%s-%s-%s-%s-%s%s%s', str_split(bin2hex($bytes), 4));
    }
}
