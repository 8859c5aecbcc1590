<?php

// Generated from the Rust source by `make generate`: do not edit.

declare(strict_types=1);

namespace Esales\Notify\Exception;

/**
 * -13: It is not known whether the payment arrived; the service would count it twice if it were sent again.
 */
final class MayHaveArrivedException extends FinalException
{
}
