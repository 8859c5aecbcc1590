<?php

declare(strict_types=1);

namespace Esales\Notify;

use Esales\Notify\Internal\Loader;

/**
 * What the library says about its doings, for a PSR-3 logger. Off until to() is called.
 *
 * PHP cannot be called from a thread of the library, and much of it happens there. So the library keeps its last 256
 * messages, and the logger gets them at the end of the next call of a Client, in their order. To fetch them without
 * another reason to call, call Client::stats().
 *
 * Messages have no context and never hold a key of a visitor, a token or a ticket.
 */
final class Log
{
    private function __construct()
    {
    }

    /**
     * Has the messages of every client of this PHP process logged, in place of an earlier logger, which gets those
     * that wait.
     *
     * The logger is forgotten at the end of a page view, as everything in PHP is; the messages are not. So a web page
     * names it anew, and also gets what was said between the page views.
     *
     * @param object|null $logger  a Psr\Log\LoggerInterface, or anything with its method
     *                             log($level, $message, array $context = []); null: no more logging. What it throws
     *                             is dropped: a failing logger must not change what a call says.
     * @param string      $level   the most verbose that is wanted, by its name in PSR-3. The library's own are
     *                             "error" (events may be lost), "warning" (an outage, events given up), "info" (the
     *                             delivery starts, ends, is back) and "debug" (every attempt).
     * @param string|null $library path of the shared library; null: found as the README says
     *
     * @throws Exception\InvalidArgumentException if the logger has no method log(), or the level is none of PSR-3's
     * @throws Exception\LibraryException         if the library cannot be loaded
     */
    public static function to(?object $logger, string $level = 'warning', ?string $library = null): void
    {
        Loader::load($library)->logTo($logger, $level);
    }
}
