<?php

// Generated from the Rust source by `make generate`: do not edit.

declare(strict_types=1);

namespace Esales\Notify\Exception;

/**
 * -90: There is a defect in the library; what the call did is not known.
 */
final class InternalException extends \RuntimeException implements NotifyException
{
    use HasStatus;
}
