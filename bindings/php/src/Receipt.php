<?php

// Generated from the Rust source by `make generate`: do not edit.

declare(strict_types=1);

namespace Esales\Notify;

/**
 * What became of a notification. Immutable.
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
     * Made by the client.
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
     * What became of it: a status code. It is the code that the function returned, if it sends or enqueues.
     */
    public function getStatus(): int
    {
        return $this->status;
    }

    /**
     * The code's name in the C API, such as "ESALES_DELIVERED".
     */
    public function getStatusName(): string
    {
        return $this->statusName;
    }

    /**
     * HTTP status of the last attempt's answer; null: it got none.
     */
    public function getHttpStatus(): ?int
    {
        return $this->httpStatus;
    }

    /**
     * How many attempts were started; 0: nothing was sent.
     */
    public function getAttempts(): int
    {
        return $this->attempts;
    }

    /**
     * Duration of the call in microseconds. If it comes from the queue: from acceptance to the outcome, or to now.
     */
    public function getElapsedMicroseconds(): int
    {
        return $this->elapsedMicroseconds;
    }

    /**
     * The id that was sent, the same in every attempt; empty if the arguments were refused. To send the same event
     * again, pass it as the id.
     */
    public function getId(): string
    {
        return $this->id;
    }

    /**
     * What happened, for a person: UTF-8, at most 255 bytes. A longer text is cut, and then ends with "...".
     */
    public function getDetail(): string
    {
        return $this->detail;
    }
}
