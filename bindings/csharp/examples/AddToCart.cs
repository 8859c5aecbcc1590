using System;
using Esales.Notify;

static class AddToCart
{
    static void Main()
    {
        using (var client = new Client()) // reads ESALES_CLUSTER_ID or ESALES_BASE_URL, and any other option
        {
            var visitor = Visitor.Anonymous(
                "d9528030-509c-4e0f-b585-7168f1e9feca", "b106299c-eac0-4f6f-96d2-93e57c255784", "UK");
            var receipt = client.NotifyAddToCart(visitor,
                "Oy9keW5hbWljLXBhZ2VzL3N0YXJ0L2VzYWxlcy1zdGFydC0xOyM7cHJvZHVjdF9rZXk7UF8xMjUzODMtMDAxNF9VSzsjOztOT05FOk5PTkU7NjE7");
            Console.WriteLine(receipt.StatusName + " " + receipt.Id);
        }
    }
}
