namespace Esales.Notify.Tests
{
    /// <summary>The example of the vendor's reference.</summary>
    internal static class Sample
    {
        internal const string CustomerKey = "d9528030-509c-4e0f-b585-7168f1e9feca";
        internal const string SessionKey = "b106299c-eac0-4f6f-96d2-93e57c255784";
        internal const string Ticket =
            "Oy9keW5hbWljLXBhZ2VzL3N0YXJ0L2VzYWxlcy1zdGFydC0xOyM7cHJvZHVjdF9rZXk7UF8xMjUzODMtMDAxNF9VSzsjOztOT05FOk5PTkU7NjE7";

        internal static readonly Visitor Anna = Visitor.Anonymous(CustomerKey, SessionKey, "UK");
    }
}
