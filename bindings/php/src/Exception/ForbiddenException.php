<?php

// Generated from the Rust source by `make generate`: do not edit.

declare(strict_types=1);

namespace Esales\Notify\Exception;

/**
 * -11: The service could not validate a signed-in visitor or a payment (403).
 */
final class ForbiddenException extends FinalException
{
}
