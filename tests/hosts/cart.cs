// A host of the page on .NET: cart domains COUNT (under Mono, each unloaded), or cart once.
// The ids that were accepted are lines on stdout.
using System;

public sealed class Application : MarshalByRefObject
{
    public bool Run()
    {
        for (int n = 0; n < 5; n++)
        {
            Console.WriteLine(Cart.Added("c-1", "s-1", "a ticket"));
        }
        return Cart.Stop();
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
