<?php

declare(strict_types=1);

namespace Esales\Notify\Internal;

use Esales\Notify\Exception\LibraryException;
use FFI;

/**
 * The header for the ini setting ffi.preload, in which the library has the path that it has on this machine.
 *
 * @internal
 */
final class PreloadHeader
{
    private function __construct()
    {
    }

    /**
     * @param string|null $path the library; null: the first that is found
     *
     * @throws LibraryException if there is none that works: PHP would not start with such a header
     */
    public static function text(?string $path): string
    {
        Functions::require();
        $tried = [];
        $candidates = $path === null ? Loader::candidates() : [$path => $path . ' (the argument)'];
        foreach ($candidates as $candidate => $words) {
            $candidate = (string) $candidate;
            try {
                Loader::open($candidate);
            } catch (FFI\Exception $e) {
                $tried[] = $words . ': ' . $e->getMessage();
                continue;
            }

            return self::forLibrary($candidate);
        }
        throw new LibraryException(
            'no library that works was found. Tried: ' . implode('; ', $tried) . '. Give its path as the argument.'
        );
    }

    /**
     * @throws LibraryException if the path cannot stand in a header
     */
    private static function forLibrary(string $library): string
    {
        // A bare name is the system loader's to find; a path must not depend on where PHP is started.
        if (strpos($library, '/') !== false) {
            $absolute = realpath($library);
            $library = $absolute === false ? $library : $absolute;
        }
        if (preg_match('/["\\\\\x00-\x1f]/', $library) === 1) {
            throw new LibraryException('the path "' . $library . '" cannot stand in a header: move the library');
        }

        // PHP reads these two lines only if nothing stands before them, not even a comment.
        return '#define FFI_SCOPE "' . Loader::SCOPE . "\"\n"
            . '#define FFI_LIB "' . $library . "\"\n"
            . Loader::declarations();
    }
}
