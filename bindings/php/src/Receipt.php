<?php

// Generated from the Rust source by `make generate`: do not edit.

declare(strict_types=1);

namespace Esales\Notify;

/**
 * The outcome of a notification. Immutable.
 */
final class Receipt
{
    private int $status;

    private string $statusName;

    private ?int $httpStatus;

    private int $attempts;

    private int $elapsedMicroseconds;

    private string $id;

    private string $detail;

    /**
     * Only the library makes objects of this class.
     *
     * @internal
     */
    public function __construct(
        int $status,
        string $statusName,
        ?int $httpStatus,
        int $attempts,
        int $elapsedMicroseconds,
        string $id,
        string $detail
    ) {
        $this->status = $status;
        $this->statusName = $statusName;
        $this->httpStatus = $httpStatus;
        $this->attempts = $attempts;
        $this->elapsedMicroseconds = $elapsedMicroseconds;
        $this->id = $id;
        $this->detail = $detail;
    }

    /**
     * The outcome, as a status code. A function that sends or enqueues returns the same code.
     */
    public function getStatus(): int
    {
        return $this->status;
    }

    /**
     * The name of the code in the C API, such as "ESALES_DELIVERED".
     */
    public function getStatusName(): string
    {
        return $this->statusName;
    }

    /**
     * HTTP status of the answer to the last attempt. null: the last attempt got no answer.
     */
    public function getHttpStatus(): ?int
    {
        return $this->httpStatus;
    }

    /**
     * How many attempts were started. 0: nothing was sent.
     */
    public function getAttempts(): int
    {
        return $this->attempts;
    }

    /**
     * Duration of the call, in microseconds. In a receipt from the queue: the time from acceptance to the outcome, or
     * until now if the notification is pending.
     */
    public function getElapsedMicroseconds(): int
    {
        return $this->elapsedMicroseconds;
    }

    /**
     * The id that was sent, which is the same in every attempt. Empty if the arguments were refused. To send the same
     * event again, pass this id.
     */
    public function getId(): string
    {
        return $this->id;
    }

    /**
     * A message for a person: UTF-8, at most 255 bytes. A longer message is cut and ends with "...".
     */
    public function getDetail(): string
    {
        return $this->detail;
    }
}
