<?php

// Generated from the Rust source by `make generate`: do not edit.

/**
 * Loads every class of the package, in the order of their dependencies.
 *
 * For the ini setting opcache.preload, alone or required by a preload script of your own: with PHP's default
 * ffi.enable=preload, a web server's PHP lets only preloaded code use FFI. It also loads the package without Composer.
 */

declare(strict_types=1);

foreach (
    [
        'Exception/NotifyException',
        'Exception/HasStatus',
        'Exception/LibraryException',
        'Exception/InvalidArgumentException',
        'Exception/InvalidConfigException',
        'Exception/ClosedException',
        'Exception/FinalException',
        'Exception/BadRequestException',
        'Exception/ForbiddenException',
        'Exception/RejectedException',
        'Exception/MayHaveArrivedException',
        'Exception/RetryableException',
        'Exception/ServerErrorException',
        'Exception/ThrottledException',
        'Exception/TimeoutException',
        'Exception/ConnectFailedException',
        'Exception/TlsFailedException',
        'Exception/ConnectionLostException',
        'Exception/BadResponseException',
        'Exception/QueueFullException',
        'Exception/SpoolFailedException',
        'Exception/ExpiredException',
        'Exception/DroppedException',
        'Exception/UnknownIdException',
        'Exception/InternalException',
        'Status',
        'Kind',
        'ClientOptions',
        'Receipt',
        'Counts',
        'Percentiles',
        'Stats',
        'Internal/Records',
        'Internal/Failure',
        'Internal/Functions',
        'Internal/Text',
        'Visitor',
        'Line',
        'Notification',
        'Internal/Library',
        'Internal/Backend',
        'Internal/NativeClient',
        'Internal/Keys',
        'Internal/Wording',
        'Internal/AgentConnection',
        'Internal/AgentClient',
        'Client',
        'Internal/Loader',
        'Internal/PreloadHeader',
        'Identity',
        'Log',
    ] as $esalesNotifyClass
) {
    require_once __DIR__ . '/src/' . $esalesNotifyClass . '.php';
}
unset($esalesNotifyClass);
