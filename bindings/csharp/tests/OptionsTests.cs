using System;
using System.Collections.Generic;
using System.Diagnostics;
using System.Linq;

namespace Esales.Notify.Tests
{
    /// <summary>The typed properties of ClientOptions.</summary>
    public static class OptionsTests
    {
        public static void Property_sets_the_text_of_its_option()
        {
            var options = new ClientOptions
            {
                ClusterId = "shop",
                Timeout = TimeSpan.FromMilliseconds(1500),
                MaxAttempts = 2,
                AllowHttp = true,
                KeepAlive = TimeSpan.FromMinutes(2),
                Durability = Durability.Disk,
                OnFailure = OnFailure.Queue,
                MaxBytes = 5000000000,
                Overflow = Overflow.DropOldest,
                MaxAge = TimeSpan.Zero,
            };
            Check.Equal(
                "allow_http=true cluster_id=shop durability=disk keep_alive_s=120 max_age_s=0 max_attempts=2 "
                + "max_bytes=5000000000 on_failure=queue overflow=drop_oldest timeout_ms=1500",
                string.Join(" ", options.Select(o => o.Key + "=" + o.Value).OrderBy(o => o, StringComparer.Ordinal)),
                "options");
            Check.Equal(TimeSpan.FromMilliseconds(1500), options.Timeout, "Timeout");
            Check.Equal(TimeSpan.FromMinutes(2), options.KeepAlive, "KeepAlive");
            Check.Equal(2, options.MaxAttempts, "MaxAttempts");
            Check.Equal(5000000000, options.MaxBytes, "MaxBytes");
            Check.Equal(true, options.AllowHttp, "AllowHttp");
            Check.Equal(Durability.Disk, options.Durability, "Durability");
            Check.Equal("shop", options.ClusterId, "ClusterId");
        }

        public static void Property_is_null_when_its_option_is_not_set()
        {
            var options = new ClientOptions { Timeout = TimeSpan.FromSeconds(1), AllowHttp = false, Market = "UK" };
            options.Timeout = null;
            options.AllowHttp = null;
            options.Market = null;
            options.Overflow = null;
            Check.Equal(0, options.Count, "options");
            Check.That(
                options.Timeout == null && options.AllowHttp == null && options.Market == null
                    && options.Overflow == null && options.MaxItems == null && options.MaxAge == null,
                "an option that is not set has a value");
        }

        public static void Property_returns_an_option_that_was_set_by_name()
        {
            var options = new ClientOptions
                { ["timeout_ms"] = 7, ["allow_http"] = "0", ["overflow"] = "refuse", ["max_items"] = "x", ["delivery"] = "x" };
            Check.Equal(TimeSpan.FromMilliseconds(7), options.Timeout, "Timeout");
            Check.Equal(false, options.AllowHttp, "AllowHttp");
            Check.Equal(Overflow.Refuse, options.Overflow, "Overflow");
            Check.Throws<FormatException>(() => GC.KeepAlive(options.MaxItems), "MaxItems");
            Check.Throws<FormatException>(() => GC.KeepAlive(options.Delivery), "Delivery");
        }

        public static void Property_refuses_an_invalid_value_by_name()
        {
            var options = new ClientOptions { ClusterId = "shop" };
            Refused("timeout_ms", () => options.Timeout = TimeSpan.FromTicks(1));
            Refused("keep_alive_s", () => options.KeepAlive = TimeSpan.FromMilliseconds(1500));
            Refused("overflow", () => options.Overflow = (Overflow)2);
            Refused("overflow", () => options.Overflow = (Overflow)(-1));
            Check.Equal(1, options.Count, "options");
            options.Timeout = TimeSpan.FromMilliseconds(-1);
            Check.Contains(
                "timeout_ms", Check.Throws<InvalidConfigException>(() => new Client(options), "a client").Message, "message");
        }

        public static void Every_option_of_the_table_has_a_property()
        {
            int properties = typeof(ClientOptions).GetProperties().Count(p => p.GetIndexParameters().Length == 0);
            var start = Processes.Command(Environment.GetEnvironmentVariable("ESALES_NOTIFY_COMMAND"), "options", "--json");
            // This output is not redirected, because nothing reads it and a full pipe would block the process.
            start.RedirectStandardError = false;
            using (Process process = Process.Start(start))
            {
                var table = (List<object>)Json.Read(process.StandardOutput.ReadToEnd());
                process.WaitForExit();
                // Count is not an option.
                Check.Equal(table.Count, properties - 1, "properties");
            }
        }

        private static void Refused(string option, Action action)
        {
            Check.Contains(option, Check.Throws<InvalidArgumentException>(action, option).Message, "message");
        }
    }
}
