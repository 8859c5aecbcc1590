namespace Esales.Notify
{
    /// <summary>
    /// The interface of every exception for a failure that the library reports:
    /// <c>catch (Exception e) when (e is INotifyError)</c> catches them all.
    /// </summary>
    public interface INotifyError
    {
        /// <summary>The code, less than 0.</summary>
        StatusCode StatusCode { get; }

        /// <summary>The name of the code in the C API, such as <c>ESALES_TIMEOUT</c>.</summary>
        string StatusName { get; }

        /// <summary>The receipt of the notification. Null: the failure is not about a notification that reached the library.</summary>
        Receipt Receipt { get; }
    }

    /// <summary>The contents of an exception.</summary>
    internal sealed class Failure
    {
        internal readonly StatusCode Code;
        internal readonly string Name;
        internal readonly string Text;
        internal readonly Receipt Receipt;

        internal Failure(StatusCode code, string name, string message, Receipt receipt)
        {
            Code = code;
            Name = name;
            Text = message;
            Receipt = receipt;
        }

        internal string Message
        {
            get { return Name + ": " + Text; }
        }
    }
}
