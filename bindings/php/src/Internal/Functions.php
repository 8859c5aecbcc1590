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
        'str_split',
        'strlen',
        'strpos',
        'strtoupper',
        'substr',
        'vsprintf',
    ];

    /** The functions that only the client of an agent calls. */
    private const NEEDED_BY_AGENT = [
        'constant',
        'defined',
        'fclose',
        'fread',
        'getmypid',
        'hrtime',
        'intdiv',
        'is_array',
        'json_decode',
        'json_encode',
        'rawurlencode',
        'stream_set_timeout',
        'stream_socket_client',
        'stripos',
    ];

    private static bool $areThere = false;

    private static bool $areThereForAgent = false;

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
        self::requireAll(self::NEEDED);
        self::$areThere = true;
    }

    /**
     * @throws LibraryException that names every function that the client of an agent needs and that is disabled
     */
    public static function requireForAgent(): void
    {
        if (self::$areThereForAgent) {
            return;
        }
        self::requireAll(self::NEEDED_BY_AGENT);
        self::$areThereForAgent = true;
    }

    /**
     * @param list<string> $names
     *
     * @throws LibraryException
     */
    private static function requireAll(array $names): void
    {
        $missing = '';
        foreach ($names as $name) {
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
