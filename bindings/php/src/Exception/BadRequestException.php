<?php

declare(strict_types=1);

namespace Esales\Notify\Exception;

/**
 * A ticket, a product key or an order line is missing: 400 (-10).
 */
final class BadRequestException extends FinalException
{
}
