using System;
using Esales.Notify;

static class Enqueue
{
    static void Main()
    {
        using (var client = new Client()) // ESALES_SPOOL names the directory that holds the queue
        {
            var visitor = Visitor.Anonymous(
                "d9528030-509c-4e0f-b585-7168f1e9feca", "b106299c-eac0-4f6f-96d2-93e57c255784", "UK");
            var receipt = client.EnqueueAddToCart(visitor, "a ticket");
            Console.WriteLine(receipt.StatusName + " " + receipt.Id);

            // A server continues here. A program that ends must flush a queue in memory, or its notifications are lost.
            if (!client.Flush(TimeSpan.FromSeconds(5)))
            {
                Console.WriteLine(client.GetStats().Spool.Pending + " still wait");
            }
            var outcome = client.GetReceipt(receipt.Id);
            Console.WriteLine(outcome.StatusName + " " + outcome.Id);
        }
    }
}
