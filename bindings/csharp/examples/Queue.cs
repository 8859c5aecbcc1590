using System;
using Esales.Notify;

static class Queue
{
    static void Main()
    {
        NotifyLog.Message += (sender, e) => Console.Error.WriteLine(e);
        using (var client = new Client())
        {
            client.Completed += (sender, e) => Console.WriteLine("completed: " + e.Receipt.StatusName);
            var visitor = Visitor.Anonymous(Identity.NewKey(), Identity.NewKey(), "UK");
            string id = client.EnqueueAddToCart(visitor, "a ticket").Id; // returns at once
            if (!client.Flush(TimeSpan.FromSeconds(5))) // before the program ends
            {
                Console.WriteLine("still queued: " + client.GetStats().Spool.Pending);
            }
            Console.WriteLine("receipt: " + client.GetReceipt(id).StatusName);
        }
    }
}
