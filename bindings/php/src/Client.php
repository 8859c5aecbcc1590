<?php

declare(strict_types=1);

namespace Esales\Notify;

use Esales\Notify\Exception\ClosedException;
use Esales\Notify\Exception\NotifyException;
use Esales\Notify\Internal\AgentClient;
use Esales\Notify\Internal\Backend;
use Esales\Notify\Internal\Loader;
use Esales\Notify\Internal\NativeClient;
use Esales\Notify\Internal\Text;

/**
 * Sends notifications.
 *
 * Clients are cheap to make: clients with the same options share their connections, even across the page views of one
 * PHP process. After pcntl_fork() a client works in the parent and in the child. A client belongs to the thread that
 * made it: with a thread-safe build of PHP, make one in each thread.
 *
 * With the option agent it needs neither FFI nor the shared library: enqueue() and receipt() go to an agent
 * (esales-notify drain --listen) on this machine. The other methods then throw an InvalidConfigException with advice.
 */
final class Client
{
    /** The version of this binding. The shared library must have the same major and minor version. */
    public const VERSION = '0.1.0';

    /** Null: the client was closed. */
    private ?Backend $backend;

    /**
     * Makes a client. This sends nothing and starts no thread.
     *
     * @param ClientOptions|array<string, string|int|bool|null> $options names and values of options; null counts as
     *                                                     not set. If no option is set, the client reads the
     *                                                     ESALES_* environment variables; otherwise it does not
     *                                                     read them. With agent (ESALES_AGENT), the address of an
     *                                                     agent, the only other options are market and
     *                                                     enqueue_timeout_ms.
     * @param string|null                         $library path of the shared library; null: searched as described in
     *                                                     the README
     *
     * @throws Exception\InvalidArgumentException if a value has a wrong type, is not UTF-8, or has a NUL byte
     * @throws Exception\InvalidConfigException   if an option is unknown, out of range, missing, or contradicts
     *                                            another
     * @throws Exception\SpoolFailedException     if the spool directory cannot be used
     * @throws Exception\LibraryException         if the library cannot be loaded
     */
    public function __construct(
        #[\SensitiveParameter]
        $options = [],
        ?string $library = null
    ) {
        $texts = Text::options($options instanceof ClientOptions ? $options->toArray() : $options);
        $this->backend = AgentClient::named($texts) ?? new NativeClient(Loader::load($library), $texts);
    }

    /**
     * Frees the client, like close().
     */
    public function __destruct()
    {
        $this->close();
    }

    /** Private, because two objects with the same handle would free it twice. */
    private function __clone()
    {
    }

    /**
     * Sends a notification and waits for the answer. The call returns within the option timeout_ms (milliseconds),
     * whatever the network does.
     *
     * The service would count a repeated payment twice. A payment is therefore sent again only if the service
     * certainly did not process it (option payment_repeat). Notification::end() waits for older notifications in the
     * client's queue, for at most half of timeout_ms.
     *
     * @param Visitor      $visitor      the visitor who caused the event
     * @param Notification $notification what happened
     *
     * @return Receipt the status is Status::DELIVERED; with the option on_failure=queue it may be Status::QUEUED: the
     *                 notification failed and was enqueued with the same id
     *
     * @throws Exception\InvalidArgumentException if an argument is malformed; nothing was sent
     * @throws Exception\ClosedException          if the client was closed
     * @throws Exception\FinalException           if the service refused it for good; for a payment that may have
     *                                            arrived: a MayHaveArrivedException
     * @throws Exception\RetryableException       if it may succeed later, with the same id. After a
     *                                            TimeoutException, ConnectionLostException, BadResponseException and
     *                                            ServerErrorException it may have arrived. With on_failure=queue: if
     *                                            it could not be enqueued either.
     * @throws Exception\InternalException        for a defect of the library
     */
    public function notify(Visitor $visitor, Notification $notification): Receipt
    {
        return $this->open()->notify($visitor, $notification);
    }

    /**
     * Accepts a notification into the queue and returns without waiting for the service. The library delivers it in
     * the background, even after the end of the page view.
     *
     * Without the option spool, the queue is in the memory of this process: call flush() before the process ends. A
     * payment that may have arrived becomes a dead letter, which an operator may retry.
     *
     * @param Visitor      $visitor      the visitor who caused the event
     * @param Notification $notification what happened
     *
     * @return Receipt the status is Status::QUEUED; pass its id to receipt() to get the outcome later
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
        return $this->open()->enqueue($visitor, $notification);
    }

    /**
     * Sends the most common notification with notify(): the visitor added the ticket's product to the cart.
     *
     * @param Visitor     $visitor the visitor who caused the event
     * @param string      $ticket  the string that the service returned with the product, at most 8192 bytes, sent
     *                             unchanged; a ticket with a control character is refused
     * @param string|null $id      id of this one event, at most 128 bytes; null: a new UUID. To send the same event
     *                             again, pass the id of its receipt.
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
        return $this->open()->notifyAddToCart($visitor, $ticket, $id);
    }

    /**
     * Enqueues the most common notification with enqueue(): the visitor added the ticket's product to the cart.
     *
     * @param Visitor     $visitor the visitor who caused the event
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
        return $this->open()->enqueueAddToCart($visitor, $ticket, $id);
    }

    /**
     * Like enqueue(), but never throws. It is for a page that must not fail. The receipt has the reason of a failure.
     *
     * The parameters have no types, so that a value of a wrong type returns a receipt instead of a TypeError.
     *
     * @param Visitor      $visitor      who did it
     * @param Notification $notification what happened
     *
     * @return Receipt its status is Status::QUEUED, or below 0 if it was not accepted; the detail has the reason, which
     * the page should log
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
     * Like enqueueAddToCart(), but never throws, like tryEnqueue().
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
     * Waits until all notifications that were accepted before this call have left the queue.
     *
     * @param int $timeoutMs longest time to wait, in milliseconds: 0 to 4294967295
     *
     * @return bool whether all of them have left the queue; the others stay in it, and stats() returns their number
     *
     * @throws Exception\InvalidArgumentException if the time is out of range
     * @throws Exception\ClosedException          if the client was closed
     * @throws Exception\SpoolFailedException     if the spool could not be read
     */
    public function flush(int $timeoutMs): bool
    {
        return $this->open()->flush($timeoutMs);
    }

    /**
     * Ends this process's delivery of the client's queue, for good, and waits for requests in flight.
     *
     * Call it in a program that is about to end: a request that is in flight when the process ends is sent again later.
     * A command-line program does this by itself for every spool when it ends, and waits at most 2 seconds. Do not call
     * it in a web page: later pages of the same PHP process would not deliver either. Pending notifications stay in the
     * queue.
     *
     * @param int $timeoutMs longest time to wait for requests in flight, in milliseconds: 0 to 4294967295
     *
     * @return bool true: no request is in flight any more; false: the requests that were still in flight are sent
     *              again later, with the same ids
     *
     * @throws Exception\InvalidArgumentException if the time is out of range
     * @throws Exception\ClosedException          if the client was closed
     */
    public function stopDelivery(int $timeoutMs): bool
    {
        return $this->open()->stopDelivery($timeoutMs);
    }

    /**
     * Returns the counters of the queue.
     *
     * @throws Exception\ClosedException      if the client was closed
     * @throws Exception\SpoolFailedException if the spool could not be read
     */
    public function stats(): Stats
    {
        return $this->open()->stats();
    }

    /**
     * Returns the receipt of a notification that was accepted into the queue.
     *
     * @param string $id the id of the receipt of enqueue()
     *
     * @return Receipt|null the status is Status::QUEUED while the notification is pending, then Status::DELIVERED,
     *                      Status::EXPIRED, Status::DROPPED, or the code for which it became a dead letter; null
     *                      (ESALES_UNKNOWN_ID in C): the id is unknown, or its receipt was discarded (option
     *                      receipt_retention_s)
     *
     * @throws Exception\InvalidArgumentException if the id has a NUL byte
     * @throws Exception\ClosedException          if the client was closed
     * @throws Exception\SpoolFailedException     if the spool could not be read
     */
    public function receipt(string $id): ?Receipt
    {
        return $this->open()->receipt($id);
    }

    /**
     * Frees the client. A second call does nothing. The call returns at once: the connections stay open for other
     * clients for keep_alive_s, and the process keeps delivering the queue.
     */
    public function close(): void
    {
        // Also called if the constructor failed before it set the property.
        if (isset($this->backend)) {
            $backend = $this->backend;
            $this->backend = null;
            $backend->close();
        }
    }

    /**
     * Returns the version of the shared library, such as "0.1.0".
     *
     * @param string|null $library path of the shared library; null: searched as described in the README
     *
     * @throws Exception\LibraryException if the library cannot be loaded
     */
    public static function libraryVersion(?string $library = null): string
    {
        return Loader::load($library)->version();
    }

    /**
     * The receipt of a call that threw. An exception that is not a NotifyException comes from a wrong type.
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
    private function open(): Backend
    {
        if ($this->backend === null) {
            throw new ClosedException('the client was closed', Status::CLOSED, 'ESALES_CLOSED');
        }

        return $this->backend;
    }
}
