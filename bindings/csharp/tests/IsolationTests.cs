using System;

namespace Esales.Notify.Tests
{
    /// <summary>
    /// Tests run in separate processes: each of these two would fail after the other in the same process.
    /// </summary>
    public static class IsolationTests
    {
        private static bool isUsed;

        public static void First_test_begins_with_a_fresh_process()
        {
            UseUp();
        }

        public static void Second_test_begins_with_a_fresh_process()
        {
            UseUp();
        }

        private static void UseUp()
        {
            Check.That(!isUsed, "another test has run in this process");
            Check.Equal(LogLevel.Info, NotifyLog.Level, "level");
            isUsed = true;
            NotifyLog.Level = LogLevel.Debug;
            NotifyLog.Message += (sender, e) => GC.KeepAlive(e);
        }
    }
}
