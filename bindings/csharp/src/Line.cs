using System.Globalization;

namespace Esales.Notify
{
    /// <summary>
    /// One line of an order: a product, how many were bought, and what one of them was sold for. Immutable; may be used
    /// from any thread. The values are checked when the notification is sent.
    /// </summary>
    /// <remarks>
    /// A <c>decimal</c> is sent with all its decimals, in every culture: <c>199.50m</c> is sent as <c>199.50</c>. A price
    /// that is given as text is sent exactly as written: digits, and a point with digits behind it where there are decimals,
    /// at most 32 characters. A <c>double</c> is not accepted: it cannot hold most prices exactly.
    /// </remarks>
    public sealed class Line
    {
        /// <summary>A line whose prices are numbers.</summary>
        /// <param name="productKey">
        /// The shop's key of the product, 1 to 256 bytes of UTF-8; null: <paramref name="variantKey"/> is given.
        /// </param>
        /// <param name="quantity">How many were bought, 1 to 2147483647.</param>
        /// <param name="sellingPrice">What one of them was sold for, 0 or more.</param>
        /// <param name="cost">
        /// What one of them cost the shop, more than 0 and less than <paramref name="sellingPrice"/>; in a secure payment
        /// only. Null: not known.
        /// </param>
        /// <param name="variantKey">The shop's key of the variant, 1 to 256 bytes of UTF-8; null: none.</param>
        public Line(
            string productKey, int quantity, decimal sellingPrice, decimal? cost = null, string variantKey = null)
            : this(
                productKey,
                quantity,
                sellingPrice.ToString(CultureInfo.InvariantCulture),
                cost?.ToString(CultureInfo.InvariantCulture),
                variantKey)
        {
        }

        /// <summary>A line whose prices are text, which is sent exactly as written.</summary>
        /// <param name="productKey">
        /// The shop's key of the product, 1 to 256 bytes of UTF-8; null: <paramref name="variantKey"/> is given.
        /// </param>
        /// <param name="quantity">How many were bought, 1 to 2147483647.</param>
        /// <param name="sellingPrice">What one of them was sold for, such as <c>"199.50"</c>.</param>
        /// <param name="cost">
        /// What one of them cost the shop, more than 0 and less than <paramref name="sellingPrice"/>; in a secure payment
        /// only. Null: not known.
        /// </param>
        /// <param name="variantKey">The shop's key of the variant, 1 to 256 bytes of UTF-8; null: none.</param>
        public Line(
            string productKey, int quantity, string sellingPrice, string cost = null, string variantKey = null)
        {
            ProductKey = productKey;
            Quantity = quantity;
            SellingPrice = sellingPrice;
            Cost = cost;
            VariantKey = variantKey;
        }

        /// <summary>The shop's key of the product; null: not given.</summary>
        public string ProductKey { get; }

        /// <summary>The shop's key of the variant; null: not given.</summary>
        public string VariantKey { get; }

        /// <summary>How many were bought.</summary>
        public int Quantity { get; }

        /// <summary>What one of them was sold for, as it is sent.</summary>
        public string SellingPrice { get; }

        /// <summary>What one of them cost the shop, as it is sent; null: not known.</summary>
        public string Cost { get; }
    }
}
