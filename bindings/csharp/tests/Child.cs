using System;

namespace Esales.Notify.Tests
{
    /// <summary>What a helper process does: a library is loaded once per process, and so is the environment.</summary>
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
                    case "leave-open":
                        left = new Client();
                        new Client();
                        Send(left);
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

        private static void Send(Client client)
        {
            Visitor visitor = Visitor.Anonymous(Sample.CustomerKey, Sample.SessionKey);
            Console.WriteLine(client.NotifyAddToCart(visitor, Sample.Ticket).StatusName);
        }
    }
}
