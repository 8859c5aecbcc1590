<?php

declare(strict_types=1);

namespace Esales\Notify\Internal;

use Esales\Notify\Client;
use Esales\Notify\Exception\InvalidArgumentException;
use Esales\Notify\Exception\LibraryException;
use Esales\Notify\Status;
use FFI;

/**
 * Finds and loads the shared library, once for each path.
 *
 * @internal
 */
final class Loader
{
    /** The environment variable with the library's path. */
    public const VARIABLE = 'ESALES_NOTIFY_LIBRARY';

    /** The name for the system's loader. */
    public const SONAME = 'libesales_notify.so.0';

    /** The name under which ffi.preload offers the library. */
    public const SCOPE = 'esales_notify';

    /** @var array<string, Library> */
    private static array $loaded = [];

    private function __construct()
    {
    }

    /**
     * The library at $path; null: the preloaded library, or the first one that is found.
     *
     * @throws InvalidArgumentException if the path is empty or has a NUL byte
     * @throws LibraryException
     */
    public static function load(?string $path): Library
    {
        Functions::require();
        if ($path !== null && Text::withoutNul('library', $path) === '') {
            throw new InvalidArgumentException(
                'library is empty: give its path, or null to have it looked for',
                Status::INVALID_ARGUMENT,
                'ESALES_INVALID_ARGUMENT'
            );
        }
        // The variable is part of the key, so that changing it with putenv() has an effect.
        $key = $path !== null ? 'path:' . $path : 'variable:' . self::variable();

        return self::$loaded[$key] ?? (self::$loaded[$key] = self::find($path));
    }

    /**
     * The paths at which the library is searched, in order, without those that do not exist.
     *
     * @return array<string, string> path => description for messages
     */
    public static function candidates(): array
    {
        $given = self::variable();
        if ($given !== '') {
            return [$given => $given . ' (from the environment variable ' . self::VARIABLE . ')'];
        }
        $packaged = self::packaged();

        return [
            $packaged => $packaged . ' (next to the package)',
            self::SONAME => self::SONAME . ' (the system\'s loader)',
        ];
    }

    /**
     * Loads one library and checks its version.
     *
     * @throws FFI\Exception    if it cannot be loaded
     * @throws LibraryException if FFI is off here or the version is wrong
     */
    public static function open(string $path): Library
    {
        self::requireExtension();
        try {
            // The version is checked first, because a library of another version may lack a function.
            self::checkVersion(FFI::cdef('const char *esales_version(void);', $path)->esales_version(), $path);

            return new Library(FFI::cdef(self::declarations(), $path));
        } catch (FFI\Exception $e) {
            throw self::isRestriction($e) ? self::restricted($e) : $e;
        }
    }

    /**
     * The declarations of the C API, without the comment and the lines for FFI::load().
     */
    public static function declarations(): string
    {
        $file = dirname(__DIR__, 2) . '/resources/esales_notify.h';
        $text = is_file($file) ? file_get_contents($file) : false;
        if ($text === false) {
            throw new LibraryException($file . ' cannot be read: the package esales/notify is not complete');
        }

        return ltrim((string) preg_replace('~^#define [^\n]*\n|^/\*.*?\*/\n~ms', '', $text));
    }

    /**
     * @throws LibraryException
     */
    private static function find(?string $path): Library
    {
        self::requireExtension();
        if ($path !== null) {
            return self::openGiven($path, $path . ' (the argument $library)');
        }
        try {
            $library = new Library(FFI::scope(self::SCOPE));
            self::checkVersion($library->version(), 'loaded by ffi.preload');

            return $library;
        } catch (FFI\Exception $e) {
            if (self::isRestriction($e)) {
                throw self::restricted($e);
            }
            // Nothing was preloaded, which is the usual case.
        }
        $candidates = self::candidates();
        if (count($candidates) === 1) {
            return self::openGiven((string) key($candidates), (string) current($candidates));
        }

        return self::openFirst($candidates);
    }

    /**
     * Loads the library from a given path. If that fails, no other path is tried.
     *
     * @throws LibraryException
     */
    private static function openGiven(string $path, string $source): Library
    {
        try {
            return self::open($path);
        } catch (FFI\Exception $e) {
            throw new LibraryException(
                'the esales-notify library cannot be loaded from ' . $source . ': ' . $e->getMessage()
                . '. Nothing else was tried, because this path was given.',
                $e
            );
        }
    }

    /**
     * @param array<string, string> $candidates
     *
     * @throws LibraryException
     */
    private static function openFirst(array $candidates): Library
    {
        $tried = [];
        $last = null;
        foreach ($candidates as $candidate => $source) {
            if ($candidate === self::packaged() && !is_file($candidate)) {
                $tried[] = $source . ': there is no such file';
                continue;
            }
            try {
                return self::open($candidate);
            } catch (FFI\Exception $e) {
                $tried[] = $source . ': ' . $e->getMessage();
                $last = $e;
            }
        }
        throw new LibraryException(
            'the esales-notify library was not found. Tried: the argument $library: not given; the environment'
            . ' variable ' . self::VARIABLE . ': not set; ffi.preload: no scope "' . self::SCOPE . '"; '
            . implode('; ', $tried)
            . '. Install the library for the system, or set ' . self::VARIABLE . ' to its path, or copy it to '
            . self::packaged() . '.',
            $last
        );
    }

    /**
     * @throws LibraryException if the library is of another minor version than this binding
     */
    private static function checkVersion(string $version, string $where): void
    {
        if (self::minor($version) !== self::minor(Client::VERSION)) {
            throw new LibraryException(
                'the esales-notify library is version ' . $version . ', but this binding is ' . Client::VERSION
                . ' and needs ' . self::minor(Client::VERSION) . '.x (' . $where
                . '). Install the library and the package esales/notify in the same version.'
            );
        }
    }

    private static function minor(string $version): string
    {
        return implode('.', array_slice(explode('.', $version), 0, 2));
    }

    private static function packaged(): string
    {
        return dirname(__DIR__, 2) . '/lib/libesales_notify.so';
    }

    /**
     * The environment variable; "" if it is not set.
     *
     * It is read from the environment of the process, without the variables of the web server, like the options.
     */
    private static function variable(): string
    {
        return (string) getenv(self::VARIABLE, true);
    }

    /**
     * @throws LibraryException
     */
    private static function requireExtension(): void
    {
        Functions::require();
        if (!extension_loaded('FFI')) {
            throw new LibraryException(
                'PHP\'s extension FFI is not loaded. Install it (on Debian it is part of php-common: run "phpenmod'
                . ' ffi"; in the official Docker images: "docker-php-ext-install ffi") and see that php.ini has the'
                . ' line "extension=ffi".'
            );
        }
        try {
            // Fails if php.ini disables the class, which then has no methods.
            \Closure::fromCallable([FFI::class, 'cdef']);
        } catch (\TypeError $e) {
            throw new LibraryException(
                'PHP\'s class FFI, which the package esales/notify needs, is disabled. Take it off the list'
                . ' disable_classes in php.ini, and restart PHP.',
                $e
            );
        }
    }

    private static function isRestriction(FFI\Exception $e): bool
    {
        return strpos($e->getMessage(), 'ffi.enable') !== false;
    }

    private static function restricted(FFI\Exception $e): LibraryException
    {
        $value = (string) ini_get('ffi.enable');
        if ($value !== 'preload') {
            return new LibraryException(
                'PHP\'s FFI is switched off (ffi.enable=' . ($value === '' ? '0' : $value)
                . '). Put the line "ffi.enable=1" into php.ini and restart PHP.',
                $e
            );
        }

        return new LibraryException(
            'PHP refuses FFI here: with ffi.enable=preload, which is its default, only the command line and preloaded'
            . ' code may use it. Put one of these into php.ini and restart PHP: either "ffi.enable=1", or, so that'
            . ' no other code gets FFI, "opcache.preload=' . dirname(__DIR__, 2) . '/preload.php" (with'
            . ' "opcache.preload_user=" the user that PHP runs as). "ffi.preload=" may be added to either, but is'
            . ' not enough alone.',
            $e
        );
    }
}
