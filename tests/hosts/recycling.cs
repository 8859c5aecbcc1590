// A host of many threads under Mono that comes and goes: whole processes, or domains within one.
//
//   recycling threads COUNT [stay]   16 threads, each with COUNT notifications, every other one into the queue; stay: the
//                             process then goes on until its standard input ends
//   recycling domains COUNT   COUNT domains one after the other, each unloaded while it listens and delivery goes on
//   recycling starts COUNT FILE [leak]   starts programs while four threads have COUNT notifications each; fails if one is handed
//                             what it was not before the first use, or if a child is left. leak: it is, by the host
//
// The ids that were taken are lines on stdout, at once; ESALES_* says where to.
using System;
using System.Collections.Generic;
using System.Diagnostics;
using System.IO;
using System.Linq;
using System.Runtime.InteropServices;
using System.Text.RegularExpressions;
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
        client.Completed += (sender, e) => GC.KeepAlive(e.Receipt.ToString());
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

/// <summary>Programs that this one starts.</summary>
public static class Started
{
    private const int NoHang = 1;

    /// <summary>Where the descriptors of one lead. C's system() hands over all that can be inherited; Mono closes them.</summary>
    public static string[] Handed(string file)
    {
        int status = system("find /proc/self/fd -type l -printf '%l\\n' > " + file);
        if (status != 0)
        {
            throw new InvalidOperationException("find: " + status);
        }
        return File.ReadAllLines(file).Select(name => Regex.Replace(name, @"\d+", "N")).OrderBy(name => name).ToArray();
    }

    /// <summary>Fails unless Mono hears of its end, and of its own code.</summary>
    public static void ByMono()
    {
        using (Process process = Process.Start(new ProcessStartInfo("sh", "-c 'exit 7'") { UseShellExecute = false }))
        {
            if (!process.WaitForExit(60000) || process.ExitCode != 7)
            {
                throw new InvalidOperationException("a process that was started did not end as it should");
            }
        }
    }

    /// <summary>Also as a zombie.</summary>
    public static bool IsAnyLeft()
    {
        int status;
        return waitpid(-1, out status, NoHang) != -1;
    }

    /// <summary>What a bad guest would do.</summary>
    public static void Leak(string file)
    {
        if (open(file, 0) < 0)
        {
            throw new InvalidOperationException("open");
        }
    }

    [DllImport("libc")]
    private static extern int system(string command);

    [DllImport("libc")]
    private static extern int waitpid(int pid, out int status, int options);

    [DllImport("libc")]
    private static extern int open(string path, int flags);
}

public static class Recycling
{
    private static int Starts(int count, string file, bool isLeaking)
    {
        Started.ByMono();
        Started.Handed(file);
        string[] before = Started.Handed(file);
        if (isLeaking)
        {
            Started.Leak(file);
        }
        var guest = new Guest();
        var work = new Thread(() => guest.Work(4, count));
        work.Start();
        int rounds = 0;
        while (work.IsAlive || rounds < 5)
        {
            string[] now = Started.Handed(file);
            if (!now.SequenceEqual(before))
            {
                Console.Error.WriteLine("handed to a program: " + string.Join(" ", now) + ", before: " + string.Join(" ", before));
                Environment.Exit(2);
            }
            Started.ByMono();
            rounds++;
        }
        if (Started.IsAnyLeft())
        {
            Console.Error.WriteLine("a child is left");
            return 3;
        }
        return guest.Flush() ? 0 : 1;
    }

    public static int Main(string[] arguments)
    {
        int count = int.Parse(arguments[1]);
        if (arguments[0] == "threads")
        {
            var guest = new Guest();
            guest.Work(16, count);
            if (arguments.Length > 2)
            {
                Console.In.ReadToEnd();
            }
            return guest.Flush() ? 0 : 1;
        }
        if (arguments[0] == "starts")
        {
            return Starts(count, arguments[2], arguments.Length > 3);
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
