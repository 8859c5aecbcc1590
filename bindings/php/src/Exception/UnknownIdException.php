<?php

// Generated from the Rust source by `make generate`: do not edit.

declare(strict_types=1);

namespace Esales\Notify\Exception;

/**
 * -34: The id is unknown: it was never accepted here, or its receipt was discarded.
 */
final class UnknownIdException extends \RuntimeException implements NotifyException
{
    use HasStatus;
}
