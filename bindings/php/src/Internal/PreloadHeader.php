<?php

declare(strict_types=1);

namespace Esales\Notify\Internal;

use Esales\Notify\Exception\LibraryException;
use FFI;

/**
 * The header for the ini setting ffi.preload, with the path of the library on this machine.
 *
 * @internal
 */
final class PreloadHeader
{
    private function __construct()
    {
    }

    /**
     * @param string|null $path path of the library; null: the first one that is found
     *
     * @throws LibraryException if no library can be loaded, because PHP would not start with such a header
     */
    public static function text(?string $path): string
    {
        Functions::require();
        $tried = [];
        $candidates = $path === null ? Loader::candidates() : [$path => $path . ' (the argument)'];
        foreach ($candidates as $candidate => $description) {
            $candidate = (string) $candidate;
            try {
                Loader::open($candidate);
            } catch (FFI\Exception $e) {
                $tried[] = $description . ': ' . $e->getMessage();
                continue;
            }

            return self::forLibrary($candidate);
        }
        throw new LibraryException(
            'no library that works was found. Tried: ' . implode('; ', $tried) . '. Give its path as the argument.'
        );
    }

    /**
     * @throws LibraryException if the path cannot be written in a header
     */
    private static function forLibrary(string $library): string
    {
        // The system's loader finds a bare name. A path must be absolute, so that it does not depend on the working
        // directory.
        if (strpos($library, '/') !== false) {
            $absolute = realpath($library);
            $library = $absolute === false ? $library : $absolute;
        }
        if (preg_match('/["\\\\\x00-\x1f]/', $library) === 1) {
            throw new LibraryException('the path "' . $library . '" cannot stand in a header: move the library');
        }

        // PHP reads these two lines only at the very beginning, before any comment.
        return '#define FFI_SCOPE "' . Loader::SCOPE . "\"\n"
            . '#define FFI_LIB "' . $library . "\"\n"
            . Loader::declarations();
    }
}
