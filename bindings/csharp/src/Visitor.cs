namespace Esales.Notify
{
    /// <summary>
    /// The visitor who caused the event. Immutable; any thread may use it. The values are checked when a notification
    /// is sent: none may be empty or contain a control character.
    /// </summary>
    public sealed class Visitor
    {
        private Visitor(string customerKey, string sessionKey, string token, string market)
        {
            CustomerKey = customerKey;
            SessionKey = sessionKey;
            Token = token;
            Market = market;
        }

        /// <summary>A visitor who is not signed in.</summary>
        /// <param name="customerKey">
        /// A UUID that the shop makes with <see cref="Identity.NewKey"/> and keeps in the visitor's cookie; at most 256
        /// bytes.
        /// </param>
        /// <param name="sessionKey">A UUID for the session (visit); at most 256 bytes.</param>
        /// <param name="market">Storefront market, at most 128 bytes; null: the client's option <c>market</c>.</param>
        /// <returns>The visitor.</returns>
        public static Visitor Anonymous(string customerKey, string sessionKey, string market = null)
        {
            return new Visitor(customerKey, sessionKey, null, market);
        }

        /// <summary>A visitor who is signed in.</summary>
        /// <param name="customerKey">From <see cref="Identity.CustomerKey"/>.</param>
        /// <param name="sessionKey">A UUID for the session (visit); at most 256 bytes.</param>
        /// <param name="token">From <see cref="Identity.CustomerToken"/>; at most 256 bytes.</param>
        /// <param name="market">Storefront market, at most 128 bytes; null: the client's option <c>market</c>.</param>
        /// <returns>The visitor.</returns>
        /// <exception cref="InvalidArgumentException">
        /// <paramref name="token"/> is null, which would mean an anonymous visitor in the C API.
        /// </exception>
        public static Visitor SignedIn(string customerKey, string sessionKey, string token, string market = null)
        {
            if (token == null)
            {
                throw new InvalidArgumentException("token is null; Visitor.Anonymous is for visitors without", "token");
            }
            return new Visitor(customerKey, sessionKey, token, market);
        }

        /// <summary>The key of the visitor.</summary>
        public string CustomerKey { get; }

        /// <summary>The key of the session (visit).</summary>
        public string SessionKey { get; }

        /// <summary>The token of a signed-in visitor. Null: the visitor is anonymous.</summary>
        public string Token { get; }

        /// <summary>Storefront market; null: the client's option <c>market</c>.</summary>
        public string Market { get; }

        /// <summary>Whether the visitor is signed in, and the market, for a log, without keys and token.</summary>
        /// <returns>One line.</returns>
        public override string ToString()
        {
            return (Token == null ? "anonymous" : "signed-in") + " visitor" + (Market == null ? "" : " in " + Market);
        }
    }
}
