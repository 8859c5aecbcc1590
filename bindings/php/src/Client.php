<?php

declare(strict_types=1);

namespace Esales\Notify;

use Esales\Notify\Exception\ClosedException;
use Esales\Notify\Internal\Library;
use Esales\Notify\Internal\Loader;
use Esales\Notify\Internal\Text;
use FFI\CData;

/**
 * Sends notifications.
 *
 * Cheap to make: clients with the same options share their connections, across the page views of one PHP process
 * too. After pcntl_fork() it works in the parent and in the child. A Client belongs to the thread that made it (on a
 * thread-safe build of PHP, make one in each thread).
 */
final class Client
{
    /** The version of this binding. The shared library's must have the same major and minor number. */
    public const VERSION = '0.1.0';

    /** Null once closed. */
    private ?CData $handle;

    private Library $library;

    /**
     * Makes a client. Nothing is sent, no thread is started.
     *
     * @param array<string, string|int|bool|null> $options option names and values, passed on as they are; null: as
     *                                                     if it were left out. With none, the client reads the
     *                                                     ESALES_* environment variables; with any, it does not.
     * @param string|null                         $library path of the shared library; null: found as the README says
     *
     * @throws Exception\InvalidArgumentException if a value is of another type, not UTF-8, or holds a NUL byte
     * @throws Exception\InvalidConfigException   if an option is unknown, out of range, missing, or contradicts
     *                                            another
     * @throws Exception\LibraryException         if the library cannot be loaded
     */
    public function __construct(array $options = [], ?string $library = null)
    {
        $texts = Text::options($options);
        $this->library = Loader::load($library);
        $this->handle = $this->library->newClient($texts);
    }

    /**
     * Frees the client, as close() does.
     */
    public function __destruct()
    {
        $this->close();
    }

    /** Two objects with one handle would free it twice. */
    private function __clone()
    {
    }

    /**
     * Tells the service that the visitor added the product behind the ticket to the cart, and waits for the answer:
     * at most the option timeout_ms (milliseconds), whatever the network does.
     *
     * @param Visitor     $visitor who did it
     * @param string      $ticket  the service's own opaque string, at most 8192 bytes, sent as it is
     * @param string|null $id      names this one event, at most 128 bytes; null: a new UUID. To send the same event
     *                             again, pass the id of the receipt.
     *
     * @throws Exception\InvalidArgumentException if an argument is malformed; nothing was sent
     * @throws Exception\ClosedException          if the client was closed
     * @throws Exception\FinalException           if the service refused it: the same bytes cannot succeed
     * @throws Exception\RetryableException       if it may succeed later, with the same id. After a
     *                                            TimeoutException, ConnectionLostException and BadResponseException
     *                                            it may have arrived all the same.
     * @throws Exception\InternalException        for a defect of the library
     */
    public function notifyAddToCart(Visitor $visitor, string $ticket, ?string $id = null): Receipt
    {
        if ($this->handle === null) {
            throw new ClosedException('the client was closed', Status::CLOSED, 'ESALES_CLOSED');
        }

        return $this->library->notifyAddToCart($this->handle, $visitor, $ticket, $id);
    }

    /**
     * Frees the client; a second time does nothing. Returns at once: its connections stay warm for other clients,
     * for the time that the option keep_alive_s says.
     */
    public function close(): void
    {
        // Also called when the constructor did not get this far: then the property was never set.
        if (isset($this->handle)) {
            $handle = $this->handle;
            $this->handle = null;
            $this->library->freeClient($handle);
        }
    }

    /**
     * The version of the shared library, such as "0.1.0".
     *
     * @param string|null $library path of the shared library; null: found as the README says
     *
     * @throws Exception\LibraryException if the library cannot be loaded
     */
    public static function libraryVersion(?string $library = null): string
    {
        return Loader::load($library)->version();
    }
}
