<?php

declare(strict_types=1);

namespace Esales\Notify;

use Esales\Notify\Exception\ClosedException;
use Esales\Notify\Exception\NotifyException;
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
     * @param ClientOptions|array<string, string|int|bool|null> $options option names and values, passed on as they
     *                                                     are; null: as if it were left out. With none, the client
     *                                                     reads the ESALES_* environment variables; with any, it
     *                                                     does not.
     * @param string|null                         $library path of the shared library; null: found as the README says
     *
     * @throws Exception\InvalidArgumentException if a value is of another type, not UTF-8, or holds a NUL byte
     * @throws Exception\InvalidConfigException   if an option is unknown, out of range, missing, or contradicts
     *                                            another
     * @throws Exception\SpoolFailedException     if the place of the spool cannot be used
     * @throws Exception\LibraryException         if the library cannot be loaded
     */
    public function __construct(
        #[\SensitiveParameter]
        $options = [],
        ?string $library = null
    ) {
        $texts = Text::options($options instanceof ClientOptions ? $options->toArray() : $options);
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
     * Tells the service what the visitor did, and waits for the answer: at most the option timeout_ms (milliseconds),
     * whatever the network does.
     *
     * A payment is sent again only if it is certain that the service did not process it, because the service would
     * count it twice (option payment_repeat). Notification::end() waits for older notifications in the client's queue,
     * for at most half of timeout_ms.
     *
     * @param Visitor      $visitor      who did it
     * @param Notification $notification what happened
     *
     * @return Receipt its status is Status::DELIVERED; with the option on_failure=queue it may be Status::QUEUED: the
     *                 notification did not get through and is in the queue, under the same id
     *
     * @throws Exception\InvalidArgumentException if an argument is malformed; nothing was sent
     * @throws Exception\ClosedException          if the client was closed
     * @throws Exception\FinalException           if the service refused it: the same bytes cannot succeed; for a
     *                                            payment that may have arrived: a MayHaveArrivedException
     * @throws Exception\RetryableException       if it may succeed later, with the same id. After a
     *                                            TimeoutException, ConnectionLostException, BadResponseException and
     *                                            ServerErrorException it may have arrived all the same. With
     *                                            on_failure=queue: if it could not be put into the queue either.
     * @throws Exception\InternalException        for a defect of the library
     */
    public function notify(Visitor $visitor, Notification $notification): Receipt
    {
        return $this->library->send('esales_notify', $this->open(), $visitor, $notification);
    }

    /**
     * Puts into the queue what the visitor did, and returns without waiting for the service: the library delivers it in
     * the background, also after the end of the page view.
     *
     * Without the option spool, the queue is in the memory of this process: a program that ends calls flush() first. A
     * payment that may have arrived becomes a dead letter, which an operator may retry.
     *
     * @param Visitor      $visitor      who did it
     * @param Notification $notification what happened
     *
     * @return Receipt its status is Status::QUEUED; with its id, receipt() tells what becomes of it
     *
     * @throws Exception\InvalidArgumentException if an argument is malformed; nothing was accepted
     * @throws Exception\ClosedException          if the client was closed
     * @throws Exception\QueueFullException       if the queue is full; not accepted
     * @throws Exception\SpoolFailedException     if the spool could not be written within the option
     *                                            enqueue_timeout_ms (milliseconds); not accepted
     * @throws Exception\InternalException        for a defect of the library
     */
    public function enqueue(Visitor $visitor, Notification $notification): Receipt
    {
        return $this->library->send('esales_enqueue', $this->open(), $visitor, $notification);
    }

    /**
     * notify() of the commonest kind: the visitor added the product behind the ticket to the cart.
     *
     * @param Visitor     $visitor who did it
     * @param string      $ticket  the string that the service gave with the product, at most 8192 bytes, sent
     *                             unchanged; refused if it has a control character
     * @param string|null $id      names this one event, at most 128 bytes; null: a new UUID. To send the same event
     *                             again, pass the id of the receipt.
     *
     * @return Receipt as notify()
     *
     * @throws Exception\NotifyException as notify()
     */
    public function notifyAddToCart(
        Visitor $visitor,
        #[\SensitiveParameter]
        string $ticket,
        ?string $id = null
    ): Receipt {
        return $this->library->addToCart('esales_notify_add_to_cart', $this->open(), $visitor, $ticket, $id);
    }

    /**
     * enqueue() of the commonest kind: the visitor added the product behind the ticket to the cart.
     *
     * @param Visitor     $visitor who did it
     * @param string      $ticket  as for notifyAddToCart()
     * @param string|null $id      as for notifyAddToCart()
     *
     * @return Receipt as enqueue()
     *
     * @throws Exception\NotifyException as enqueue()
     */
    public function enqueueAddToCart(
        Visitor $visitor,
        #[\SensitiveParameter]
        string $ticket,
        ?string $id = null
    ): Receipt {
        return $this->library->addToCart('esales_enqueue_add_to_cart', $this->open(), $visitor, $ticket, $id);
    }

    /**
     * enqueue() for a page that must not fail: it never throws. The receipt says what went wrong.
     *
     * The parameters have no types, so that a value of another type is a receipt too and no TypeError.
     *
     * @param Visitor      $visitor      who did it
     * @param Notification $notification what happened
     *
     * @return Receipt its status is Status::QUEUED, or below 0: not accepted, and the detail says why. Log it.
     */
    public function tryEnqueue($visitor, $notification): Receipt
    {
        try {
            return $this->enqueue($visitor, $notification);
        } catch (\Throwable $e) {
            return self::receiptOf($e);
        }
    }

    /**
     * enqueueAddToCart() for a page that must not fail: it never throws, as tryEnqueue().
     *
     * @param Visitor     $visitor who did it
     * @param string      $ticket  as for notifyAddToCart()
     * @param string|null $id      as for notifyAddToCart()
     *
     * @return Receipt as tryEnqueue()
     */
    public function tryEnqueueAddToCart(
        $visitor,
        #[\SensitiveParameter]
        $ticket,
        $id = null
    ): Receipt {
        try {
            return $this->enqueueAddToCart($visitor, $ticket, $id);
        } catch (\Throwable $e) {
            return self::receiptOf($e);
        }
    }

    /**
     * Waits until everything that was accepted before this call has left the queue.
     *
     * @param int $timeoutMs longest time to wait, in milliseconds: 0 to 4294967295
     *
     * @return bool true: all of it is gone; false: not within the time. What is left stays in the queue, stats()
     *              says how much.
     *
     * @throws Exception\InvalidArgumentException if the time is out of range
     * @throws Exception\ClosedException          if the client was closed
     * @throws Exception\SpoolFailedException     if the spool could not be read
     */
    public function flush(int $timeoutMs): bool
    {
        return $this->library->flush($this->open(), $timeoutMs);
    }

    /**
     * Ends this process's part in the delivery of the client's queue, for good: the process takes nothing more out of
     * the queue, and the call waits for requests in flight.
     *
     * For a program that is told to stop: a request that is in flight when the process ends is sent again later. A
     * program of the command line does this by itself for every spool, at its end, and waits at most 2 seconds. Not for
     * web pages: later pages of the same PHP process would not deliver either. What is left stays in the queue.
     *
     * @param int $timeoutMs longest time to wait for requests in flight, in milliseconds: 0 to 4294967295
     *
     * @return bool true: nothing is in flight any more; false: not within the time, and what was in flight is sent once
     *              more later, under the same id
     *
     * @throws Exception\InvalidArgumentException if the time is out of range
     * @throws Exception\ClosedException          if the client was closed
     */
    public function stopDelivery(int $timeoutMs): bool
    {
        return $this->library->stopDelivery($this->open(), $timeoutMs);
    }

    /**
     * The queue in numbers.
     *
     * @throws Exception\ClosedException      if the client was closed
     * @throws Exception\SpoolFailedException if the spool could not be read
     */
    public function stats(): Stats
    {
        return $this->library->stats($this->open());
    }

    /**
     * What became of a notification that was in the queue.
     *
     * @param string $id the id of the receipt of enqueue()
     *
     * @return Receipt|null its status is Status::QUEUED while it waits, Status::DELIVERED, the code that the service
     *                      refused it with, Status::EXPIRED, or Status::DROPPED; null (ESALES_UNKNOWN_ID in C): nothing
     *                      is known of the id, or no longer (option receipt_retention_s)
     *
     * @throws Exception\InvalidArgumentException for a NUL byte
     * @throws Exception\ClosedException          if the client was closed
     * @throws Exception\SpoolFailedException     if the spool could not be read
     */
    public function receipt(string $id): ?Receipt
    {
        return $this->library->receipt($this->open(), $id);
    }

    /**
     * Frees the client; a second time does nothing. Returns at once: its connections stay warm for other clients,
     * for the time that the option keep_alive_s says, and the process keeps delivering what is in the queue.
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

    /**
     * The receipt of a call that threw. Only wrong types are no NotifyException: the call has no other way to fail.
     */
    private static function receiptOf(\Throwable $e): Receipt
    {
        if (!$e instanceof NotifyException) {
            return new Receipt(Status::INVALID_ARGUMENT, 'ESALES_INVALID_ARGUMENT', null, 0, 0, '', $e->getMessage());
        }
        $status = $e->getStatus() ?? Status::INTERNAL;
        $name = $e->getStatusName() ?? 'ESALES_INTERNAL';

        return $e->getReceipt() ?? new Receipt($status, $name, null, 0, 0, '', $e->getMessage());
    }

    /**
     * @throws ClosedException
     */
    private function open(): CData
    {
        if ($this->handle === null) {
            throw new ClosedException('the client was closed', Status::CLOSED, 'ESALES_CLOSED');
        }

        return $this->handle;
    }
}
