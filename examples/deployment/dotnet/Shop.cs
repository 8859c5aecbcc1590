using System;
using System.IO;
using System.Net;
using System.Text;
using System.Text.RegularExpressions;
using Esales.Notify;

/// <summary>The events of the shop: nothing here throws, and every failure is logged.</summary>
public static class Events
{
    private static readonly string PrivateKey = Environment.GetEnvironmentVariable("ESALES_PRIVATE_KEY") ?? "";

    // One for the whole application; under Mono, for each application domain.
    private static readonly Client Client = Open();

    /// <summary>Puts an event into the queue. `customerId` is null unless a customer is signed in.</summary>
    public static void Tell(string customer, string session, string customerId, Func<string, Notification> notification)
    {
        try
        {
            Client?.Enqueue(VisitorOf(customer, session, customerId), notification(PrivateKey));
        }
        catch (Exception e)
        {
            Log(e);
        }
    }

    /// <summary>For Application_End of ASP.NET, or ApplicationStopping of ASP.NET Core.</summary>
    public static bool Stop()
    {
        bool isEmpty = Client == null || Client.Flush(TimeSpan.FromSeconds(5));
        Client?.Dispose();
        return isEmpty; // false: the next process delivers what is in the spool; what is in memory is lost
    }

    private static Client Open()
    {
        try
        {
            return new Client(); // reads ESALES_CLUSTER_ID, ESALES_SPOOL and so on
        }
        catch (Exception e) // a wrong option, or no library: the shop works without events
        {
            Log(e);
            return null;
        }
    }

    private static Visitor VisitorOf(string customer, string session, string customerId)
    {
        if (string.IsNullOrEmpty(customerId))
        {
            return Visitor.Anonymous(customer, session);
        }
        string key = Identity.CustomerKey(customerId);
        return Visitor.SignedIn(key, session, Identity.CustomerToken(PrivateKey, key));
    }

    private static void Log(Exception e)
    {
        Console.Error.WriteLine("esales-notify: " + e.Message);
    }
}

/// <summary>The page, behind a web server: Shop.exe http://127.0.0.1:8000/</summary>
public static class Shop
{
    public static void Main(string[] arguments)
    {
        using (var listener = new HttpListener())
        {
            listener.Prefixes.Add(arguments[0]);
            listener.Start();
            while (true)
            {
                Answer(listener.GetContext());
            }
        }
    }

    /// <summary>POST `ticket`: its product was added to the cart. POST `order`: that order is paid.</summary>
    private static void Answer(HttpListenerContext page)
    {
        string form = new StreamReader(page.Request.InputStream).ReadToEnd();
        string customer = KeyOf(page, "customer", "; Max-Age=31536000");
        string session = KeyOf(page, "session", "");
        // Your shop knows who is signed in. Here the web server sets the header, and removes any that a visitor sends.
        string customerId = page.Request.Headers["X-Remote-User"];
        // Your shop does its own work here. Then:
        string ticket = Field(form, "ticket"), order = Field(form, "order");
        if (ticket != null)
        {
            Events.Tell(customer, session, customerId, key => Notification.AddToCart(ticket));
        }
        if (order != null)
        {
            Events.Tell(customer, session, customerId, key => Notification.SecurePayment(LinesOf(order), key));
        }
        byte[] text = Encoding.UTF8.GetBytes("Thank you\n");
        page.Response.Close(text, false);
    }

    /// <summary>The key in the visitor's cookie. On the first visit the page makes the key and the cookie.</summary>
    private static string KeyOf(HttpListenerContext page, string cookie, string lifetime)
    {
        Match found = Regex.Match(page.Request.Headers["Cookie"] ?? "", "(?:^|; *)" + cookie + "=([0-9a-f-]{36})(?:;|$)");
        if (found.Success)
        {
            return found.Groups[1].Value;
        }
        string key = Guid.NewGuid().ToString();
        string secure = page.Request.IsSecureConnection ? "; Secure" : "";
        page.Response.Headers.Add("Set-Cookie", cookie + "=" + key + "; Path=/; HttpOnly; SameSite=Lax" + lifetime + secure);
        return key;
    }

    private static string Field(string form, string name)
    {
        Match found = Regex.Match(form, "(?:^|&)" + name + "=([^&]*)");
        return found.Success ? Uri.UnescapeDataString(found.Groups[1].Value.Replace('+', ' ')) : null;
    }

    /// <summary>The lines of the order, from your database. Return them once: what is sent twice is counted twice.</summary>
    private static Line[] LinesOf(string order)
    {
        return new[] { new Line("P_125383", 1, 199.50m, variantKey: "P_125383-0014_UK", cost: 80m) };
    }
}
