namespace Esales.Notify
{
    /// <summary>Makes the keys and tokens of visitors. Any thread may use it; nothing is sent.</summary>
    public static class Identity
    {
        private const int DigestSize = 65;
        private const int KeySize = 37;

        /// <summary>Returns the customer key of a signed-in visitor: the SHA-256 of the visitor's id in the shop.</summary>
        /// <param name="customerId">The visitor's id: 1 to 4096 bytes of UTF-8 without control characters.</param>
        /// <returns>64 lower-case hex digits.</returns>
        /// <exception cref="InvalidArgumentException">The id is null, empty, too long or malformed.</exception>
        /// <exception cref="LibraryNotFoundException">The native library cannot be loaded.</exception>
        public static unsafe string CustomerKey(string customerId)
        {
            byte[] bytes = Utf8.Encode("customer_id", nameof(customerId), customerId);
            Native native = NotifyLibrary.Native;
            byte* digits = stackalloc byte[DigestSize];
            fixed (byte* id = bytes)
            {
                native.Check(native.CustomerKey(id, digits));
            }
            return Utf8.Read(digits, DigestSize);
        }

        /// <summary>
        /// Returns the token of a signed-in visitor: the HMAC-SHA256 of the customer key under the shop's private key.
        /// </summary>
        /// <param name="privateKey">
        /// The shop's private key, which the vendor issued: 1 to 4096 bytes of UTF-8 without control characters. A line
        /// break at the end of a key file is not part of the key.
        /// </param>
        /// <param name="customerKey">From <see cref="CustomerKey"/>.</param>
        /// <returns>64 lower-case hex digits.</returns>
        /// <exception cref="InvalidArgumentException">An argument is null, empty, too long or malformed.</exception>
        /// <exception cref="LibraryNotFoundException">The native library cannot be loaded.</exception>
        public static unsafe string CustomerToken(string privateKey, string customerKey)
        {
            byte[] secret = Utf8.Encode("private_key", nameof(privateKey), privateKey);
            byte[] bytes = Utf8.Encode("customer_key", nameof(customerKey), customerKey);
            Native native = NotifyLibrary.Native;
            byte* digits = stackalloc byte[DigestSize];
            fixed (byte* key = secret, message = bytes)
            {
                native.Check(native.CustomerToken(key, message, digits));
            }
            return Utf8.Read(digits, DigestSize);
        }

        /// <summary>
        /// Returns a new random key (UUID version 4) for an anonymous customer key, a session key or an id.
        /// </summary>
        /// <returns>36 characters.</returns>
        /// <exception cref="InternalException">The system provides no random bytes.</exception>
        /// <exception cref="LibraryNotFoundException">The native library cannot be loaded.</exception>
        public static unsafe string NewKey()
        {
            Native native = NotifyLibrary.Native;
            byte* key = stackalloc byte[KeySize];
            native.Check(native.NewKey(key));
            return Utf8.Read(key, KeySize);
        }
    }
}
