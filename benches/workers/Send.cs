using System;
using System.Diagnostics;
using System.Net;
using System.Net.Http;
using System.Net.Http.Headers;
using System.Text;
using Esales.Notify;

/// One blocking POST per call, from C#: see sample.h. "Send ours", or "Send HttpClient" with one HttpClient for all
/// calls.
static class Send
{
    static string Setting(string name)
    {
        return Environment.GetEnvironmentVariable(name);
    }

    static Action Ours()
    {
        var client = new Client();
        var visitor = Visitor.Anonymous(
            "d9528030-509c-4e0f-b585-7168f1e9feca", "b106299c-eac0-4f6f-96d2-93e57c255784", "UK");
        var ticket = Setting("BENCH_TICKET");
        return () => client.NotifyAddToCart(visitor, ticket);
    }

    static Action Peer()
    {
        // The default would send `Expect: 100-continue` before every body.
        ServicePointManager.Expect100Continue = false;
        ServicePointManager.UseNagleAlgorithm = false;
        var client = new HttpClient(new HttpClientHandler { UseProxy = false, UseCookies = false });
        client.DefaultRequestHeaders.ExpectContinue = false;
        var url = new Uri(Setting("BENCH_URL"));
        var body = Encoding.UTF8.GetBytes(Setting("BENCH_BODY"));
        return () =>
        {
            var content = new ByteArrayContent(body);
            content.Headers.ContentType = new MediaTypeHeaderValue("application/json");
            using (var answer = client.PostAsync(url, content).GetAwaiter().GetResult())
            {
                if ((int)answer.StatusCode != 204)
                {
                    throw new InvalidOperationException("not a 204");
                }
            }
        };
    }

    static void Main(string[] arguments)
    {
        var one = arguments[0] == "ours" ? Ours() : Peer();
        var took = new long[int.Parse(Setting("BENCH_COUNT"))];
        for (int i = int.Parse(Setting("BENCH_WARMUP")); i > 0; i--)
        {
            one();
        }
        for (int i = 0; i < took.Length; i++)
        {
            long start = Stopwatch.GetTimestamp();
            one();
            took[i] = (long)((Stopwatch.GetTimestamp() - start) * (1e9 / Stopwatch.Frequency));
        }
        Console.WriteLine(string.Join("\n", took));
    }
}
