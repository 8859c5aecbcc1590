using System;
using System.Collections.Generic;
using System.Globalization;
using System.Text;

namespace Esales.Notify.Tests
{
    /// <summary>
    /// Reads JSON into dictionaries, lists, strings, doubles, bools and null. Written by hand, because the two
    /// runtimes have no common reader without another package.
    /// </summary>
    internal sealed class Json
    {
        private readonly string text;
        private int at;

        private Json(string text)
        {
            this.text = text;
        }

        internal static object Read(string text)
        {
            var reader = new Json(text);
            object value = reader.Value();
            reader.Space();
            if (reader.at != text.Length)
            {
                throw reader.Wrong("the end");
            }
            return value;
        }

        private object Value()
        {
            Space();
            switch (Peek())
            {
                case '{': return Object();
                case '[': return List();
                case '"': return String();
                case 't': return Word("true", true);
                case 'f': return Word("false", false);
                case 'n': return Word("null", null);
                default: return Number();
            }
        }

        private Dictionary<string, object> Object()
        {
            var members = new Dictionary<string, object>();
            Expect('{');
            while (!End('}', members.Count == 0))
            {
                Space();
                string name = String();
                Space();
                Expect(':');
                members.Add(name, Value());
            }
            return members;
        }

        private List<object> List()
        {
            var items = new List<object>();
            Expect('[');
            while (!End(']', items.Count == 0))
            {
                items.Add(Value());
            }
            return items;
        }

        private bool End(char end, bool first)
        {
            Space();
            if (Peek() == end)
            {
                at++;
                return true;
            }
            if (!first)
            {
                Expect(',');
            }
            return false;
        }

        private string String()
        {
            var result = new StringBuilder();
            Expect('"');
            while (Peek() != '"')
            {
                char c = text[at++];
                result.Append(c == '\\' ? Escaped() : c);
            }
            at++;
            return result.ToString();
        }

        private char Escaped()
        {
            char c = text[at++];
            switch (c)
            {
                case 'b': return '\b';
                case 'f': return '\f';
                case 'n': return '\n';
                case 'r': return '\r';
                case 't': return '\t';
                case 'u':
                    at += 4;
                    return (char)int.Parse(
                        text.Substring(at - 4, 4), NumberStyles.HexNumber, CultureInfo.InvariantCulture);
                default: return c;
            }
        }

        private object Number()
        {
            int start = at;
            while (at < text.Length && "+-.eE0123456789".IndexOf(text[at]) >= 0)
            {
                at++;
            }
            return double.Parse(text.Substring(start, at - start), CultureInfo.InvariantCulture);
        }

        private object Word(string word, object value)
        {
            foreach (char c in word)
            {
                Expect(c);
            }
            return value;
        }

        private void Space()
        {
            while (at < text.Length && char.IsWhiteSpace(text[at]))
            {
                at++;
            }
        }

        private char Peek()
        {
            if (at >= text.Length)
            {
                throw Wrong("more");
            }
            return text[at];
        }

        private void Expect(char c)
        {
            if (Peek() != c)
            {
                throw Wrong(c.ToString());
            }
            at++;
        }

        private Exception Wrong(string wanted)
        {
            return new FormatException("JSON: expected " + wanted + " at " + at + " of " + text);
        }
    }
}
