// A host of the page on .NET: cart domains COUNT (under Mono, each unloaded), or cart once.
using System;
using Esales.Notify;

public sealed class Application : MarshalByRefObject
{
    public bool Run()
    {
        for (int n = 0; n < 5; n++)
        {
            Events.Tell("c-1", "s-1", null, key => Notification.AddToCart("a ticket"));
        }
        return Events.Stop();
    }
}

public static class Program
{
    public static int Main(string[] arguments)
    {
        if (arguments[0] == "once")
        {
            return new Application().Run() ? 0 : 1;
        }
        for (int n = 0; n < int.Parse(arguments[1]); n++)
        {
            AppDomain domain = AppDomain.CreateDomain("application " + n);
            Type type = typeof(Application);
            bool isEmpty = ((Application)domain.CreateInstanceAndUnwrap(type.Assembly.FullName, type.FullName)).Run();
            AppDomain.Unload(domain);
            if (!isEmpty)
            {
                return 1;
            }
        }
        return 0;
    }
}
