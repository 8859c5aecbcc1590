namespace Esales.Notify
{
    /// <summary>
    /// Who did it. Immutable; may be used from any thread. The values are checked when a
    /// notification is sent: none may be empty or hold a control character.
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
        /// A UUID that the shop made (<see cref="Identity.NewKey"/>) and keeps in the visitor's cookie; at most 256
        /// bytes.
        /// </param>
        /// <param name="sessionKey">A UUID for the visit; at most 256 bytes.</param>
        /// <param name="market">Storefront market, at most 128 bytes; null: the client's option <c>market</c>.</param>
        /// <returns>The visitor.</returns>
        public static Visitor Anonymous(string customerKey, string sessionKey, string market = null)
        {
            return new Visitor(customerKey, sessionKey, null, market);
        }

        /// <summary>A visitor who is signed in.</summary>
        /// <param name="customerKey">From <see cref="Identity.CustomerKey"/>.</param>
        /// <param name="sessionKey">A UUID for the visit; at most 256 bytes.</param>
        /// <param name="token">From <see cref="Identity.CustomerToken"/>; at most 256 bytes.</param>
        /// <param name="market">Storefront market, at most 128 bytes; null: the client's option <c>market</c>.</param>
        /// <returns>The visitor.</returns>
        /// <exception cref="InvalidArgumentException">
        /// <paramref name="token"/> is null: in the C API that would mean an anonymous visitor.
        /// </exception>
        public static Visitor SignedIn(string customerKey, string sessionKey, string token, string market = null)
        {
            if (token == null)
            {
                throw new InvalidArgumentException("token is null; Visitor.Anonymous is for visitors without", "token");
            }
            return new Visitor(customerKey, sessionKey, token, market);
        }

        /// <summary>Who the visitor is.</summary>
        public string CustomerKey { get; }

        /// <summary>Names the visit.</summary>
        public string SessionKey { get; }

        /// <summary>Proves a signed-in visitor's customer key; null for an anonymous visitor.</summary>
        public string Token { get; }

        /// <summary>Storefront market; null: the client's option <c>market</c>.</summary>
        public string Market { get; }

        /// <summary>Whether the visitor is signed in, and the market, for a log; no key and no token.</summary>
        /// <returns>One line.</returns>
        public override string ToString()
        {
            return (Token == null ? "anonymous" : "signed-in") + " visitor" + (Market == null ? "" : " in " + Market);
        }
    }
}
