"""The structs and functions of the C header, for ctypes.

Generated from the Rust source by `make generate`: do not edit.
"""

from ctypes import (
    CFUNCTYPE,
    POINTER,
    Structure,
    c_char,
    c_char_p,
    c_int32,
    c_size_t,
    c_uint32,
    c_uint64,
    c_void_p,
)
from typing import Any, Callable


class VisitorStruct(Structure):
    """``esales_visitor``"""

    _fields_ = [
        ("struct_size", c_uint32),
        ("market", c_char_p),
        ("customer_key", c_char_p),
        ("session_key", c_char_p),
        ("token", c_char_p),
    ]


class LineStruct(Structure):
    """``esales_line``"""

    _fields_ = [
        ("struct_size", c_uint32),
        ("quantity", c_uint32),
        ("product_key", c_char_p),
        ("variant_key", c_char_p),
        ("selling_price", c_char_p),
        ("cost", c_char_p),
    ]


class NotificationStruct(Structure):
    """``esales_notification``"""

    _fields_ = [
        ("struct_size", c_uint32),
        ("kind", c_int32),
        ("id", c_char_p),
        ("ticket", c_char_p),
        ("product_key", c_char_p),
        ("variant_key", c_char_p),
        ("lines", POINTER(LineStruct)),
        ("line_count", c_size_t),
        ("private_key", c_char_p),
    ]


class ReceiptStruct(Structure):
    """``esales_receipt``"""

    _fields_ = [
        ("struct_size", c_uint32),
        ("status", c_int32),
        ("http_status", c_int32),
        ("attempts", c_uint32),
        ("elapsed_us", c_uint64),
        ("id", c_char * 129),
        ("detail", c_char * 256),
    ]


class StatsStruct(Structure):
    """``esales_stats``"""

    _fields_ = [
        ("struct_size", c_uint32),
        ("gate_failures", c_uint32),
        ("gate_closed_ms", c_uint64),
        ("accepted", c_uint64),
        ("delivered", c_uint64),
        ("dead", c_uint64),
        ("expired", c_uint64),
        ("dropped", c_uint64),
        ("pending", c_uint64),
        ("pending_bytes", c_uint64),
        ("oldest_age_ms", c_uint64),
        ("process_accepted", c_uint64),
        ("process_delivered", c_uint64),
        ("process_dead", c_uint64),
        ("process_expired", c_uint64),
        ("process_dropped", c_uint64),
        ("process_pending", c_uint64),
        ("process_refused", c_uint64),
        ("age_p50_ms", c_uint64),
        ("age_p95_ms", c_uint64),
        ("age_p99_ms", c_uint64),
        ("latency_p50_us", c_uint64),
        ("latency_p95_us", c_uint64),
        ("latency_p99_us", c_uint64),
        ("lost", c_uint64),
    ]


#: The types of callbacks. Without an argument they make NULL.
LogFunction = CFUNCTYPE(None, c_void_p, c_int32, c_char_p)
DeliveryFunction = CFUNCTYPE(None, c_void_p, POINTER(ReceiptStruct))


class Functions:
    """The C functions of one library."""

    def __init__(self, function: Callable[..., Any]) -> None:
        self.esales_client_new = function("esales_client_new", c_int32, c_void_p, POINTER(c_void_p))
        self.esales_client_free = function("esales_client_free", None, c_void_p)
        self.esales_config_new = function("esales_config_new", c_int32, POINTER(c_void_p))
        self.esales_config_set = function("esales_config_set", c_int32, c_void_p, c_char_p, c_char_p)
        self.esales_config_free = function("esales_config_free", None, c_void_p)
        self.esales_customer_key = function("esales_customer_key", c_int32, c_char_p, c_char_p)
        self.esales_customer_token = function("esales_customer_token", c_int32, c_char_p, c_char_p, c_char_p)
        self.esales_new_key = function("esales_new_key", c_int32, c_char_p)
        self.esales_log_to = function("esales_log_to", c_int32, LogFunction, c_void_p, c_int32)
        self.esales_log_next = function("esales_log_next", c_int32, c_uint32, POINTER(c_int32), c_char_p)
        self.esales_notify = function(
            "esales_notify", c_int32, c_void_p, POINTER(VisitorStruct), POINTER(NotificationStruct), POINTER(ReceiptStruct)
        )
        self.esales_enqueue = function(
            "esales_enqueue", c_int32, c_void_p, POINTER(VisitorStruct), POINTER(NotificationStruct), POINTER(ReceiptStruct)
        )
        self.esales_notify_add_to_cart = function(
            "esales_notify_add_to_cart", c_int32, c_void_p, POINTER(VisitorStruct), c_char_p, c_char_p, POINTER(ReceiptStruct)
        )
        self.esales_enqueue_add_to_cart = function(
            "esales_enqueue_add_to_cart", c_int32, c_void_p, POINTER(VisitorStruct), c_char_p, c_char_p, POINTER(ReceiptStruct)
        )
        self.esales_client_flush = function("esales_client_flush", c_int32, c_void_p, c_uint32, POINTER(StatsStruct))
        self.esales_client_stop_delivery = function("esales_client_stop_delivery", c_int32, c_void_p, c_uint32)
        self.esales_stop_delivery = function("esales_stop_delivery", c_int32, c_uint32)
        self.esales_client_stats = function("esales_client_stats", c_int32, c_void_p, POINTER(StatsStruct))
        self.esales_client_receipt = function(
            "esales_client_receipt", c_int32, c_void_p, c_char_p, POINTER(ReceiptStruct)
        )
        self.esales_client_delivery_next = function(
            "esales_client_delivery_next", c_int32, c_void_p, c_uint32, POINTER(ReceiptStruct)
        )
        self.esales_client_on_delivery = function(
            "esales_client_on_delivery", c_int32, c_void_p, DeliveryFunction, c_void_p
        )
        self.esales_status_name = function("esales_status_name", c_char_p, c_int32)
        self.esales_status_text = function("esales_status_text", c_char_p, c_int32)
        self.esales_last_error = function("esales_last_error", c_char_p)
        self.esales_version = function("esales_version", c_char_p)
