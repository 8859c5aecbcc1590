// Generated from the Rust source by `make generate`: do not edit.

using System;

namespace Esales.Notify
{
    public sealed partial class ClientOptions
    {
        /// <summary>The cluster: the first label of its host name in <c>https://{cluster_id}.api.esales.apptus.cloud</c>. This or <c>base_url</c> is required. Default: unset.</summary>
        public string ClusterId
        {
            get { return String("cluster_id"); }
            set { Set("cluster_id", Text(value)); }
        }

        /// <summary>URL to use instead of the cluster's, without the path <c>/api/v1/...</c>, for example of a sandbox or a gateway. Default: unset.</summary>
        public string BaseUrl
        {
            get { return String("base_url"); }
            set { Set("base_url", Text(value)); }
        }

        /// <summary>Whether <c>base_url</c> may be <c>http://</c> for a host that is not loopback. Visitor data is then sent without encryption. Default: false.</summary>
        public bool? AllowHttp
        {
            get { return Flag("allow_http"); }
            set { Set("allow_http", Text(value)); }
        }

        /// <summary>PEM file of the certificate authorities to trust instead of the system's. It is read once, when the client is made; a relative path is resolved then. A certificate in the file that cannot be used is an error. Default: unset.</summary>
        public string CaFile
        {
            get { return String("ca_file"); }
            set { Set("ca_file", Text(value)); }
        }

        /// <summary>HTTP proxy, <c>http://[user:password@]host:port</c>. Unset: the environment variables <c>https_proxy</c>, <c>http_proxy</c> and <c>all_proxy</c> are used, except for loopback hosts. Empty: no proxy. Default: unset.</summary>
        public string Proxy
        {
            get { return String("proxy"); }
            set { Set("proxy", Text(value)); }
        }

        /// <summary>Hosts that are reached without the proxy, separated by commas or white space: a name (which includes its subdomains), an IP address, a network such as <c>10.0.0.0/8</c> or <c>fd00::/8</c>, <c>*.domain</c>, or <c>*</c> for all. An entry with a port matches nothing. Unset: the environment variable <c>no_proxy</c> is used as in curl 7.88, which ignores IPv6 networks, brackets, <c>*.domain</c> and a <c>*</c> next to other entries. Default: unset.</summary>
        public string NoProxy
        {
            get { return String("no_proxy"); }
            set { Set("no_proxy", Text(value)); }
        }

        /// <summary>Longest life of a connection, and longest time that an idle connection is kept for the next call, in seconds. It also applies after the last client is freed. 0: each connection is used once. If the service moves to another IP address, the client follows within <c>keep_alive_s</c> plus <c>dns_cache_s</c>. 0 to 3600. Default: 60.</summary>
        public TimeSpan? KeepAlive
        {
            get { return Seconds("keep_alive_s"); }
            set { Set("keep_alive_s", FromSeconds("keep_alive_s", value)); }
        }

        /// <summary>How long the result of a DNS look-up is used for new connections, in seconds. 0 to 3600. Default: 60.</summary>
        public TimeSpan? DnsCache
        {
            get { return Seconds("dns_cache_s"); }
            set { Set("dns_cache_s", FromSeconds("dns_cache_s", value)); }
        }

        /// <summary>Longest duration of one blocking call, in milliseconds. It includes DNS look-up, connection, TLS, every attempt and every pause. 1 to 300000. Default: 3000.</summary>
        public TimeSpan? Timeout
        {
            get { return Milliseconds("timeout_ms"); }
            set { Set("timeout_ms", FromMilliseconds("timeout_ms", value)); }
        }

        /// <summary>Market of visitors that have no market of their own. Default: unset.</summary>
        public string Market
        {
            get { return String("market"); }
            set { Set("market", Text(value)); }
        }

        /// <summary>Greatest number of attempts in one blocking call. All attempts must fit into <c>timeout_ms</c>. 1 to 10. Default: 3.</summary>
        public int? MaxAttempts
        {
            get { return Int32("max_attempts"); }
            set { Set("max_attempts", Text(value)); }
        }

        /// <summary>Longest pause before the second attempt, in milliseconds; it doubles for each further attempt. The actual pause is random, from 0 to that length. 0 to 60000. Default: 100.</summary>
        public TimeSpan? Backoff
        {
            get { return Milliseconds("backoff_ms"); }
            set { Set("backoff_ms", FromMilliseconds("backoff_ms", value)); }
        }

        /// <summary>What a blocking call does after a failure that may succeed later. <c>error</c>: it returns the error. <c>queue</c>: it enqueues the notification with the same id and returns <c>ESALES_QUEUED</c>; while deliveries are failing, it does so without an attempt. Default: error.</summary>
        public OnFailure? OnFailure
        {
            get { return (OnFailure?)Choice("on_failure", OnFailureTexts); }
            set { Set("on_failure", FromChoice("on_failure", (int?)value, OnFailureTexts)); }
        }

        private static readonly string[] OnFailureTexts = { "error", "queue" };

        /// <summary>What holds the queue. An absolute path: a directory, shared by any number of processes of this machine that run as the same user. The library makes it, with mode 0700; the folder that it is in must exist. <c>redis://[user@]host[:port][/db]?name=NAME</c>, or <c>rediss://</c> for TLS: a Redis (6.2 or newer) or Valkey (7.2 or newer), shared by any number of machines; <c>NAME</c> identifies the queue. Several hosts are separated by commas; with <c>&amp;sentinel=MASTER</c> they are Sentinels. Unset: in memory, lost with the process. Default: unset.</summary>
        public string Spool
        {
            get { return String("spool"); }
            set { Set("spool", Text(value)); }
        }

        /// <summary>Password for a <c>redis://</c> or <c>rediss://</c> <c>spool</c>. It does not belong in the address, because addresses are logged. Default: unset.</summary>
        public string SpoolPassword
        {
            get { return String("spool_password"); }
            set { Set("spool_password", Text(value)); }
        }

        /// <summary>File whose first line is the password for a <c>redis://</c> or <c>rediss://</c> <c>spool</c>. It is read when the client is made. Default: unset.</summary>
        public string SpoolPasswordFile
        {
            get { return String("spool_password_file"); }
            set { Set("spool_password_file", Text(value)); }
        }

        /// <summary>Directory that stores notifications while a <c>redis://</c> or <c>rediss://</c> <c>spool</c> does not answer: an absolute path. When the engine answers again, a process that delivers the spool forwards them to it, with the same ids. Unset: the enqueue fails with <c>ESALES_SPOOL_FAILED</c>. Default: unset.</summary>
        public string SpoolFallback
        {
            get { return String("spool_fallback"); }
            set { Set("spool_fallback", Text(value)); }
        }

        /// <summary>Whether a <c>redis://</c> or <c>rediss://</c> <c>spool</c> may be an engine without an append-only file. When such an engine ends, all pending notifications are lost. Default: false.</summary>
        public bool? AllowVolatile
        {
            get { return Flag("allow_volatile"); }
            set { Set("allow_volatile", Text(value)); }
        }

        /// <summary>What an accepted notification in the <c>spool</c> survives. <c>process</c>: the end of every process, also by kill -9. <c>replica</c>: the loss of the primary too; only for an engine; the enqueue waits until a replica has the notification. <c>disk</c>: a power loss too; the enqueue waits for an fsync, which simultaneous enqueues share. Default: process.</summary>
        public Durability? Durability
        {
            get { return (Durability?)Choice("durability", DurabilityTexts); }
            set { Set("durability", FromChoice("durability", (int?)value, DurabilityTexts)); }
        }

        private static readonly string[] DurabilityTexts = { "process", "replica", "disk" };

        /// <summary>Who delivers the queue. <c>background</c>: a thread of this process, unless another process is delivering the same spool. <c>none</c>: another process, such as <c>esales-notify drain</c>; requires <c>spool</c>. Default: background.</summary>
        public Delivery? Delivery
        {
            get { return (Delivery?)Choice("delivery", DeliveryTexts); }
            set { Set("delivery", FromChoice("delivery", (int?)value, DeliveryTexts)); }
        }

        private static readonly string[] DeliveryTexts = { "background", "none" };

        /// <summary>Longest time that an enqueue waits for the disk, for the engine or for other processes, in milliseconds. 1 to 60000. Default: 1000.</summary>
        public TimeSpan? EnqueueTimeout
        {
            get { return Milliseconds("enqueue_timeout_ms"); }
            set { Set("enqueue_timeout_ms", FromMilliseconds("enqueue_timeout_ms", value)); }
        }

        /// <summary>Greatest number of pending notifications in the queue. 1 to 10000000. Default: 100000.</summary>
        public int? MaxItems
        {
            get { return Int32("max_items"); }
            set { Set("max_items", Text(value)); }
        }

        /// <summary>Greatest total size of the pending notifications (their JSON), in bytes. 1024 to 68719476736. Default: 67108864.</summary>
        public long? MaxBytes
        {
            get { return Int64("max_bytes"); }
            set { Set("max_bytes", Text(value)); }
        }

        /// <summary>What happens to a new notification when <c>max_items</c> or <c>max_bytes</c> is reached. <c>refuse</c>: the call returns <c>ESALES_QUEUE_FULL</c>. <c>drop_oldest</c>: the notification is accepted, and the oldest ones are dropped and counted. Default: refuse.</summary>
        public Overflow? Overflow
        {
            get { return (Overflow?)Choice("overflow", OverflowTexts); }
            set { Set("overflow", FromChoice("overflow", (int?)value, OverflowTexts)); }
        }

        private static readonly string[] OverflowTexts = { "refuse", "drop_oldest" };

        /// <summary>Greatest number of dead letters that are kept for an operator. Above it, the oldest are dropped and counted. 0 to 1000000. Default: 10000.</summary>
        public int? MaxDead
        {
            get { return Int32("max_dead"); }
            set { Set("max_dead", Text(value)); }
        }

        /// <summary>How long delivery of a notification is tried, in seconds. After that it expires. 1 to 2592000. Default: 86400.</summary>
        public TimeSpan? MaxAge
        {
            get { return Seconds("max_age_s"); }
            set { Set("max_age_s", FromSeconds("max_age_s", value)); }
        }

        /// <summary>Greatest number of deliveries at the same time. 1 to 64. Default: 4.</summary>
        public int? Concurrency
        {
            get { return Int32("concurrency"); }
            set { Set("concurrency", Text(value)); }
        }

        /// <summary>Longest pause after a failed delivery, in milliseconds; it doubles with every further failure. The actual pause is random, from 0 to that length, but never shorter than a <c>Retry-After</c> of the service (up to an hour). 10 to 60000. Default: 1000.</summary>
        public TimeSpan? GateMin
        {
            get { return Milliseconds("gate_min_ms"); }
            set { Set("gate_min_ms", FromMilliseconds("gate_min_ms", value)); }
        }

        /// <summary>Upper limit for the doubling of <c>gate_min_ms</c>, in milliseconds. 10 to 3600000. Default: 300000.</summary>
        public TimeSpan? GateMax
        {
            get { return Milliseconds("gate_max_ms"); }
            set { Set("gate_max_ms", FromMilliseconds("gate_max_ms", value)); }
        }

        /// <summary>Whether a payment is sent again after a failure, although the service counts a repeated payment twice. <c>certain</c>: only if the service certainly did not process it; otherwise its status is <c>ESALES_MAY_HAVE_ARRIVED</c>, and the queue keeps it as a dead letter. <c>always</c>: also if it may have arrived. Default: certain.</summary>
        public PaymentRepeat? PaymentRepeat
        {
            get { return (PaymentRepeat?)Choice("payment_repeat", PaymentRepeatTexts); }
            set { Set("payment_repeat", FromChoice("payment_repeat", (int?)value, PaymentRepeatTexts)); }
        }

        private static readonly string[] PaymentRepeatTexts = { "certain", "always" };

        /// <summary>How long the receipt of a notification that left the queue is kept, in seconds. A directory or memory keeps at most the last 20,000. An engine accepts no second notification with the same id during this time, and no second payment within <c>max_age_s</c>. 0: none. 0 to 2592000. Default: 3600.</summary>
        public TimeSpan? ReceiptRetention
        {
            get { return Seconds("receipt_retention_s"); }
            set { Set("receipt_retention_s", FromSeconds("receipt_retention_s", value)); }
        }
    }

    /// <summary>The values of the option <c>on_failure</c>.</summary>
    public enum OnFailure
    {
        /// <summary>The value <c>error</c>.</summary>
        Error,

        /// <summary>The value <c>queue</c>.</summary>
        Queue,
    }

    /// <summary>The values of the option <c>durability</c>.</summary>
    public enum Durability
    {
        /// <summary>The value <c>process</c>.</summary>
        Process,

        /// <summary>The value <c>replica</c>.</summary>
        Replica,

        /// <summary>The value <c>disk</c>.</summary>
        Disk,
    }

    /// <summary>The values of the option <c>delivery</c>.</summary>
    public enum Delivery
    {
        /// <summary>The value <c>background</c>.</summary>
        Background,

        /// <summary>The value <c>none</c>.</summary>
        None,
    }

    /// <summary>The values of the option <c>overflow</c>.</summary>
    public enum Overflow
    {
        /// <summary>The value <c>refuse</c>.</summary>
        Refuse,

        /// <summary>The value <c>drop_oldest</c>.</summary>
        DropOldest,
    }

    /// <summary>The values of the option <c>payment_repeat</c>.</summary>
    public enum PaymentRepeat
    {
        /// <summary>The value <c>certain</c>.</summary>
        Certain,

        /// <summary>The value <c>always</c>.</summary>
        Always,
    }
}
