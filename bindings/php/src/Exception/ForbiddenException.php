<?php

// Generated from the Rust source by `make generate`: do not edit.

declare(strict_types=1);

namespace Esales\Notify\Exception;

/**
 * -11: The service could not validate the customer key of a signed-in visitor (403).
 */
final class ForbiddenException extends FinalException
{
}
