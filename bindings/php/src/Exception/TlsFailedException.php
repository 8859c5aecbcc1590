<?php

declare(strict_types=1);

namespace Esales\Notify\Exception;

/**
 * The TLS handshake failed or the certificate was refused (-24).
 */
final class TlsFailedException extends RetryableException
{
}
