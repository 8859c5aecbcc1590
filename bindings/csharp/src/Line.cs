using System.Globalization;

namespace Esales.Notify
{
    /// <summary>
    /// One line of an order: a product, the number of items bought, and the price of one item. Immutable; any thread
    /// may use it. The values are checked when the notification is sent.
    /// </summary>
    /// <remarks>
    /// A <c>decimal</c> is sent with all its decimals, in every culture: <c>199.50m</c> is sent as <c>199.50</c>. A
    /// price as text is sent exactly as written: digits, optionally followed by a point and more digits, at most 32
    /// characters. A <c>double</c> is not accepted, because it cannot hold most prices exactly.
    /// </remarks>
    public sealed class Line
    {
        /// <summary>A line whose prices are numbers.</summary>
        /// <param name="productKey">
        /// The shop's key of the product, 1 to 256 bytes of UTF-8. May be null if <paramref name="variantKey"/> is
        /// given.
        /// </param>
        /// <param name="quantity">Number of items bought, 1 to 2147483647.</param>
        /// <param name="sellingPrice">Selling price of one item, 0 or more.</param>
        /// <param name="cost">
        /// Cost of one item for the shop, more than 0 and less than <paramref name="sellingPrice"/>. Only in a secure
        /// payment. Null: the cost is not known.
        /// </param>
        /// <param name="variantKey">The shop's key of the variant, 1 to 256 bytes of UTF-8. May be null.</param>
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
        /// The shop's key of the product, 1 to 256 bytes of UTF-8. May be null if <paramref name="variantKey"/> is
        /// given.
        /// </param>
        /// <param name="quantity">Number of items bought, 1 to 2147483647.</param>
        /// <param name="sellingPrice">Selling price of one item, such as <c>"199.50"</c>.</param>
        /// <param name="cost">
        /// Cost of one item for the shop, more than 0 and less than <paramref name="sellingPrice"/>. Only in a secure
        /// payment. Null: the cost is not known.
        /// </param>
        /// <param name="variantKey">The shop's key of the variant, 1 to 256 bytes of UTF-8. May be null.</param>
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

        /// <summary>Number of items bought.</summary>
        public int Quantity { get; }

        /// <summary>Selling price of one item, as it is sent.</summary>
        public string SellingPrice { get; }

        /// <summary>Cost of one item for the shop, as it is sent; null: not known.</summary>
        public string Cost { get; }
    }
}
