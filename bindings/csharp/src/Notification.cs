using System.Collections.Generic;
using System.Collections.ObjectModel;
using System.Linq;

namespace Esales.Notify
{
    /// <summary>
    /// What happened, for <see cref="Client.Notify"/> and <see cref="Client.Enqueue"/>. Immutable; may be used from any
    /// thread, and more than once. The values are checked when the notification is sent: none may be empty or hold a
    /// control character.
    /// </summary>
    /// <remarks>
    /// The id names this one event, 1 to 128 bytes of UTF-8; null: every send makes a new UUID. To send the same event again,
    /// pass the id of the receipt. The service receives it with clicks and carts; the other kinds use it in receipts, in the
    /// log and in the queue.
    /// </remarks>
    public sealed class Notification
    {
        private Notification(
            Kind kind,
            string id,
            string ticket = null,
            string productKey = null,
            string variantKey = null,
            Line[] lines = null,
            string privateKey = null)
        {
            Kind = kind;
            Id = id;
            Ticket = ticket;
            ProductKey = productKey;
            VariantKey = variantKey;
            Lines = new ReadOnlyCollection<Line>(lines ?? new Line[0]);
            PrivateKey = privateKey;
        }

        /// <summary>What the visitor did.</summary>
        public Kind Kind { get; }

        /// <summary>Names this one event; null: every send makes a new UUID.</summary>
        public string Id { get; }

        /// <summary>The service's own opaque string for what the visitor saw; null if the kind has none.</summary>
        public string Ticket { get; }

        /// <summary>The shop's key of the product; null if there is none.</summary>
        public string ProductKey { get; }

        /// <summary>The shop's key of the variant; null if there is none.</summary>
        public string VariantKey { get; }

        /// <summary>The lines of the order; empty if the kind has none.</summary>
        public IReadOnlyList<Line> Lines { get; }

        /// <summary>The shop's private key, which signs a secure payment.</summary>
        internal string PrivateKey { get; }

        /// <summary>The visitor added a product to the cart that the service had shown.</summary>
        /// <param name="ticket">
        /// The string that the service gave with the product, 1 to 8192 bytes of UTF-8, sent unchanged.
        /// </param>
        /// <param name="id">Names this one event, 1 to 128 bytes of UTF-8; null: a new UUID.</param>
        /// <returns>The notification.</returns>
        public static Notification AddToCart(string ticket, string id = null)
        {
            return new Notification(Kind.AddToCart, id, ticket);
        }

        /// <summary>The visitor clicked a product that the service had shown.</summary>
        /// <param name="ticket">
        /// The string that the service gave with the product, 1 to 8192 bytes of UTF-8, sent unchanged.
        /// </param>
        /// <param name="id">Names this one event, 1 to 128 bytes of UTF-8; null: a new UUID.</param>
        /// <returns>The notification.</returns>
        public static Notification Click(string ticket, string id = null)
        {
            return new Notification(Kind.Click, id, ticket);
        }

        /// <summary>The visitor clicked a product for which there is no ticket.</summary>
        /// <param name="productKey">
        /// The shop's key of the product, 1 to 256 bytes of UTF-8. Null: <paramref name="variantKey"/> is given; the service
        /// may refuse that.
        /// </param>
        /// <param name="variantKey">The shop's key of the variant, 1 to 256 bytes of UTF-8; null: none.</param>
        /// <param name="id">Names this one event, 1 to 128 bytes of UTF-8; null: a new UUID.</param>
        /// <returns>The notification.</returns>
        public static Notification NonEsalesClick(string productKey, string variantKey = null, string id = null)
        {
            return new Notification(
                Kind.NonEsalesClick, id, productKey: productKey, variantKey: variantKey);
        }

        /// <summary>The visitor added a product to the cart for which there is no ticket.</summary>
        /// <param name="productKey">
        /// The shop's key of the product, 1 to 256 bytes of UTF-8. Null: <paramref name="variantKey"/> is given; the service
        /// may refuse that.
        /// </param>
        /// <param name="variantKey">The shop's key of the variant, 1 to 256 bytes of UTF-8; null: none.</param>
        /// <param name="id">Names this one event, 1 to 128 bytes of UTF-8; null: a new UUID.</param>
        /// <returns>The notification.</returns>
        public static Notification NonEsalesAddToCart(string productKey, string variantKey = null, string id = null)
        {
            return new Notification(
                Kind.NonEsalesAddToCart, id, productKey: productKey, variantKey: variantKey);
        }

        /// <summary>
        /// The visitor paid for an order. Not every cluster accepts payments that are not signed: prefer
        /// <see cref="SecurePayment"/>.
        /// </summary>
        /// <param name="lines">The lines of the order, 1 to 10,000, without costs; copied.</param>
        /// <param name="id">
        /// Names this one event in receipts, in the log and in the queue, 1 to 128 bytes of UTF-8; null: a new UUID. The
        /// service does not receive it.
        /// </param>
        /// <returns>The notification.</returns>
        /// <exception cref="InvalidArgumentException"><paramref name="lines"/> is null, or one of them is.</exception>
        public static Notification Payment(IEnumerable<Line> lines, string id = null)
        {
            return new Notification(Kind.Payment, id, lines: Checked(lines));
        }

        /// <summary>The visitor paid for an order. The shop's private key signs the notification.</summary>
        /// <param name="lines">The lines of the order, 1 to 10,000, which may have costs; copied.</param>
        /// <param name="privateKey">
        /// From the vendor; 1 to 4096 bytes of UTF-8, no control character (mind a file's final line break). It signs the
        /// payment when it is sent or queued. It is neither sent nor written to the queue.
        /// </param>
        /// <param name="id">
        /// Names this one event in receipts, in the log and in the queue, 1 to 128 bytes of UTF-8; null: a new UUID. The
        /// service does not receive it.
        /// </param>
        /// <returns>The notification.</returns>
        /// <exception cref="InvalidArgumentException"><paramref name="lines"/> is null, or one of them is.</exception>
        public static Notification SecurePayment(IEnumerable<Line> lines, string privateKey, string id = null)
        {
            return new Notification(
                Kind.SecurePayment, id, lines: Checked(lines), privateKey: privateKey);
        }

        /// <summary>The visitor signed out: the session ends.</summary>
        /// <param name="id">
        /// Names this one event in receipts, in the log and in the queue, 1 to 128 bytes of UTF-8; null: a new UUID. The
        /// service does not receive it.
        /// </param>
        /// <returns>The notification.</returns>
        public static Notification End(string id = null)
        {
            return new Notification(Kind.End, id);
        }

        /// <summary>The kind, the id and the number of lines, for a log; no ticket and no private key.</summary>
        /// <returns>One line.</returns>
        public override string ToString()
        {
            string lines = Lines.Count == 0 ? "" : ", " + Lines.Count + (Lines.Count == 1 ? " line" : " lines");
            return Kind + " " + (Id ?? "without an id") + lines;
        }

        private static Line[] Checked(IEnumerable<Line> lines)
        {
            if (lines == null)
            {
                throw new InvalidArgumentException("lines are missing", nameof(lines));
            }
            Line[] copied = lines.ToArray();
            for (int i = 0; i < copied.Length; i++)
            {
                if (copied[i] == null)
                {
                    throw new InvalidArgumentException("lines[" + i + "] is null", nameof(lines));
                }
            }
            return copied;
        }
    }
}
