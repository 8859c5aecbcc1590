<?php

// Generated from the Rust source by `make generate`: do not edit.

declare(strict_types=1);

namespace Esales\Notify\Internal;

use Esales\Notify\Exception\BadRequestException;
use Esales\Notify\Exception\BadResponseException;
use Esales\Notify\Exception\ClosedException;
use Esales\Notify\Exception\ConnectFailedException;
use Esales\Notify\Exception\ConnectionLostException;
use Esales\Notify\Exception\DroppedException;
use Esales\Notify\Exception\ExpiredException;
use Esales\Notify\Exception\FinalException;
use Esales\Notify\Exception\ForbiddenException;
use Esales\Notify\Exception\InternalException;
use Esales\Notify\Exception\InvalidArgumentException;
use Esales\Notify\Exception\InvalidConfigException;
use Esales\Notify\Exception\MayHaveArrivedException;
use Esales\Notify\Exception\NotifyException;
use Esales\Notify\Exception\QueueFullException;
use Esales\Notify\Exception\RejectedException;
use Esales\Notify\Exception\RetryableException;
use Esales\Notify\Exception\ServerErrorException;
use Esales\Notify\Exception\SpoolFailedException;
use Esales\Notify\Exception\ThrottledException;
use Esales\Notify\Exception\TimeoutException;
use Esales\Notify\Exception\TlsFailedException;
use Esales\Notify\Exception\UnknownIdException;
use Esales\Notify\Receipt;
use Esales\Notify\Status;

/**
 * Converts status codes to exceptions.
 *
 * @internal
 */
final class Failure
{
    private const CLASSES = [
        Status::INVALID_ARGUMENT => InvalidArgumentException::class,
        Status::INVALID_CONFIG => InvalidConfigException::class,
        Status::CLOSED => ClosedException::class,
        Status::BAD_REQUEST => BadRequestException::class,
        Status::FORBIDDEN => ForbiddenException::class,
        Status::REJECTED => RejectedException::class,
        Status::MAY_HAVE_ARRIVED => MayHaveArrivedException::class,
        Status::SERVER_ERROR => ServerErrorException::class,
        Status::THROTTLED => ThrottledException::class,
        Status::TIMEOUT => TimeoutException::class,
        Status::CONNECT_FAILED => ConnectFailedException::class,
        Status::TLS_FAILED => TlsFailedException::class,
        Status::CONNECTION_LOST => ConnectionLostException::class,
        Status::BAD_RESPONSE => BadResponseException::class,
        Status::QUEUE_FULL => QueueFullException::class,
        Status::SPOOL_FAILED => SpoolFailedException::class,
        Status::EXPIRED => ExpiredException::class,
        Status::DROPPED => DroppedException::class,
        Status::UNKNOWN_ID => UnknownIdException::class,
        Status::INTERNAL => InternalException::class,
    ];

    private function __construct()
    {
    }

    /**
     * The exception for a code below 0. An unknown code of a later library gets the exception of its group.
     */
    public static function exception(
        int $status,
        string $statusName,
        string $message,
        ?Receipt $receipt
    ): NotifyException {
        $class = self::CLASSES[$status] ?? null;
        if ($class === null && $status >= -19 && $status <= -10) {
            $class = FinalException::class;
        }
        if ($class === null && $status >= -29 && $status <= -20) {
            $class = RetryableException::class;
        }
        $class = $class ?? InternalException::class;

        return new $class($message, $status, $statusName, $receipt);
    }
}
