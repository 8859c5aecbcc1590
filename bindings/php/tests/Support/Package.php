<?php

declare(strict_types=1);

namespace Esales\Notify\Tests\Support;

/**
 * Paths of the repository.
 */
final class Package
{
    public static function directory(): string
    {
        return dirname(__DIR__, 2);
    }

    public static function library(): string
    {
        return (string) getenv('ESALES_NOTIFY_LIBRARY');
    }

    /**
     * The text of a file of the repository that all languages share.
     */
    public static function shared(string $path): string
    {
        $text = file_get_contents(dirname(__DIR__, 4) . '/' . $path);
        if ($text === false) {
            throw new \RuntimeException("the suite needs the repository's $path");
        }

        return $text;
    }

    /**
     * One of the shared files of vectors, its rows by their names.
     *
     * @return array<string, array{array<string, mixed>}>
     */
    public static function vectors(string $file): array
    {
        $rows = [];
        foreach (json_decode(self::shared('tests/vectors/' . $file), true, 16, JSON_THROW_ON_ERROR) as $row) {
            if (isset($rows[$row['name']])) {
                throw new \RuntimeException("two rows of $file have the name " . $row['name']);
            }
            $rows[$row['name']] = [$row];
        }

        return $rows;
    }

    /**
     * Every PHP file of the package.
     *
     * @return list<string>
     */
    public static function sources(): array
    {
        $found = [self::directory() . '/bin/esales-notify-preload-header', self::directory() . '/preload.php'];
        foreach (['src', 'tests', 'examples'] as $folder) {
            $files = new \RecursiveIteratorIterator(new \RecursiveDirectoryIterator(
                self::directory() . '/' . $folder,
                \FilesystemIterator::SKIP_DOTS
            ));
            foreach ($files as $file) {
                if ($file->getExtension() === 'php') {
                    $found[] = $file->getPathname();
                }
            }
        }

        return $found;
    }
}
