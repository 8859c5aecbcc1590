using System;
using System.Collections.Generic;
using System.Text.RegularExpressions;

namespace Esales.Notify.Tests
{
    /// <summary>
    /// Reads XML as simple as a project file. Written by hand, because .NET Core 3.1 aborts the process at the first
    /// use of System.Xml if the system has no OpenSSL older than 3.
    /// </summary>
    internal static class Xml
    {
        private static readonly Regex Token = new Regex(
            @"\G(?:<!--(?:(?!--).)*-->|<(?<open>[\w.]+)(?:\s+[\w.]+=""[^<&""]*"")*\s*(?<empty>/)?>|</(?<close>[\w.]+)>|(?<text>[^<&]+))",
            RegexOptions.Singleline);

        /// <summary>Reads a document; throws a FormatException if it is not well-formed.</summary>
        /// <param name="document">Its text.</param>
        /// <param name="element">Called at the end of each element with its path and the text before its end.</param>
        internal static void Read(string document, Action<string, string> element)
        {
            var open = new List<string>();
            string text = "";
            int roots = 0;
            for (int at = 0; at < document.Length;)
            {
                Match token = Token.Match(document, at);
                Require(token.Success, document, at);
                if (token.Groups["open"].Success)
                {
                    roots += open.Count == 0 ? 1 : 0;
                    open.Add(token.Groups["open"].Value);
                    text = "";
                }
                if (token.Groups["text"].Success)
                {
                    text = token.Groups["text"].Value;
                    Require(open.Count > 0 || text.Trim().Length == 0, document, at);
                }
                if (token.Groups["close"].Success || token.Groups["empty"].Success)
                {
                    string path = string.Join("/", open);
                    Require(open.Count > 0, document, at);
                    string name = open[open.Count - 1];
                    open.RemoveAt(open.Count - 1);
                    Require(token.Groups["empty"].Success || name == token.Groups["close"].Value, document, at);
                    element(path, text);
                    text = "";
                }
                at += token.Length;
            }
            Require(open.Count == 0 && roots == 1, document, document.Length);
        }

        private static void Require(bool condition, string document, int at)
        {
            if (!condition)
            {
                throw new FormatException("XML: not well-formed at " + at + " of " + document);
            }
        }
    }
}
