<?php

// Generated from the Rust source by `make generate`: do not edit.

declare(strict_types=1);

namespace Esales\Notify\Exception;

/**
 * -21: The service asks the client to try again later (429 or 425).
 */
final class ThrottledException extends RetryableException
{
}
