using System;
using System.Collections;
using System.Collections.Generic;
using System.Globalization;

namespace Esales.Notify
{
    /// <summary>
    /// Options of a client, such as
    /// <c>new ClientOptions { ClusterId = "shop", Timeout = TimeSpan.FromMilliseconds(500) }</c>. Each option has a property.
    /// Options can also be set by name, as in <c>options["timeout_ms"] = 500</c>, which includes options of a newer
    /// library. <see cref="Client"/> checks the values. No thread may change the object while another thread uses it.
    /// </summary>
    public sealed partial class ClientOptions : IEnumerable<KeyValuePair<string, string>>
    {
        private readonly Dictionary<string, string> values = new Dictionary<string, string>();

        /// <summary>Makes empty options.</summary>
        public ClientOptions()
        {
        }

        /// <summary>Copies options, for example from a configuration file. Options that are null are skipped.</summary>
        /// <param name="options">Names and values; null: none.</param>
        /// <exception cref="InvalidArgumentException">A name is null.</exception>
        public ClientOptions(IEnumerable<KeyValuePair<string, string>> options)
        {
            if (options != null)
            {
                foreach (var option in options)
                {
                    this[option.Key] = option.Value;
                }
            }
        }

        /// <summary>The number of options that are set.</summary>
        public int Count
        {
            get { return values.Count; }
        }

        /// <summary>The value of an option. Null as a string: the option is not set.</summary>
        /// <param name="name">The option, such as <c>timeout_ms</c>.</param>
        /// <value>A string, a whole number or a bool. Null as a string removes the option.</value>
        /// <returns>The value.</returns>
        /// <exception cref="InvalidArgumentException">The name is null.</exception>
        public OptionValue this[string name]
        {
            get
            {
                string value;
                values.TryGetValue(Checked(name), out value);
                return value;
            }

            set
            {
                string text = value.ToString();
                if (text == null)
                {
                    values.Remove(Checked(name));
                }
                else
                {
                    values[Checked(name)] = text;
                }
            }
        }

        /// <summary>The options that are set.</summary>
        /// <returns>Names and values, as they are passed to the library.</returns>
        public IEnumerator<KeyValuePair<string, string>> GetEnumerator()
        {
            return values.GetEnumerator();
        }

        IEnumerator IEnumerable.GetEnumerator()
        {
            return GetEnumerator();
        }

        private void Set(string name, string text)
        {
            this[name] = text;
        }

        private string String(string name)
        {
            string text;
            values.TryGetValue(name, out text);
            return text;
        }

        private int? Int32(string name)
        {
            return checked((int?)Int64(name));
        }

        private long? Int64(string name)
        {
            string text = String(name);
            return text == null ? (long?)null : long.Parse(text, NumberStyles.None, CultureInfo.InvariantCulture);
        }

        private bool? Flag(string name)
        {
            switch (String(name))
            {
                case null: return null;
                case "true":
                case "1": return true;
                case "false":
                case "0": return false;
                default: throw new FormatException("the option " + name + " is neither true nor false");
            }
        }

        private TimeSpan? Milliseconds(string name)
        {
            long? count = Int64(name);
            return count.HasValue ? new TimeSpan(checked(count.Value * TimeSpan.TicksPerMillisecond)) : (TimeSpan?)null;
        }

        private TimeSpan? Seconds(string name)
        {
            long? count = Int64(name);
            return count.HasValue ? new TimeSpan(checked(count.Value * TimeSpan.TicksPerSecond)) : (TimeSpan?)null;
        }

        private int? Choice(string name, string[] texts)
        {
            string text = String(name);
            if (text == null)
            {
                return null;
            }
            int index = Array.IndexOf(texts, text);
            if (index < 0)
            {
                throw new FormatException("the option " + name + " is none of " + string.Join(", ", texts));
            }
            return index;
        }

        private static string Text(string value)
        {
            return value;
        }

        private static string Text(bool? value)
        {
            return value.HasValue ? (value.Value ? "true" : "false") : null;
        }

        private static string Text(long? value)
        {
            return value.HasValue ? value.Value.ToString(CultureInfo.InvariantCulture) : null;
        }

        private static string FromMilliseconds(string name, TimeSpan? value)
        {
            return Text(Whole(name, value, TimeSpan.TicksPerMillisecond, "milliseconds"));
        }

        private static string FromSeconds(string name, TimeSpan? value)
        {
            return Text(Whole(name, value, TimeSpan.TicksPerSecond, "seconds"));
        }

        private static string FromChoice(string name, int? value, string[] texts)
        {
            if (!value.HasValue)
            {
                return null;
            }
            if (value.Value < 0 || value.Value >= texts.Length)
            {
                throw new InvalidArgumentException("the option " + name + " has no value number " + value.Value, "value");
            }
            return texts[value.Value];
        }

        private static long? Whole(string name, TimeSpan? value, long unit, string unitName)
        {
            if (!value.HasValue)
            {
                return null;
            }
            if (value.Value.Ticks % unit != 0)
            {
                throw new InvalidArgumentException("the option " + name + " takes whole " + unitName, "value");
            }
            return value.Value.Ticks / unit;
        }

        private static string Checked(string name)
        {
            if (name == null)
            {
                throw new InvalidArgumentException("the name of an option is null", nameof(name));
            }
            return name;
        }
    }

    /// <summary>
    /// The value of an option: a string, a whole number or a bool, which are converted implicitly. Other types do not
    /// compile.
    /// </summary>
    public struct OptionValue
    {
        private readonly string text;

        private OptionValue(string text)
        {
            this.text = text;
        }

        /// <summary>A value as text; null: not set.</summary>
        /// <param name="value">The text.</param>
        public static implicit operator OptionValue(string value)
        {
            return new OptionValue(value);
        }

        /// <summary>A whole number, passed to the library in decimal.</summary>
        /// <param name="value">The number. The option's name ends with its unit.</param>
        public static implicit operator OptionValue(long value)
        {
            return new OptionValue(value.ToString(CultureInfo.InvariantCulture));
        }

        /// <summary>A flag, passed to the library as <c>true</c> or <c>false</c>.</summary>
        /// <param name="value">The flag.</param>
        public static implicit operator OptionValue(bool value)
        {
            return new OptionValue(value ? "true" : "false");
        }

        /// <summary>The value as it is passed to the library.</summary>
        /// <returns>The text; null: not set.</returns>
        public override string ToString()
        {
            return text;
        }
    }
}
