using System;

namespace Esales.Notify.Tests
{
    internal sealed class CheckFailedException : Exception
    {
        internal CheckFailedException(string message)
            : base(message)
        {
        }
    }

    internal static class Check
    {
        internal static void That(bool condition, string message)
        {
            if (!condition)
            {
                throw new CheckFailedException(message);
            }
        }

        internal static void Equal<T>(T expected, T actual, string what)
        {
            That(Equals(expected, actual), what + ": expected <" + expected + ">, got <" + actual + ">");
        }

        internal static void Contains(string part, string whole, string what)
        {
            That(
                whole != null && whole.IndexOf(part, StringComparison.Ordinal) >= 0,
                what + ": <" + part + "> is not in <" + whole + ">");
        }

        /// <summary>Runs the action and returns its exception, which must be of exactly this type.</summary>
        internal static T Throws<T>(Action action, string what)
            where T : Exception
        {
            try
            {
                action();
            }
            catch (Exception e) when (e.GetType() == typeof(T))
            {
                return (T)e;
            }
            catch (Exception e)
            {
                throw new CheckFailedException(what + ": expected " + typeof(T).Name + ", got " + e);
            }
            throw new CheckFailedException(what + ": expected " + typeof(T).Name + ", nothing was thrown");
        }

        /// <summary>Runs the action and returns its exception, which must be one of the library's.</summary>
        internal static INotifyError Fails(Action action, string what)
        {
            try
            {
                action();
            }
            catch (Exception e)
            {
                That(e is INotifyError, what + ": not one of ours: " + e);
                return (INotifyError)e;
            }
            throw new CheckFailedException(what + ": nothing was thrown");
        }
    }
}
