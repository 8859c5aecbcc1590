<?php

// Generated from the Rust source by `make generate`: do not edit.

declare(strict_types=1);

namespace Esales\Notify\Exception;

/**
 * -10: The service refused the request (400): a ticket, a product key or an order line is missing.
 */
final class BadRequestException extends FinalException
{
}
