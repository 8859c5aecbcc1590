using System.Text;

namespace Esales.Notify
{
    /// <summary>
    /// Strings across the border. Mono marshals <c>string</c> thirty times slower than <c>byte[]</c>, and neither
    /// runtime refuses a lone surrogate or an embedded NUL: hence by hand.
    /// </summary>
    internal static class Utf8
    {
        private static readonly UTF8Encoding Strict = new UTF8Encoding(false, true);

        /// <summary>UTF-8 and a final NUL; null stays null.</summary>
        /// <param name="name">The argument as C and the options call it, for the words.</param>
        /// <param name="parameter">The argument as C# calls it.</param>
        /// <param name="text">The string.</param>
        internal static byte[] Encode(string name, string parameter, string text)
        {
            if (text == null)
            {
                return null;
            }
            if (text.IndexOf('\0') >= 0)
            {
                throw new InvalidArgumentException(name + " contains a NUL character", parameter);
            }
            try
            {
                byte[] bytes = new byte[Strict.GetByteCount(text) + 1];
                Strict.GetBytes(text, 0, text.Length, bytes, 0);
                return bytes;
            }
            catch (EncoderFallbackException)
            {
                throw new InvalidArgumentException(
                    name + " cannot be UTF-8: it contains half of a surrogate pair", parameter);
            }
        }

        /// <summary>The text up to the NUL, of at most <paramref name="size"/> bytes.</summary>
        internal static unsafe string Read(byte* text, int size = int.MaxValue)
        {
            int length = 0;
            while (length < size && text[length] != 0)
            {
                length++;
            }
            return length == 0 ? "" : Encoding.UTF8.GetString(text, length);
        }
    }
}
