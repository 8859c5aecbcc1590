<?php

// Generated from the Rust source by `make generate`: do not edit.

declare(strict_types=1);

namespace Esales\Notify\Exception;

/**
 * -24: The TLS handshake failed, or the certificate was refused.
 */
final class TlsFailedException extends RetryableException
{
}
