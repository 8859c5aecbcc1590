// Generated from the Rust source by `make generate`: do not edit.

namespace Esales.Notify
{
    /// <summary>What the visitor did.</summary>
    public enum Kind
    {
        /// <summary>The visitor added a product to the cart that the service had shown.</summary>
        AddToCart = 1,

        /// <summary>The visitor clicked a product that the service had shown.</summary>
        Click = 2,

        /// <summary>The visitor clicked a product that the service had not shown, so that there is no ticket for it.</summary>
        NonEsalesClick = 3,

        /// <summary>The visitor added a product to the cart that the service had not shown, so that there is no ticket for it.</summary>
        NonEsalesAddToCart = 4,

        /// <summary>The visitor paid for an order. Not every cluster accepts payments that are not signed.</summary>
        Payment = 5,

        /// <summary>The visitor paid for an order. The shop's private key signs the notification, and its lines may have costs.</summary>
        SecurePayment = 6,

        /// <summary>The visitor signed out: the session ends.</summary>
        End = 7,
    }
}
