namespace Esales.Notify
{
    /// <summary>
    /// What every failure that the library reports has in common, whichever exception of .NET it derives from:
    /// <c>catch (Exception e) when (e is INotifyError)</c> catches them all.
    /// </summary>
    public interface INotifyError
    {
        /// <summary>The code, below zero.</summary>
        StatusCode StatusCode { get; }

        /// <summary>The code's name in the C API, such as <c>ESALES_TIMEOUT</c>.</summary>
        string StatusName { get; }

        /// <summary>What became of the notification; null if the failure is not about one that reached the library.</summary>
        Receipt Receipt { get; }
    }

    /// <summary>What an exception is made of.</summary>
    internal sealed class Failure
    {
        internal readonly StatusCode Code;
        internal readonly string Name;
        internal readonly string Words;
        internal readonly Receipt Receipt;

        internal Failure(StatusCode code, string name, string words, Receipt receipt)
        {
            Code = code;
            Name = name;
            Words = words;
            Receipt = receipt;
        }

        internal string Message
        {
            get { return Name + ": " + Words; }
        }
    }
}
