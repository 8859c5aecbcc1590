<?php

/**
 * Autoloading without Composer, and the two variables that all tests need.
 */

declare(strict_types=1);

spl_autoload_register(static function (string $class): void {
    $folders = ['Esales\\Notify\\Tests\\' => __DIR__, 'Esales\\Notify\\' => dirname(__DIR__) . '/src'];
    foreach ($folders as $prefix => $dir) {
        if (strpos($class, $prefix) === 0) {
            $file = $dir . '/' . str_replace('\\', '/', substr($class, strlen($prefix))) . '.php';
            if (is_file($file)) {
                require $file;
            }

            return;
        }
    }
});

// A client without options reads the environment, so the variables of the caller are removed.
foreach (array_keys(getenv()) as $name) {
    if (strpos($name, 'ESALES_') === 0 && strpos($name, 'ESALES_NOTIFY_') !== 0) {
        putenv($name);
    }
}

foreach (['ESALES_NOTIFY_LIBRARY' => 'library', 'ESALES_NOTIFY_COMMAND' => 'command esales-notify'] as $name => $what) {
    $path = (string) getenv($name);
    if (!is_file($path)) {
        fwrite(STDERR, "The tests need $name: the path of the built $what. It is \"$path\", where there is no file.\n");
        exit(1);
    }
    // Absolute paths, because programs are started in other folders.
    putenv($name . '=' . realpath($path));
}
