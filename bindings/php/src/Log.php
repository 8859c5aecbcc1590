<?php

declare(strict_types=1);

namespace Esales\Notify;

use Esales\Notify\Internal\Loader;

/**
 * Sends the library's log messages to a PSR-3 logger. The log is off until to() is called.
 *
 * A thread of the library cannot call PHP. Therefore the library keeps its last 256 messages, and the logger gets
 * them, in order, at the end of the next call of a Client. Client::stats() is a call that has no other effect.
 *
 * Messages have no context. They never contain a key of a visitor, a token or a ticket.
 */
final class Log
{
    private function __construct()
    {
    }

    /**
     * Sends the messages of all clients of this PHP process to a logger. It replaces an earlier logger, which first
     * gets the messages that are waiting.
     *
     * The logger is lost at the end of a page view, but the messages are kept. So call this in every page: the logger
     * then also gets the messages from between the page views.
     *
     * @param object|null $logger  a Psr\Log\LoggerInterface, or an object with its method
     *                             log($level, $message, array $context = []); null: no logging. Its exceptions are
     *                             dropped, because a failing logger must not change the result of a call.
     * @param string      $level   the most verbose level that is logged, a level of PSR-3. The library uses
     *                             "error" (notifications may be lost), "warning" (an outage, lost notifications),
     *                             "info" (delivery started or stopped, or works again) and "debug" (every attempt).
     * @param string|null $library path of the shared library; null: searched as described in the README
     *
     * @throws Exception\InvalidArgumentException if the logger has no method log(), or the level is not one of PSR-3
     * @throws Exception\LibraryException         if the library cannot be loaded
     */
    public static function to(?object $logger, string $level = 'warning', ?string $library = null): void
    {
        Loader::load($library)->logTo($logger, $level);
    }
}
