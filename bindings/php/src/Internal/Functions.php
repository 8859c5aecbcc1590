<?php

declare(strict_types=1);

namespace Esales\Notify\Internal;

use Esales\Notify\Exception\LibraryException;

/**
 * The functions of PHP that this package calls. php.ini can disable any of them (disable_functions).
 *
 * This class calls no function, so that it works whatever is disabled.
 *
 * @internal
 */
final class Functions
{
    /** A test compares this list with the code. */
    private const NEEDED = [
        'array_keys',
        'array_slice',
        'bin2hex',
        'chr',
        'count',
        'current',
        'dirname',
        'explode',
        'extension_loaded',
        'file_get_contents',
        'fwrite',
        'get_class',
        'get_object_vars',
        'getenv',
        'gettype',
        'hash',
        'hash_hmac',
        'implode',
        'in_array',
        'ini_get',
        'is_bool',
        'is_callable',
        'is_file',
        'is_float',
        'is_int',
        'is_object',
        'is_string',
        'key',
        'ltrim',
        'ord',
        'preg_match',
        'preg_replace',
        'random_bytes',
        'realpath',
        'strlen',
        'strpos',
        'strtoupper',
        'substr',
    ];

    private static bool $areThere = false;

    private function __construct()
    {
    }

    /**
     * @throws LibraryException that names every needed function that is disabled
     */
    public static function require(): void
    {
        // Every call of the package passes here, so the result is cached.
        if (self::$areThere) {
            return;
        }
        $missing = '';
        foreach (self::NEEDED as $name) {
            if (!self::isThere($name)) {
                $missing .= ($missing === '' ? '' : ', ') . $name . '()';
            }
        }
        if ($missing !== '') {
            throw new LibraryException(
                'PHP functions that the package esales/notify needs are disabled: ' . $missing . '. Take them off the'
                . ' list disable_functions in php.ini (or of the php-fpm pool: php_admin_value[disable_functions]),'
                . ' and restart PHP.'
            );
        }
        self::$areThere = true;
    }

    private static function isThere(string $name): bool
    {
        if (\PHP_VERSION_ID < 80000) {
            // In PHP 7.4 a disabled function, even function_exists(), warns and returns null.
            return @\function_exists($name) === true;
        }
        try {
            \Closure::fromCallable($name);
        } catch (\TypeError $e) {
            return false;
        }

        return true;
    }
}
