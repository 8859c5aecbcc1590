using System.Text;

namespace Esales.Notify
{
    /// <summary>
    /// Converts strings for C. Mono marshals <c>string</c> thirty times slower than <c>byte[]</c>, and no runtime
    /// refuses a lone surrogate or an embedded NUL, so this is done by hand.
    /// </summary>
    internal static class Utf8
    {
        private static readonly UTF8Encoding Strict = new UTF8Encoding(false, true);

        /// <summary>UTF-8 and a final NUL; null stays null.</summary>
        /// <param name="name">The name of the argument in C, for the message.</param>
        /// <param name="parameter">The name of the argument in C#.</param>
        /// <param name="text">The string.</param>
        internal static byte[] Encode(string name, string parameter, string text)
        {
            if (text == null)
            {
                return null;
            }
            if (ContainsNul(text))
            {
                throw Refused(name, parameter, text);
            }
            try
            {
                byte[] bytes = new byte[Strict.GetByteCount(text) + 1];
                Strict.GetBytes(text, 0, text.Length, bytes, 0);
                return bytes;
            }
            catch (EncoderFallbackException)
            {
                throw Refused(name, parameter, text);
            }
        }

        /// <summary>The greatest number of bytes that <see cref="Write"/> needs: three for each character, and the NUL.</summary>
        internal static long Room(string text)
        {
            return text == null ? 0 : (3 * (long)text.Length) + 1;
        }

        /// <summary>Writes UTF-8 and a final NUL. False if the string cannot be written.</summary>
        /// <param name="text">The string; not null.</param>
        /// <param name="next">Where to write; it must have <see cref="Room"/> bytes. Afterwards it points behind the NUL.</param>
        internal static unsafe bool Write(string text, ref byte* next)
        {
            if (ContainsNul(text))
            {
                return false;
            }
            try
            {
                fixed (char* characters = text)
                {
                    next += Strict.GetBytes(characters, text.Length, next, (int)Room(text));
                }
            }
            catch (EncoderFallbackException)
            {
                return false;
            }
            *next++ = 0;
            return true;
        }

        /// <summary>The exception of a string that cannot be written.</summary>
        internal static InvalidArgumentException Refused(string name, string parameter, string text)
        {
            string why = ContainsNul(text)
                ? " contains a NUL character"
                : " cannot be UTF-8: it contains half of a surrogate pair";
            return new InvalidArgumentException(name + why, parameter);
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

        private static bool ContainsNul(string text)
        {
            return text.IndexOf('\0') >= 0;
        }
    }
}
