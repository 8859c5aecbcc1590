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
     * What became of it; the code that the function returned, if it sends or enqueues.
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
     * Attempts that were started; 0: nothing was sent.
     */
    public function getAttempts(): int
    {
        return $this->attempts;
    }

    /**
     * Duration of the call in microseconds.
     */
    public function getElapsedMicroseconds(): int
    {
        return $this->elapsedMicroseconds;
    }

    /**
     * The id that was sent; empty if the arguments were refused.
     */
    public function getId(): string
    {
        return $this->id;
    }

    /**
     * What happened, for a person; UTF-8. What does not fit is cut between two characters, and then ends with "...".
     * esales_last_error has all of it if the call failed.
     */
    public function getDetail(): string
    {
        return $this->detail;
    }
}
