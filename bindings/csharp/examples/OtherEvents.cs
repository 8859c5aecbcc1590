using System;
using Esales.Notify;

static class OtherEvents
{
    static void Main()
    {
        string privateKey = Environment.GetEnvironmentVariable("ESALES_PRIVATE_KEY"); // from the vendor; keep it secret
        using (var client = new Client())
        {
            var visitor = Visitor.Anonymous(
                "d9528030-509c-4e0f-b585-7168f1e9feca", "b106299c-eac0-4f6f-96d2-93e57c255784", "UK");
            var lines = new[]
            {
                new Line("P_125383", 2, 199.50m, variantKey: "P_125383_red"),
                new Line("P_125390", 1, 1000m, cost: 600m),
            };
            foreach (var notification in new[]
            {
                Notification.Click("a ticket"),
                Notification.NonEsalesClick("P_125383"), // the service did not show it: no ticket
                Notification.NonEsalesAddToCart("P_125383", "P_125383_red"),
                Notification.SecurePayment(lines, privateKey),
                Notification.End(), // the visitor signed out
            })
            {
                var receipt = client.Notify(visitor, notification); // or client.Enqueue
                Console.WriteLine(notification.Kind + " " + receipt.StatusName);
            }
        }
    }
}
