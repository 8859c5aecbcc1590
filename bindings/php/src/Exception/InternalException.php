<?php

declare(strict_types=1);

namespace Esales\Notify\Exception;

/**
 * A defect in the library (-90), or a code that this version of the binding does not know.
 */
final class InternalException extends \RuntimeException implements NotifyException
{
    use HasStatus;
}
