<?php

declare(strict_types=1);

namespace Esales\Notify\Exception;

/**
 * The service could not validate the customer key of a signed-in visitor: 403 (-11).
 */
final class ForbiddenException extends FinalException
{
}
