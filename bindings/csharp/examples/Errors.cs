using System;
using Esales.Notify;

static class Errors
{
    static void Main()
    {
        using (var client = new Client())
        {
            var visitor = Visitor.Anonymous(
                "d9528030-509c-4e0f-b585-7168f1e9feca", "b106299c-eac0-4f6f-96d2-93e57c255784", "UK");
            foreach (string ticket in new[] { "", "a ticket", "a ticket", "a ticket" })
            {
                try
                {
                    client.NotifyAddToCart(visitor, ticket);
                    Console.WriteLine("delivered");
                }
                catch (RetryableException e) // to send it again, pass e.Receipt.Id as the id
                {
                    Console.WriteLine("may succeed later: " + e.Receipt.Detail);
                }
                catch (FinalException e)
                {
                    Console.WriteLine("refused for good: " + e.Receipt.Detail);
                }
                catch (InvalidArgumentException e)
                {
                    Console.WriteLine("nothing was sent: " + e.Receipt.Detail);
                }
            }
        }
    }
}
