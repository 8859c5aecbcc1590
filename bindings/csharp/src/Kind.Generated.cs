// Generated from the Rust source by `make generate`: do not edit.

namespace Esales.Notify
{
    /// <summary>What the visitor did.</summary>
    public enum Kind
    {
        /// <summary>The visitor added to the cart a product that the service had returned.</summary>
        AddToCart = 1,

        /// <summary>The visitor clicked a product that the service had returned.</summary>
        Click = 2,

        /// <summary>The visitor clicked a product that did not come from the service and has no ticket.</summary>
        NonEsalesClick = 3,

        /// <summary>The visitor added to the cart a product that did not come from the service and has no ticket.</summary>
        NonEsalesAddToCart = 4,

        /// <summary>The visitor paid for an order. Some clusters accept only signed payments.</summary>
        Payment = 5,

        /// <summary>The visitor paid for an order. The notification is signed with the shop's private key, and its lines may have costs.</summary>
        SecurePayment = 6,

        /// <summary>The visitor signed out: the session ends.</summary>
        End = 7,
    }
}
