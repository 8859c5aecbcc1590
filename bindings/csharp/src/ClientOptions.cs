using System.Collections;
using System.Collections.Generic;
using System.Globalization;

namespace Esales.Notify
{
    /// <summary>
    /// Options for a client: names and values as in the library's option table, such as
    /// <c>new ClientOptions { ["cluster_id"] = "shop", ["timeout_ms"] = 500 }</c>. They are passed on as they are, so
    /// that a new option of the library needs no change here; <see cref="Client"/> checks them. Not to
    /// be changed by one thread while another uses it.
    /// </summary>
    public sealed class ClientOptions : IEnumerable<KeyValuePair<string, string>>
    {
        private readonly Dictionary<string, string> values = new Dictionary<string, string>();

        /// <summary>Makes empty options.</summary>
        public ClientOptions()
        {
        }

        /// <summary>Copies options, for example from a configuration file. Values that are null are left out.</summary>
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

        /// <summary>How many options are set.</summary>
        public int Count
        {
            get { return values.Count; }
        }

        /// <summary>An option's value; of one that is not set, null as a string.</summary>
        /// <param name="name">The option, such as <c>timeout_ms</c>.</param>
        /// <value>A string, a whole number or a bool; null as a string takes the option away.</value>
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
    /// The value of an option: a string, a whole number or a bool, each converted by itself. Anything else does not
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

        /// <summary>A whole number, passed on in decimal.</summary>
        /// <param name="value">The number; its unit is the ending of the option's name.</param>
        public static implicit operator OptionValue(long value)
        {
            return new OptionValue(value.ToString(CultureInfo.InvariantCulture));
        }

        /// <summary>A flag, passed on as <c>true</c> or <c>false</c>.</summary>
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
