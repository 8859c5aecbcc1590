<?php

// Generated from the Rust source by `make generate`: do not edit.

declare(strict_types=1);

namespace Esales\Notify\Exception;

/**
 * -90: The library has a defect; it is not known whether the call had an effect.
 */
final class InternalException extends \RuntimeException implements NotifyException
{
    use HasStatus;
}
