<?php

declare(strict_types=1);

namespace Esales\Notify\Tests\Support;

/**
 * A folder for one test, removed with this object. All users may read it, because PHP's preload_user must.
 */
final class Folder
{
    private string $path;

    public function __construct()
    {
        $this->path = sys_get_temp_dir() . '/esales-notify-php-' . bin2hex(random_bytes(8));
        mkdir($this->path, 0755);
    }

    public function __destruct()
    {
        // Renamed first: a worker that still writes would otherwise create files while they are removed.
        rename($this->path, $this->path . '.gone');
        self::remove($this->path . '.gone');
    }

    public function path(string $name = ''): string
    {
        return $this->path . ($name === '' ? '' : '/' . $name);
    }

    public function write(string $name, string $text): string
    {
        file_put_contents($this->path($name), $text);

        return $this->path($name);
    }

    /**
     * A copy of the published package.
     *
     * @return string its folder
     */
    public function package(): string
    {
        $target = $this->path('package');
        foreach (['src', 'bin', 'resources', 'examples', 'composer.json', 'preload.php'] as $part) {
            self::copy(Package::directory() . '/' . $part, $target . '/' . $part);
        }

        return $target;
    }

    private static function copy(string $from, string $to): void
    {
        if (!is_dir($from)) {
            if (!is_dir(dirname($to))) {
                mkdir(dirname($to), 0755, true);
            }
            copy($from, $to);
            chmod($to, fileperms($from) | 0444);

            return;
        }
        mkdir($to, 0755, true);
        foreach (array_diff((array) scandir($from), ['.', '..']) as $name) {
            self::copy($from . '/' . $name, $to . '/' . $name);
        }
    }

    private static function remove(string $path): void
    {
        if (is_link($path) || !is_dir($path)) {
            unlink($path);

            return;
        }
        foreach (array_diff((array) scandir($path), ['.', '..']) as $name) {
            self::remove($path . '/' . $name);
        }
        rmdir($path);
    }
}
