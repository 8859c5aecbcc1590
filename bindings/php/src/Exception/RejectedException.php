<?php

declare(strict_types=1);

namespace Esales\Notify\Exception;

/**
 * Any other final answer (-12).
 */
final class RejectedException extends FinalException
{
}
