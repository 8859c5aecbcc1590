using System;
using Esales.Notify;

/// <summary>One client for the whole application; under Mono and .NET Framework, for each application domain.</summary>
public static class Cart
{
    private static readonly Client Client = new Client(); // reads ESALES_CLUSTER_ID, ESALES_SPOOL and so on

    /// <summary>Returns at once, with the id under which the event is delivered.</summary>
    public static string Added(string customerKey, string sessionKey, string ticket)
    {
        return Client.EnqueueAddToCart(Visitor.Anonymous(customerKey, sessionKey), ticket).Id;
    }

    /// <summary>For Application_End of ASP.NET, or ApplicationStopping of ASP.NET Core.</summary>
    public static bool Stop()
    {
        bool isEmpty = Client.Flush(TimeSpan.FromSeconds(5));
        Client.Dispose();
        return isEmpty; // false: what is in the spool is delivered by the next process; what is in memory is lost
    }
}
