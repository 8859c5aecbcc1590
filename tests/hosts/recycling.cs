// A host of many threads under Mono that comes and goes: whole processes, or domains within one.
//
//   recycling threads COUNT   16 threads, each with COUNT notifications, every other one into the queue
//   recycling domains COUNT   COUNT domains one after the other, each unloaded while it listens and delivery goes on
//
// The ids that were taken are lines on stdout, at once; ESALES_* says where to.
using System;
using System.Collections.Generic;
using System.Threading;
using Esales.Notify;

public sealed class Guest : MarshalByRefObject
{
    private static readonly object Gate = new object();

    /// <summary>Sends and enqueues; a client is left open in the end, and listened to.</summary>
    public void Work(int threads, int count)
    {
        NotifyLog.Level = LogLevel.Debug;
        NotifyLog.Message += (sender, e) => GC.KeepAlive(e.ToString());
        var client = new Client();
        client.Settled += (sender, e) => GC.KeepAlive(e.Receipt.ToString());
        var visitor = Visitor.Anonymous(Identity.NewKey(), Identity.NewKey(), "UK");
        var all = new List<Thread>();
        for (int t = 0; t < threads; t++)
        {
            var thread = new Thread(() =>
            {
                for (int i = 0; i < count; i++)
                {
                    Took(i % 2 == 0
                        ? client.NotifyAddToCart(visitor, "t").Id
                        : client.EnqueueAddToCart(visitor, "t").Id);
                }
            });
            thread.Start();
            all.Add(thread);
        }
        all.ForEach(thread => thread.Join());
    }

    /// <summary>What is in a queue in memory must not end with the process.</summary>
    public bool Flush()
    {
        using (var client = new Client())
        {
            return client.Flush(TimeSpan.FromSeconds(60));
        }
    }

    private static void Took(string id)
    {
        lock (Gate)
        {
            Console.Out.WriteLine(id);
            Console.Out.Flush();
        }
    }
}

public static class Recycling
{
    public static int Main(string[] arguments)
    {
        int count = int.Parse(arguments[1]);
        if (arguments[0] == "threads")
        {
            var guest = new Guest();
            guest.Work(16, count);
            return guest.Flush() ? 0 : 1;
        }
        for (int n = 0; n < count; n++)
        {
            AppDomain domain = AppDomain.CreateDomain("guest " + n);
            ((Guest)domain.CreateInstanceAndUnwrap(typeof(Guest).Assembly.FullName, typeof(Guest).FullName)).Work(2, 4);
            AppDomain.Unload(domain);
        }
        return new Guest().Flush() ? 0 : 1;
    }
}
