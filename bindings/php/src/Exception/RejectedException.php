<?php

// Generated from the Rust source by `make generate`: do not edit.

declare(strict_types=1);

namespace Esales\Notify\Exception;

/**
 * -12: The service gave another final answer, such as a 404 or a redirect.
 */
final class RejectedException extends FinalException
{
}
