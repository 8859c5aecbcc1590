using System;
using System.Collections.Generic;

namespace Esales.Notify
{
    /// <summary>
    /// A visitor and a notification as the C API takes them, in memory that the caller keeps pinned through the call: one
    /// block for all strings, one for the lines.
    /// </summary>
    internal unsafe struct CallMemory
    {
        private const string VisitorParameter = "visitor";
        private const string NotificationParameter = "notification";

        private byte* next;

        /// <param name="strings">A block of <see cref="Room"/> bytes.</param>
        internal CallMemory(byte* strings)
        {
            next = strings;
        }

        /// <summary>The bytes that the strings of both take at most.</summary>
        /// <exception cref="InvalidArgumentException">That is more than an array can have.</exception>
        internal static int Room(Visitor visitor, Notification notification)
        {
            long room = Utf8.Room(visitor?.Market) + Utf8.Room(visitor?.CustomerKey) + Utf8.Room(visitor?.SessionKey)
                + Utf8.Room(visitor?.Token);
            if (notification != null)
            {
                room += Utf8.Room(notification.Id) + Utf8.Room(notification.Ticket) + Utf8.Room(notification.ProductKey)
                    + Utf8.Room(notification.VariantKey) + Utf8.Room(notification.PrivateKey);
                foreach (Line line in notification.Lines)
                {
                    room += Utf8.Room(line.ProductKey) + Utf8.Room(line.VariantKey) + Utf8.Room(line.SellingPrice)
                        + Utf8.Room(line.Cost);
                }
            }
            if (room > int.MaxValue)
            {
                throw new InvalidArgumentException("notification is too long", NotificationParameter);
            }
            return (int)room;
        }

        internal NativeVisitor Add(Visitor visitor)
        {
            return new NativeVisitor
            {
                StructSize = (uint)sizeof(NativeVisitor),
                Market = Add(VisitorParameter, "market", visitor.Market),
                CustomerKey = Add(VisitorParameter, "customer_key", visitor.CustomerKey),
                SessionKey = Add(VisitorParameter, "session_key", visitor.SessionKey),
                Token = Add(VisitorParameter, "token", visitor.Token),
            };
        }

        /// <param name="notification">What happened.</param>
        /// <param name="lines">A block for its lines.</param>
        internal NativeNotification Add(Notification notification, NativeLine* lines)
        {
            Add(notification.Lines, lines);
            return new NativeNotification
            {
                StructSize = (uint)sizeof(NativeNotification),
                Kind = (int)notification.Kind,
                Id = Add(NotificationParameter, "id", notification.Id),
                Ticket = Add(NotificationParameter, "ticket", notification.Ticket),
                ProductKey = Add(NotificationParameter, "product_key", notification.ProductKey),
                VariantKey = Add(NotificationParameter, "variant_key", notification.VariantKey),
                Lines = lines,
                LineCount = (UIntPtr)(uint)notification.Lines.Count,
                PrivateKey = Add(NotificationParameter, "private_key", notification.PrivateKey),
            };
        }

        private void Add(IReadOnlyList<Line> given, NativeLine* lines)
        {
            for (int i = 0; i < given.Count; i++)
            {
                Line line = given[i];
                if (line.Quantity < 0)
                {
                    // C has no such number, and the library's message would name another one.
                    throw new InvalidArgumentException(
                        NameOf("quantity", i) + " is " + line.Quantity + "; it must be 1 to " + int.MaxValue,
                        NotificationParameter);
                }
                lines[i] = new NativeLine
                {
                    StructSize = (uint)sizeof(NativeLine),
                    Quantity = (uint)line.Quantity,
                    ProductKey = Add(NotificationParameter, "product_key", line.ProductKey, i),
                    VariantKey = Add(NotificationParameter, "variant_key", line.VariantKey, i),
                    SellingPrice = Add(NotificationParameter, "selling_price", line.SellingPrice, i),
                    Cost = Add(NotificationParameter, "cost", line.Cost, i),
                };
            }
        }

        /// <param name="parameter">The argument as C# calls it.</param>
        /// <param name="member">The member of the struct as C calls it.</param>
        /// <param name="text">The string; null stays null.</param>
        /// <param name="line">The number of the line that it belongs to; none if negative.</param>
        private byte* Add(string parameter, string member, string text, int line = -1)
        {
            byte* start = next;
            if (text == null)
            {
                return null;
            }
            if (!Utf8.Write(text, ref next))
            {
                throw Utf8.Refused(line < 0 ? member : NameOf(member, line), parameter, text);
            }
            return start;
        }

        private static string NameOf(string member, int line)
        {
            return "lines[" + line + "]." + member;
        }
    }
}
