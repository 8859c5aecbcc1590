using System;
using System.Collections.Generic;
using System.Linq;

namespace Esales.Notify.Tests
{
    /// <summary>The programs of helper processes. They are needed because a process loads the library and the
    /// environment only once.</summary>
    internal static class Child
    {
        // Never disposed, on purpose.
        private static Client left;

        internal static int Run(string[] arguments)
        {
            try
            {
                switch (arguments[0])
                {
                    case "load":
                        Load(arguments);
                        return 0;
                    case "send":
                        using (Client client = Make(arguments[1]))
                        {
                            Send(client);
                        }
                        return 0;
                    case "set-variable":
                        Environment.SetEnvironmentVariable("ESALES_BASE_URL", arguments[1]);
                        using (Client client = Make("none"))
                        {
                            Send(client);
                        }
                        return 0;
                    case "leave-open":
                        left = new Client();
                        new Client();
                        Send(left);
                        return 0;
                    case "enqueue":
                        using (var client = new Client())
                        {
                            Enqueue(client, int.Parse(arguments[1])).ForEach(r => Console.WriteLine(r.Id));
                        }
                        return 0;
                    case "end-delivering":
                        DeliverSome().Dispose();
                        return 0;
                    case "stop-delivery":
                        return DeliverSome().StopDelivery(TimeSpan.FromSeconds(60)) ? 0 : 3;
                    case "leave-busy":
                        // The process ends while notifications are delivered and handlers are called.
                        left = new Client();
                        left.Completed += (sender, e) => GC.KeepAlive(e.Receipt.ToString());
                        NotifyLog.Level = LogLevel.Debug;
                        NotifyLog.Message += (sender, e) => GC.KeepAlive(e.ToString());
                        Enqueue(left, 500);
                        Console.WriteLine("busy");
                        return 0;
                    default:
                        Console.WriteLine("unknown task " + arguments[0]);
                        return 2;
                }
            }
            catch (Exception e)
            {
                Console.WriteLine(e.GetType().Name + ": " + e.Message);
                return 1;
            }
        }

        /// <summary>Each argument is a path to load; without one the library is searched.</summary>
        private static void Load(string[] arguments)
        {
            for (int i = 1; i < arguments.Length; i++)
            {
                NotifyLibrary.Load(arguments[i]);
            }
            Console.WriteLine(NotifyLibrary.Version + " " + NotifyLibrary.LoadedFrom);
        }

        private static Client Make(string options)
        {
            switch (options)
            {
                case "none": return new Client();
                case "null": return new Client(null);
                case "empty": return new Client(new ClientOptions { ["timeout_ms"] = null });
                default: return new Client(new ClientOptions { ["timeout_ms"] = 500 });
            }
        }

        private static List<Receipt> Enqueue(Client client, int count)
        {
            Visitor visitor = Visitor.Anonymous(Sample.CustomerKey, Sample.SessionKey);
            return Enumerable.Range(0, count).Select(_ => client.EnqueueAddToCart(visitor, Sample.Ticket)).ToList();
        }

        /// <summary>A client that is delivering the spool of the environment.</summary>
        private static Client DeliverSome()
        {
            var client = new Client();
            long first = client.GetStats().Spool.Delivered;
            while (client.GetStats().Spool.Delivered < first + 20)
            {
                System.Threading.Thread.Sleep(1);
            }
            return client;
        }

        private static void Send(Client client)
        {
            Visitor visitor = Visitor.Anonymous(Sample.CustomerKey, Sample.SessionKey);
            Console.WriteLine(client.NotifyAddToCart(visitor, Sample.Ticket).StatusName);
        }
    }
}
